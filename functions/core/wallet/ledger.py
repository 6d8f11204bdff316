"""Tokens as they are stored: the ledger's entries are the truth, the wallet's balance is their cached sum.

`core.wallet.accounts` posts entries.
"""

from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, Field, TypeAdapter

from functions.core.config.plans import Plan
from functions.core.shared.records import Kept, Open
from functions.core.shared.utc_days import day_of

COUNT_MAX = 10**15
"""More tokens, points, calls or micro-dollars than anybody ever has: a number beyond is damage, and the store could not
keep what is added to it."""

Count = Annotated[int, Field(ge=0, le=COUNT_MAX)]
Change = Annotated[int, Field(ge=-COUNT_MAX, le=COUNT_MAX)]


def _period(text: str) -> str:
    date.fromisoformat(text if len(text) > len("2026-11") else f"{text}-01")
    return text


Day = Annotated[str, AfterValidator(_period)]
"""A UTC day, as in `2026-11-21`, or a month, as in `2026-11`."""


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
    GRANT = "grant"


SPENDING = frozenset({Reason.CHARGE, Reason.UPGRADE, Reason.REFUND})
"""Entries that count as spent, or as spending taken back; all others are earned, those of a reason that only a newer
release knows too: the balance, which is the sum of all, is right either way."""


class LedgerEntry(Kept):
    """One change of a balance, in tokens. Never edited: what was wrong is answered by a further entry.

    `seq` numbers a wallet's entries from 1 without a gap: it is their order where times are equal, and the cursor of
    pages. `points` is the change of the points, `detail` what the entry's key is bound to.
    """

    entry_id: str
    seq: int = Field(ge=1, le=COUNT_MAX)
    delta: Change
    points: Change = 0
    reason: Open[Reason]
    ref: str | None
    detail: dict[str, Any] | None = None
    balance_after: Count
    ts: AwareDatetime


class Today(Kept):
    """What a user has done on one UTC day, for the daily limits. `converted` counts tokens, the
    others calls, `cancelled` photos that were given back, `failed` those that cost the operator something and came to
    nothing for what they show; `held_micros` is the most that today's photos can cost the
    operator."""

    day: Day = "1970-01-01"
    instant: Count = 0
    batch: Count = 0
    manual: Count = 0
    converted: Count = 0
    cancelled: Count = 0
    failed: Count = 0
    held_micros: Count = 0


class Wallet(Kept):
    """A user's tokens. `balance` equals the sum of all entries, and `total_earned - total_spent`.

    `points` is the lifetime's, shown on the leaderboard; what can still be converted is `points - converted_points`.
    Plan and push tokens are kept here, so that a charge knows them at no further read;
    `core.refresh.refresh` tells what `refresh` and `contact_at` are for. `blocked_at` is since when an operator takes
    no photos from the user.
    """

    balance: Count
    total_earned: Count
    total_spent: Count
    entry_count: Count
    points: Change = 0
    converted_points: Count = 0
    scans: Count = 0
    plan: str = Plan.FREE
    streak_days: Count = 0
    bonus_day: Day = "1970-01-01"
    today: Today = Today()
    push_tokens: tuple[str, ...] = ()
    rate_minute: int = 0
    rate_count: Count = 0
    contact_at: AwareDatetime | None = None
    next_refresh_at: AwareDatetime | None = None
    refresh_shard: int | None = None
    refreshed_period: Day | Literal[""] = ""
    blocked_at: AwareDatetime | None = None
    refresh_failures: Count = 0
    recent: tuple[LedgerEntry, ...] = ()
    created_at: AwareDatetime
    updated_at: AwareDatetime

    def with_fields(self, **changes: Any) -> "Wallet":
        """Return the wallet with other values of these fields. A name that is none would be stored as a newer
        release's, and a copy checks no value: both are defects, and end here.

        Raises:
            TypeError: there is no such field.
            ValidationError: a value that the field cannot have.
        """
        fields = _fields()
        if unknown := changes.keys() - fields.keys():
            raise TypeError(f"a wallet has no {', '.join(sorted(unknown))}")
        return self.model_copy(update={name: fields[name].validate_python(new) for name, new in changes.items()})


@cache
def _fields() -> dict[str, TypeAdapter[Any]]:
    """Return what checks a value of each field of a wallet."""
    kinds: dict[str, Any] = {
        name: Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
        for name, field in Wallet.model_fields.items()
    }
    return {name: TypeAdapter(kind) for name, kind in kinds.items()}


def entry_id(reason: Reason, ref: str | None) -> str:
    """Return the id of an entry, the same for every attempt at it."""
    return reason.value if ref is None else f"{reason}:{ref}"


def today_of(wallet: Wallet, now: datetime) -> Today:
    """Return the counters that are in force: new ones after midnight UTC, never older ones when the clock goes back."""
    day = day_of(now)
    return Today(day=day) if day > wallet.today.day else wallet.today


def empty_wallet(now: datetime) -> Wallet:
    """Return a wallet that nothing has been posted to."""
    return Wallet(balance=0, total_earned=0, total_spent=0, entry_count=0, created_at=now, updated_at=now)
