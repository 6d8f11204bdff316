"""Money before it is spent: holds on calls and batches are the truth, the shards of a day are their cached sum.

    hold      before the provider is called: the most that it can cost, if the shard has room for it
    settle    with what it did cost; what was held beyond that is free again
    release   a settlement at nothing, for a call that was never made

A shard is changed in the commit that changes the hold, so the two never differ, whoever dies where. Each shard
keeps to a limit of its own and the limits of a day's shards add up to the day's: nothing has to be added up to
know that there is room, and no number of racing calls can pass the sum.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from functions.core.budget.shards import Shard
from functions.core.rollouts.arms import Arms
from functions.core.rollouts.counts import Counts
from functions.core.shared.errors import BudgetExhausted
from functions.core.shared.records import Kept
from functions.core.shared.utc_days import iso_text
from functions.core.wallet.quotas import ActualSpend


class Mode(StrEnum):
    """What may still be spent today."""

    NORMAL = "normal"
    BATCH_ONLY = "batch_only"
    CLOSED = "closed"


class Hold(Kept):
    """The hold of one instant call or one batch. Money is integer micro-dollars.

    `parts` is what is held on each shard of the day, `micros` their sum, `settled` the actual spend. The day is the one
    of the hold, also if the call ends on the next. `line_micros` is the most for one answer: `percent` of its estimate,
    above 100 once an answer has exceeded its hold.
    """

    day: str
    lane: str
    model: str
    parts: dict[str, int]
    micros: int = Field(ge=0)
    settled: int = Field(default=0, ge=0)
    line_micros: int = Field(ge=0)
    percent: int = Field(default=100, ge=100)


@dataclass(frozen=True)
class Booking:
    """A change of one shard: by how much what is reserved, what is spent, and what is spent unheld, grow; and what its
    tally is to `count`, and its `rollouts`."""

    day: str
    shard: str
    lane: str
    model: str
    reserved: int
    spent: int
    excess: int = 0
    count: Mapping[str, int] = field(default_factory=dict)
    rollouts: Counts = field(default_factory=dict)


@dataclass(frozen=True)
class NoRoom:
    """This shard has no room for a hold; another may have. `unopened`: the day has no shards yet, and the first caller
    opens it."""

    day: str
    unopened: bool = False


@dataclass(frozen=True)
class CostCeiling:
    """What covers each photo of a call: its highest cost in micro-dollars, an instant one's hold with the arms that
    chose its model, the user's actual spend of the day if known; and how often a shard was tried, and the spend added
    up."""

    micros: int
    hold: Hold | None = None
    recount: ActualSpend | None = None
    shards_tried: int = 1
    recounts: int = 0
    arms: Arms = field(default_factory=dict)


def call_hold(day: str, shard: str, model: str, micros: int, percent: int = 100) -> Hold:
    """Return the hold of an instant call, on this shard."""
    parts = {shard: micros}
    hold = Hold(day=day, lane="instant", model=model, parts=parts, micros=micros, line_micros=micros)
    return hold.model_copy(update={"percent": percent})


def batch_hold(day: str, model: str, line_micros: int, lines: int, shards: Mapping[str, Shard]) -> tuple[Hold, int]:
    """Return a batch's hold, and how many of its lines it covers. It takes from the shards with most room first: mostly
    from one, which is one write, and evenly in the long run."""
    total = sum(shard.room for shard in shards.values())
    affordable = min(lines, total // line_micros if line_micros else lines)
    missing, parts = affordable * line_micros, {}
    for name in sorted(shards, key=lambda each: (-shards[each].room, each)):
        part = min(shards[name].room, missing)
        missing -= part
        if part:
            parts[name] = part
    hold = Hold(
        day=day, lane="batch", model=model, parts=parts, micros=affordable * line_micros, line_micros=line_micros
    )
    return hold, affordable


def settled(hold: Hold, cost_micros: int) -> Hold:
    """Return a hold that has ended, with what it came to."""
    return hold.model_copy(update={"parts": {}, "micros": 0, "settled": hold.settled + cost_micros})


def trimmed(hold: Hold, lines: int) -> Hold:
    """Return the hold of a batch that has fewer lines than were held for."""
    surplus, parts = max(hold.micros - lines * hold.line_micros, 0), dict(hold.parts)
    kept = hold.micros - surplus
    for name in hold.parts:
        parts[name] -= min(surplus, parts[name])
        surplus -= hold.parts[name] - parts[name]
    return hold.model_copy(update={"parts": {name: part for name, part in parts.items() if part}, "micros": kept})


def bookings(
    before: Hold | None, after: Hold | None, count: Mapping[str, int] | None = None, rollouts: Counts | None = None
) -> tuple[Booking, ...]:
    """Return what a new or changed hold books on its shards. A cost is booked where it was held and never above that,
    so no settlement pushes a shard past its limit; the rest is excess, on the last of those shards. So is what this
    adds to the tally's `count`, and to `rollouts`."""
    hold = after or before
    if hold is None or before == after:
        return ()
    held, kept = before.parts if before else {}, after.parts if after else {}
    cost = (after.settled if after else 0) - (before.settled if before else 0)
    names, found = sorted({*held, *kept}), []
    for name in names:
        change = kept.get(name, 0) - held.get(name, 0)
        spent = min(cost, held.get(name, 0))
        cost -= spent
        last = name == names[-1]
        excess, counted, arms = (cost, dict(count or {}), rollouts or {}) if last else (0, {}, {})
        if change or spent or excess or counted:
            found.append(Booking(hold.day, name, hold.lane, hold.model, change, spent, excess, counted, arms))
    return tuple(found)


def no_room(shards: Mapping[str, Shard | None], wanted: tuple[Booking, ...]) -> NoRoom | None:
    """Return why something cannot be held on these shards; None if there is room for all of it."""
    for booking in wanted:
        shard = shards.get(booking.shard)
        if shard is None:
            return NoRoom(booking.day, unopened=True)
        if booking.reserved > shard.room:
            return NoRoom(booking.day)
    return None


def settling(hold: Hold | None, fields: Mapping[str, Any], cost_before: int) -> Mapping[str, Any]:
    """Return the fields that end a job with its hold settled: what the job cost is what it costs now beyond before."""
    if hold is None or not hold.micros or fields.get("completedAt") is None:
        return fields
    cost = fields.get("costMicros", cost_before) - cost_before
    return {**fields, "hold": settled(hold, cost).model_dump(by_alias=True)}


def exhausted(reopens_at: datetime) -> BudgetExhausted:
    """Return the error for a call that the budget has no room for."""
    at = iso_text(reopens_at)
    return BudgetExhausted(f"Today's AI budget is used up. Instant classification reopens at {at}.", resetsAt=at)
