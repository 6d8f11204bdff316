"""An account: a wallet, and what is posted to it.

Every change is an entry with a deterministic id, created once: a replay meets its own entry and changes nothing.

    open_account   welcome        once in a lifetime
    charge         charge:{job}   with the job's document, in one transaction
    upgrade        upgrade:{job}  the difference to the instant lane
    refund         refund:{job}   with the job's final failure, in one transaction
    charge_bulk    bulk:{bulk}    all photos of a bulk job, with its document

`core.wallet.earning` and `core.refresh.refresh` post the entries that bring tokens.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from functions.core.shared.errors import InsufficientTokens
from functions.core.wallet.ledger import (
    SPENDING,
    LedgerEntry,
    Reason,
    Wallet,
    empty_wallet,
    entry_id,
)
from functions.core.wallet.months import this_month, with_month
from functions.core.wallet.standing import scored

RECENT_ENTRIES_MAX = 20
"""Shown with the balance at no further read; the whole history is the ledger."""


@dataclass(frozen=True)
class Account:
    """A wallet and the entries that brought it here since it was read: what one transaction writes."""

    wallet: Wallet
    new_entries: tuple[LedgerEntry, ...] = ()

    def post(
        self,
        free: int,
        reason: Reason,
        ref: str | None,
        now: datetime,
        *,
        points: int = 0,
        bought: int = 0,
        detail: dict[str, str] | None = None,
    ) -> "Account":
        """Return the account with one more entry, of `free` tokens and `bought` ones; `ref` names what it was for.

        Bought tokens pay what is owed before they reach the balance; if more of them go than are left, the rest is
        owed. So a refund of a job and one of its payment lead to the same balance in either order.
        """
        wallet = self.wallet
        purchased, owed = max(wallet.bought + bought, 0), max(-wallet.bought - bought, 0)
        delta = free + purchased - wallet.purchased
        entry = LedgerEntry(
            entry_id=entry_id(reason, ref),
            seq=wallet.entry_count + 1,
            delta=delta,
            points=points,
            bought=bought,
            reason=reason,
            ref=ref,
            detail=detail,
            balance_after=wallet.balance + delta,
            ts=now,
        )
        # A refund takes spending back. In a wallet made anew there may be none to take back: then it counts as earned.
        spent = max(-delta, -wallet.total_spent) if reason in SPENDING else 0
        posted, months = replace(self, new_entries=(*self.new_entries, entry)), wallet.months
        if spent:
            used = this_month(wallet, now)
            months = with_month(wallet, used.model_copy(update={"tokens": used.tokens + spent}))
        return posted.with_fields(
            balance=entry.balance_after,
            total_earned=wallet.total_earned + delta + spent,
            total_spent=wallet.total_spent + spent,
            entry_count=entry.seq,
            purchased=purchased,
            owed=owed,
            points=wallet.points + points,
            months=months,
            standing=scored(wallet.standing, points, now) if wallet.standing and points else wallet.standing,
            top_up_at=(wallet.top_up_at or now) if entry.balance_after < wallet.top_up_below else None,
            recent=(entry, *wallet.recent)[:RECENT_ENTRIES_MAX],
            updated_at=now,
            **wallet.counting(-free - bought if reason in SPENDING else 0, now),  # also what pays a debt has come back
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
        """Post an earning, clipped so that the free tokens do not pass `cap`. One of 0 tokens still uses up its
        key."""
        room = max(cap - self.wallet.free, 0)
        return self.post(min(amount, room), reason, ref, now, points=points, detail=detail)

    def with_fields(self, **changes: Any) -> "Account":
        """Return the account with other values of these wallet fields. Raises TypeError for a name that is none,
        ValidationError for a value that the field cannot have, as a balance below zero."""
        return replace(self, wallet=self.wallet.with_fields(**changes))


def open_account(wallet: Wallet | None, welcome_tokens: int, now: datetime) -> Account:
    """Return the account of a stored wallet, or on first contact a new one with its welcome tokens."""
    if wallet is not None:
        return Account(wallet)
    return Account(empty_wallet(now)).post(welcome_tokens, Reason.WELCOME, None, now)


def reopened_account(entries: Iterable[LedgerEntry], now: datetime) -> Account:
    """Return the account of a removed wallet from its ledger, the truth: tokens, history, points and achievements. What
    only the wallet knew (plan, streak, today's counters) starts anew."""
    history = sorted(entries, key=lambda entry: entry.seq)
    spent = -sum(entry.delta for entry in history if entry.reason in SPENDING)
    balance = sum(entry.delta for entry in history)
    bought = sum(entry.bought for entry in history)
    return Account(empty_wallet(now)).with_fields(
        balance=balance,
        total_earned=balance + spent,
        total_spent=spent,
        entry_count=history[-1].seq if history else 0,
        purchased=max(bought, 0),
        owed=max(-bought, 0),
        points=sum(entry.points for entry in history),
        converted_points=sum(
            int((entry.detail or {})["points"]) for entry in history if entry.reason is Reason.CONVERT
        ),
        refreshed_period=next((entry.ref or "" for entry in reversed(history) if entry.reason is Reason.REFRESH), ""),
        achieved=tuple(entry.ref or "" for entry in history if entry.reason is Reason.ACHIEVE),
        recent=tuple(reversed(history))[:RECENT_ENTRIES_MAX],
        closed_at=next((entry.ts for entry in history if entry.reason is Reason.CLOSE), None),
    )


def charge(account: Account, job_id: str, price: int, now: datetime, *, points: int = 0) -> Account:
    """Take the price of a job. Its points come with it, at no write of their own, and go with its refund. Raises
    InsufficientTokens with details `balance` and `price`, in tokens; of a team's wallet, what its `require_room`
    does."""
    return spend(account, Reason.CHARGE, job_id, price, now, points).with_fields(scans=account.wallet.scans + 1)


def charge_bulk(account: Account, bulk_id: str, price: int, photos: int, now: datetime, *, points: int) -> Account:
    """Take the price of a whole bulk job, with the points of all its photos, which count once they are jobs. Raises
    InsufficientTokens as `charge` does."""
    return spend(account, Reason.BULK, bulk_id, price, now, points, photos_detail(photos))


def photos_detail(photos: int) -> dict[str, str]:
    """Return what an entry of a bulk job says besides: how many photos it charges for, or gives back."""
    return {"photos": str(photos)}


def upgrade(account: Account, job_id: str, difference: int, now: datetime) -> Account:
    """Take the difference to the instant lane's price. Raises InsufficientTokens as `charge` does."""
    return spend(account, Reason.UPGRADE, job_id, difference, now)


def spend(
    account: Account,
    reason: Reason,
    ref: str,
    price: int,
    now: datetime,
    points: int = 0,
    detail: dict[str, str] | None = None,
) -> Account:
    """Take a price, bought tokens last. Raises InsufficientTokens with details `balance` and `price`, in tokens."""
    account.wallet.require_room(price, now)
    balance = account.wallet.balance
    if balance < price:
        raise InsufficientTokens(f"This costs {price} tokens and you have {balance}.", balance=balance, price=price)
    bought = max(price - account.wallet.free, 0)
    return account.post(bought - price, reason, ref, now, points=points, bought=-bought, detail=detail)


def bought_part(account: Account) -> int:
    """Return how many bought tokens the last charge or upgrade took; a refund of the job puts them back."""
    return -account.new_entries[-1].bought


def refund(
    account: Account,
    job_id: str,
    price: int,
    now: datetime,
    *,
    points: int = 0,
    bought: int = 0,
    detail: dict[str, str] | None = None,
    photos: int = 1,
) -> Account:
    """Give all that was paid for a job back, `bought` tokens of it as such. Never clipped: it was the user's already;
    but bought tokens pay first what is owed. The job's points go again, and so many `photos` count no more."""
    scans = max(account.wallet.scans - photos, 0)
    account = account.post(price - bought, Reason.REFUND, job_id, now, points=-points, bought=bought, detail=detail)
    return account.with_fields(scans=scans)
