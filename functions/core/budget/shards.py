"""The parts of a day's budget: how many there are, what each may still take, and how money is spread over them.

Calls write to shards so that they do not wait for each other. What is left of a day is on all of them alike, so whoever
looks for room reads a few, beginning anywhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import Field

from functions.core.budget.tally import Tally
from functions.core.rollouts.counts import Counts
from functions.core.shared.records import Kept

SHARDS_MIN, SHARDS_MAX = 8, 512
"""Of a day. A shard takes about half a call a second for long: Firestore recommends one sustained write a second and
document, and a call writes twice. A day whose record names no number has eight: releases before this one made those."""

CALLS_A_SHARD = 2_000
"""What a shard should have room for: the remainder that is too small for a call is then nothing."""

LOOK = 8
"""Shards that are read at once, by whoever looks for room."""

CALL_LOOKS = 2
"""Of a call that found its shard full. See docs/budget.md, "Shards", for what that leaves unused."""

BATCH_LOOKS = 4
"""Of a batch, before it takes what it has found. A shard's room is for more lines than most batches have."""


class Shard(Kept):
    """A part of a day's budget. Stored in `budget/{day}/shards/{n}`; `costs` by lane and model for the day's report,
    `tally` what the calls came to beside: see `core.budget.tally`; `rollouts` what each flag's arms did:
    `core.rollouts.counts`.

    One shard's `reserved` and `spent` may be negative after a repair on another: their sums count. `excess` is cost
    beyond its hold, until the guard finds room for it.
    """

    limit: int = Field(default=0, ge=0)
    reserved: int = 0
    spent: int = 0
    excess: int = 0
    costs: dict[str, dict[str, int]] = Field(default_factory=dict)
    tally: Tally = Field(default_factory=dict)
    rollouts: Counts = Field(default_factory=dict)

    @property
    def used(self) -> int:
        """Return what is spoken for."""
        return self.reserved + self.spent + self.excess

    @property
    def room(self) -> int:
        """Return what can still be held."""
        return max(self.limit - self.used, 0)


@dataclass(frozen=True)
class Drift:
    """By how much the truth is above the shards' sum, in micro-dollars."""

    reserved: int = 0
    spent: int = 0


def shards_for(limit_micros: int, call_micros: int) -> int:
    """Return how many shards a day with this limit gets: more money means more calls, and these write to more
    documents. `call_micros` is the most that a call holds."""
    return min(max(limit_micros // max(CALLS_A_SHARD * call_micros, 1), SHARDS_MIN), SHARDS_MAX)


def shard_names(first: int, shards: int, count: int) -> list[str]:
    """Return the names of so many of a day's `shards`, or of all if there are fewer; `first` is a number of any
    size."""
    return [str((first + step) % shards) for step in range(min(count, shards))]


def absorbed(shards: Mapping[str, Shard], limit: int) -> dict[str, Shard]:
    """Book as spent what was spent unheld, as far as the day has room: reserved and spent never pass its limit."""
    left = max(limit - sum(shard.reserved + shard.spent for shard in shards.values()), 0)
    after = {}
    for name, shard in shards.items():
        part = min(shard.excess, left)
        left -= part
        after[name] = shard.model_copy(update={"spent": shard.spent + part, "excess": shard.excess - part})
    return after


def limited(shards: Mapping[str, Shard], limit: int) -> dict[str, Shard]:
    """Give each shard its limit: what it uses, and an equal part of what is left. Past the day's limit that is nothing:
    what is released must not be held again. Limits that leave the day's room, and no shard less than half of its part,
    stay as they are."""
    left = limit - sum(shard.used for shard in shards.values())
    rooms = [shard.room for shard in shards.values()]
    if 0 <= left - sum(rooms) < len(shards) and 2 * min(rooms) >= left // len(shards):
        return dict(shards)
    part = left // len(shards)
    return {
        name: shard.model_copy(update={"limit": shard.used + part if left >= 0 else 0})
        for name, shard in shards.items()
    }


def levelled(shards: Mapping[str, Shard]) -> dict[str, Shard]:
    """Move what is reserved and spent from one shard to another until none has less than nothing, as one may after a
    repair on another: no limit is negative, so it would have more room than its part."""
    after = dict(shards)
    for field in ("reserved", "spent"):
        owed = sum(max(-getattr(shard, field), 0) for shard in shards.values())
        for name, shard in after.items() if owed else ():
            part = min(getattr(shard, field), owed)
            owed -= max(part, 0)
            after[name] = shard.model_copy(update={field: getattr(shard, field) - part})
    return after


def repaired(shards: Mapping[str, Shard], drift: Drift) -> dict[str, Shard]:
    """Book a drift where there is most room, so that no shard is pushed past its limit as long as one has room."""
    name = max(shards, key=lambda each: (shards[each].room, each))
    shard = shards[name]
    truth = {"reserved": shard.reserved + drift.reserved, "spent": shard.spent + drift.spent}
    return {**shards, name: shard.model_copy(update=truth)}


def total_costs(shards: Iterable[Shard]) -> dict[str, dict[str, int]]:
    """Add up costs, by lane and model."""
    total: dict[str, dict[str, int]] = {}
    for shard in shards:
        for lane, models in shard.costs.items():
            for model, micros in models.items():
                by_model = total.setdefault(lane, {})
                by_model[model] = by_model.get(model, 0) + micros
    return total
