"""Tokens as stored: the ledger's entries, the truth, and the wallet's balance, their cached sum. `core.wallet.accounts`
posts."""

from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AwareDatetime, Field, TypeAdapter

from functions.core.config.plans import Plan
from functions.core.shared.records import Kept, Open
from functions.core.shared.utc_days import day_of
from functions.core.wallet.figures import COUNT_MAX, Change, Count, Day
from functions.core.wallet.standing import Standing


class Reason(StrEnum):
    """Why tokens came or went."""

    WELCOME = "welcome"
    CHARGE = "charge"
    UPGRADE = "upgrade"
    REFUND = "refund"
    BULK = "bulk"
    BONUS = "bonus"
    CONVERT = "convert"
    MANUAL = "manual"
    REFRESH = "refresh"
    GRANT = "grant"
    BUY = "buy"
    PERIOD = "period"
    ACHIEVE = "achieve"
    PERK = "perk"
    GIVE = "give"
    GOT = "got"
    ALLOT = "allot"
    RETURN = "return"
    CLOSE = "close"


SPENDING = frozenset({Reason.CHARGE, Reason.UPGRADE, Reason.REFUND, Reason.BULK, Reason.PERK})
"""Entries that count as spent, or take it back. All others are earned, also a newer release's: balances are right."""


class LedgerEntry(Kept):
    """One change of a balance, in tokens. Never edited: what was wrong is answered by a further entry.

    `seq` numbers a wallet's entries from 1 without a gap: their order at equal times, and the pages' cursor. `points`
    is the change of points, `bought` that of the user's bought tokens, debts included (`Wallet.bought`), `detail` the
    payload that the key is bound to.
    """

    entry_id: str
    seq: int = Field(ge=1, le=COUNT_MAX)
    delta: Change
    points: Change = 0
    bought: Change = 0
    reason: Open[Reason]
    ref: str | None
    detail: dict[str, Any] | None = None
    balance_after: Count
    ts: AwareDatetime

    @property
    def photos(self) -> int:
        """How many photos it has charged for."""
        return int((self.detail or {}).get("photos", 0)) if self.reason == Reason.BULK else self.reason == Reason.CHARGE


class Today(Kept):
    """A user's counts of one UTC day, for the daily limits. `converted` and `given` count tokens, `cancelled` refunded
    photos, `failed` billed ones that showed nothing usable; `photographed` tells whether there was any photo, `again`
    whether there was one the day before, too; `held_micros` is the most that today's photos can cost the operator."""

    day: Day = "1970-01-01"
    instant: Count = 0
    batch: Count = 0
    manual: Count = 0
    converted: Count = 0
    given: Count = 0
    cancelled: Count = 0
    failed: Count = 0
    photographed: bool = False
    again: bool = False
    held_micros: Count = 0


class UsedMonth(Kept):
    """A user's photos of one UTC month by lane, for the monthly limit; and the `tokens` spent in it, less those that
    were refunded, if for photos of the month before."""

    month: Day
    instant: Count = 0
    batch: Count = 0
    tokens: Change = 0

    @property
    def photos(self) -> int:
        """Photos of both lanes."""
        return self.instant + self.batch


