"""What a new or changed hold changes on the shards of its day, in the commit that changes the hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from functions.core.budget.holds import Hold, NoRoom
from functions.core.budget.shards import Shard
from functions.core.rollouts.counts import Counts


@dataclass(frozen=True)
class SecondShare:
    """What of a booking is the second model's: micro-dollars of what is spent, and counters of the tally."""

    model: str
    micros: int = 0
    count: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Booking:
    """A change of one shard: by how much what is reserved, what is spent, and what is spent unheld, grow; and what its
    tally is to `count`, and its `rollouts`. What of the cost is not `model`'s is the `second`'s."""

    day: str
    shard: str
    lane: str
    model: str
    reserved: int
    spent: int
    excess: int = 0
    count: Mapping[str, int] = field(default_factory=dict)
    rollouts: Counts = field(default_factory=dict)
    second: SecondShare | None = None


def bookings(
    before: Hold | None,
    after: Hold | None,
    count: Mapping[str, int] | None = None,
    rollouts: Counts | None = None,
    second_count: Mapping[str, int] | None = None,
) -> tuple[Booking, ...]:
    """Return what a new or changed hold books on its shards. A cost is booked where it was held and never above that,
    so no settlement pushes a shard past its limit; the rest is excess, on the last of those shards. So is what this
    adds to the tally's `count`, and to `rollouts`, and what of cost and tally is the second leg's."""
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
        second = _second_share(before, after, second_count) if last else None
        if change or spent or excess or counted:
            found.append(Booking(hold.day, name, hold.lane, hold.model, change, spent, excess, counted, arms, second))
    return tuple(found)


def _second_share(before: Hold | None, after: Hold | None, count: Mapping[str, int] | None) -> SecondShare | None:
    """Return what of a change is the second leg's; None for nothing. A call's hold, which alone has one, is on one
    shard."""
    leg = after.second if after else None
    if leg is None:
        return None
    micros = leg.settled - (before.second.settled if before and before.second else 0)
    return SecondShare(leg.model, micros, dict(count or {})) if micros or count else None


def no_room(shards: Mapping[str, Shard | None], wanted: tuple[Booking, ...]) -> NoRoom | None:
    """Return why something cannot be held on these shards; None if there is room for all of it."""
    for booking in wanted:
        shard = shards.get(booking.shard)
        if shard is None:
            return NoRoom(booking.day, unopened=True)
        if booking.reserved > shard.room:
            return NoRoom(booking.day)
    return None
