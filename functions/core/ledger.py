"""Tokens: the ledger is the truth, the balance is its cached sum.

Every change is an entry with a deterministic id, created once: a replay meets its own entry and changes nothing.

    open_account   welcome        once in a lifetime
    charge         charge:{job}   with the job's document, in one transaction
    upgrade        upgrade:{job}  the difference to the instant lane
    refund         refund:{job}   with the job's final failure, in one transaction

`core.earning` and `core.refresh` post the entries that bring tokens.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from functions.core.errors import InsufficientTokens
from functions.core.records import Record

RECENT_ENTRIES_MAX = 20
"""Shown with the balance at no further read; the whole history is the ledger."""


class Reason(StrEnum):
    """Why tokens came or went."""

    WELCOME = "welcome"
    CHARGE = "charge"
    UPGRADE = "upgrade"
    REFUND = "refund"
    BONUS = "bonus"
    CONVERT = "convert"
    MANUAL = "manual"
    REFRESH = "refresh"


SPENDING = frozenset({Reason.CHARGE, Reason.UPGRADE, Reason.REFUND})
"""Entries that count as spent, or as spending taken back; all others are earned."""


class Plan(StrEnum):
    """What a user has subscribed to."""

    FREE = "free"
    PLUS = "plus"
    PRO = "pro"


class LedgerEntry(Record):
    """One change of a balance, in tokens. Never edited: what was wrong is answered by a further entry.

    `seq` numbers a wallet's entries from 1 without a gap: it is their order where times are equal, and the cursor of
    pages. `points` is the change of the points, `detail` what the entry's key is bound to.
    """

    entry_id: str
    seq: int = Field(ge=1)
    delta: int
    points: int = 0
    reason: Reason
    ref: str | None
    detail: dict[str, str] | None = None
    balance_after: int = Field(ge=0)
    ts: datetime


class Today(Record):
    """What a user has done on one UTC day, for the daily limits. `converted` counts tokens, the
    others calls; `held_micros` is the most that today's photos can cost the operator."""

    day: str = "1970-01-01"
    instant: int = Field(default=0, ge=0)
    batch: int = Field(default=0, ge=0)
    manual: int = Field(default=0, ge=0)
    converted: int = Field(default=0, ge=0)
    held_micros: int = Field(default=0, ge=0)


class Wallet(Record):
    """A user's tokens. `balance` equals the sum of all entries, and `total_earned - total_spent`.

    `points` is the lifetime's, shown on the leaderboard; what can still be converted is `points - converted_points`.
    Plan and push tokens are kept here, so that a charge knows them at no further read;
    what `refresh` and `contact_at` are for is told in `core.refresh`.
    """

    balance: int = Field(ge=0)
    total_earned: int = Field(ge=0)
    total_spent: int = Field(ge=0)
    entry_count: int = Field(ge=0)
    points: int = 0
    converted_points: int = Field(default=0, ge=0)
    scans: int = Field(default=0, ge=0)
    plan: str = Plan.FREE
    streak_days: int = Field(default=0, ge=0)
    bonus_day: str = "1970-01-01"
    today: Today = Today()
    push_tokens: tuple[str, ...] = ()
    rate_minute: int = 0
    rate_count: int = Field(default=0, ge=0)
    contact_at: datetime | None = None
    next_refresh_at: datetime | None = None
    refresh_shard: int | None = None
    refreshed_period: str = ""
    refresh_failures: int = Field(default=0, ge=0)
    recent: tuple[LedgerEntry, ...] = ()
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Account:
    """A wallet and the entries that brought it here since it was read: what one transaction writes."""

    wallet: Wallet
    new_entries: tuple[LedgerEntry, ...] = ()

    def post(
        self,
        delta: int,
        reason: Reason,
        ref: str | None,
        now: datetime,
        *,
        points: int = 0,
        detail: dict[str, str] | None = None,
    ) -> "Account":
        """Return the account with one more entry of `delta` tokens; `ref` names what it was for."""
        wallet = self.wallet
        entry = LedgerEntry(
            entry_id=entry_id(reason, ref),
            seq=wallet.entry_count + 1,
            delta=delta,
            points=points,
            reason=reason,
            ref=ref,
            detail=detail,
            balance_after=wallet.balance + delta,
            ts=now,
        )
        # A refund takes spending back. In a wallet made anew there may be none to take back: then it counts as earned.
        spent = max(-delta, -wallet.total_spent) if reason in SPENDING else 0
        posted = replace(self, new_entries=(*self.new_entries, entry))
        return posted.having(
            balance=entry.balance_after,
            total_earned=wallet.total_earned + delta + spent,
            total_spent=wallet.total_spent + spent,
            entry_count=entry.seq,
            points=wallet.points + points,
            recent=(entry, *wallet.recent)[:RECENT_ENTRIES_MAX],
            updated_at=now,
        )

    def earn(
        self,
        amount: int,
        reason: Reason,
        ref: str,
        now: datetime,
        *,
        cap: int,
        points: int = 0,
        detail: dict[str, str] | None = None,
    ) -> "Account":
        """Post an earning, clipped so that the balance does not pass `cap`. One of 0 tokens still uses up its key."""
        room = max(cap - self.wallet.balance, 0)
        return self.post(min(amount, room), reason, ref, now, points=points, detail=detail)

    def having(self, **changes: Any) -> "Account":
        """Return the account with other values of these wallet fields."""
        return replace(self, wallet=self.wallet.model_copy(update=changes))