class Wallet(Kept):
    """A user's tokens. `balance` equals the sum of all entries, and `total_earned - total_spent`.

    `purchased` are those tokens of the balance that were bought: they are spent last. `owed` are tokens of payments
    that were taken back after they had been spent; the next purchase pays them first. One of the two is always zero.

    `points` is the lifetime's; `points - converted_points` can be converted. `corrections` are the user's own
    classifications, `achieved` the names that `core.wallet.achievements` has unlocked; `standing` is what the
    leaderboard shows of a user who takes part. `priority_until` and `streak_savers` were bought: `core.wallet.perks`.
    Plan and push tokens save a charge a read; `core.refresh.refresh` explains `refresh` and `contact_at`. `plan_seller`
    sold the plan, which ends at `plan_until` if nothing more is paid; None: an operator has set it. `months`: what was
    used, the newest first. `prompted_day`: when a refusal last named the plan that would help. `top_up_at`: when to buy
    an automatic pack, due while the balance is below `top_up_below`. `blocked_at`: since when an operator takes no
    photos from the user. `closed_at`: since when the account is deleted, see `core.privacy.deletion`.
    """

    earns: ClassVar[bool] = True  # welcome, allowance, achievements
    balance: Count
    total_earned: Count
    total_spent: Count
    entry_count: Count
    purchased: Count = 0
    owed: Count = 0
    points: Change = 0
    converted_points: Count = 0
    scans: Count = 0
    corrections: Count = 0
    achieved: tuple[str, ...] = ()
    standing: Standing | None = None
    priority_until: AwareDatetime | None = None
    streak_savers: Count = 0
    plan: str = Plan.FREE
    plan_until: AwareDatetime | None = None
    plan_seller: str | None = None
    streak_days: Count = 0
    bonus_day: Day = "1970-01-01"
    today: Today = Today()
    months: tuple[UsedMonth, ...] = ()
    prompted_day: Day = "1970-01-01"
    push_tokens: tuple[str, ...] = ()
    rate_minute: int = 0
    rate_count: Count = 0
    contact_at: AwareDatetime | None = None
    next_refresh_at: AwareDatetime | None = None
    refresh_shard: int | None = None
    top_up_below: Count = 0
    top_up_at: AwareDatetime | None = None
    refreshed_period: Day | Literal[""] = ""
    blocked_at: AwareDatetime | None = None
    closed_at: AwareDatetime | None = None
    refresh_failures: Count = 0
    recent: tuple[LedgerEntry, ...] = ()
    created_at: AwareDatetime
    updated_at: AwareDatetime

    @property
    def bought(self) -> int:
        """Bought tokens that are left, or as a negative number those that are owed: the sum of all `bought`."""
        return self.purchased - self.owed

    @property
    def free(self) -> int:
        """Tokens of the balance that were not bought: spent first; caps and allowances count them alone."""
        return max(self.balance - self.purchased, 0)

    def require_room(self, price: int, now: datetime) -> None:
        """Raise what keeps whoever acts from spending so much, besides the balance; nothing does for a user."""

    def counting(self, spent: int, now: datetime) -> dict[str, Any]:  # noqa: ARG002  (a team's wallet counts)
        """Return what changes, besides the totals, when so many tokens are spent, or come back."""
        return {}

    def with_fields(self, **changes: Any) -> Self:
        """Return the wallet with other values of these fields. A copy would check neither names nor values, and store
        unknown ones as a newer release's: raises TypeError for a name that is none, ValidationError for a bad value."""
        fields = _fields(type(self))
        if unknown := changes.keys() - fields.keys():
            raise TypeError(f"a wallet has no {', '.join(sorted(unknown))}")
        return self.model_copy(update={name: fields[name].validate_python(new) for name, new in changes.items()})


@cache
def _fields(kind: type[Wallet]) -> dict[str, TypeAdapter[Any]]:
    """Return what checks a value of each field of this kind of wallet."""
    kinds: dict[str, Any] = {
        name: Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
        for name, field in kind.model_fields.items()
    }
    return {name: TypeAdapter(kind) for name, kind in kinds.items()}


def entry_id(reason: Reason, ref: str | None) -> str:
    """Return the id of an entry, the same for every attempt at it."""
    return reason.value if ref is None else f"{reason}:{ref}"


def today_of(wallet: Wallet, now: datetime) -> Today:
    """Return the counters that are in force: new ones after midnight UTC, never older ones when the clock goes back."""
    day, known = day_of(now), wallet.today
    if day <= known.day:
        return known
    return Today(day=day, again=known.photographed and known.day == day_of(now - timedelta(days=1)))


def empty_wallet(now: datetime) -> Wallet:
    """Return a wallet that nothing has been posted to."""
    return Wallet(balance=0, total_earned=0, total_spent=0, entry_count=0, created_at=now, updated_at=now)