def entry_id(reason: Reason, ref: str | None) -> str:
    """Return the id of an entry, the same for every attempt at it."""
    return reason.value if ref is None else f"{reason}:{ref}"


def day_of(moment: datetime) -> str:
    """Return the UTC day of a moment as ISO 8601 text."""
    return moment.astimezone(UTC).date().isoformat()


def today_of(wallet: Wallet, now: datetime) -> Today:
    """Return the counters that are in force: new ones after midnight UTC, never older ones when the clock goes back."""
    day = day_of(now)
    return Today(day=day) if day > wallet.today.day else wallet.today


def open_account(wallet: Wallet | None, welcome_tokens: int, now: datetime) -> Account:
    """Return the account of a stored wallet, or on first contact a new one with its welcome tokens."""
    if wallet is not None:
        return Account(wallet)
    return Account(empty_wallet(now)).post(welcome_tokens, Reason.WELCOME, None, now)


def empty_wallet(now: datetime) -> Wallet:
    """Return a wallet that nothing has been posted to."""
    return Wallet(balance=0, total_earned=0, total_spent=0, entry_count=0, created_at=now, updated_at=now)


def reopened_account(entries: Iterable[LedgerEntry], now: datetime) -> Account:
    """Return the account of a wallet that was removed, from its ledger, which is the truth.

    What only the wallet knew (plan, streak, today's counters) starts anew; the tokens, their history and the points are
    as they were.
    """
    history = sorted(entries, key=lambda entry: entry.seq)
    spent = -sum(entry.delta for entry in history if entry.reason in SPENDING)
    balance = sum(entry.delta for entry in history)
    return Account(empty_wallet(now)).having(
        balance=balance,
        total_earned=balance + spent,
        total_spent=spent,
        entry_count=history[-1].seq if history else 0,
        points=sum(entry.points for entry in history),
        converted_points=sum(
            int((entry.detail or {})["points"]) for entry in history if entry.reason is Reason.CONVERT
        ),
        refreshed_period=next((entry.ref or "" for entry in reversed(history) if entry.reason is Reason.REFRESH), ""),
        recent=tuple(reversed(history))[:RECENT_ENTRIES_MAX],
    )


def charge(account: Account, job_id: str, price: int, now: datetime, *, points: int = 0) -> Account:
    """Take the price of a job. Its points come with it, at no write of their own, and go with its refund.

    Raises:
        InsufficientTokens: the balance does not cover it; details `balance` and `price`, in tokens.
    """
    return _spend(account, Reason.CHARGE, job_id, price, now, points).having(scans=account.wallet.scans + 1)


def upgrade(account: Account, job_id: str, difference: int, now: datetime) -> Account:
    """Take the difference to the instant lane's price.

    Raises:
        InsufficientTokens: the balance does not cover it; details `balance` and `price`, in tokens.
    """
    return _spend(account, Reason.UPGRADE, job_id, difference, now, 0)


def _spend(account: Account, reason: Reason, job_id: str, price: int, now: datetime, points: int) -> Account:
    balance = account.wallet.balance
    if balance < price:
        raise InsufficientTokens(f"This costs {price} tokens and you have {balance}.", balance=balance, price=price)
    return account.post(-price, reason, job_id, now, points=points)


def refund(account: Account, job_id: str, price: int, now: datetime, *, points: int = 0) -> Account:
    """Give all that was paid for a job back. Never clipped: it was the user's already. The job's points go again."""
    return account.post(price, Reason.REFUND, job_id, now, points=-points)
