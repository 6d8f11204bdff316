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
from functions.core.shared.errors import BudgetExhausted
from functions.core.shared.records import Kept
from functions.core.shared.utc_days import iso_text
from functions.core.wallet.quotas import ActualSpend


class Mode(StrEnum):
    """What may still be spent today."""

    NORMAL = "normal"
    BATCH_ONLY = "batch_only"
    CLOSED = "closed"


class SecondLeg(Kept):
    """What is held for the model that is asked if the first one fails: the most that it can cost, `percent` of its
    estimate, and what it came to. Money is integer micro-dollars."""

    model: str
    micros: int = Field(ge=0)
    percent: int = Field(default=100, ge=100)
    settled: int = Field(default=0, ge=0)


class Hold(Kept):
    """The hold of one instant call or one batch. Money is integer micro-dollars.

    `parts` is what is held on each shard of the day, `micros` their sum, `settled` the actual spend. The day is the one
    of the hold, also if the call ends on the next. `line_micros` is the most for one answer of `model`: `percent` of
    its estimate, above 100 once an answer has exceeded its hold. A call that may be asked of a `second` model holds for
    both, since the first may bill for an answer that never came; `settled` is the sum.
    """

    day: str
    lane: str
    model: str
    parts: dict[str, int]
    micros: int = Field(ge=0)
    settled: int = Field(default=0, ge=0)
    line_micros: int = Field(ge=0)
    percent: int = Field(default=100, ge=100)
    second: SecondLeg | None = None

    @property
    def alone(self) -> "Hold":
        """Return it without its second leg, before it is held."""
        parts = dict.fromkeys(self.parts, self.line_micros)
        return self.model_copy(update={"micros": self.line_micros, "parts": parts, "second": None})


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


def call_hold(
    day: str, shard: str, model: str, micros: int, percent: int = 100, second: SecondLeg | None = None
) -> Hold:
    """Return the hold of an instant call, on this shard: for both legs."""
    both = micros + (second.micros if second else 0)
    hold = Hold(day=day, lane="instant", model=model, parts={shard: both}, micros=both, line_micros=micros)
    return hold.model_copy(update={"percent": percent, "second": second})


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


def settled(hold: Hold, cost_micros: int, second_micros: int = 0) -> Hold:
    """Return a hold that has ended, with what it came to, and how much of that the second leg."""
    second = hold.second
    if second is not None:
        second = second.model_copy(update={"settled": second.settled + second_micros})
    changes = {"parts": {}, "micros": 0, "settled": hold.settled + cost_micros, "second": second}
    return hold.model_copy(update=changes)


def trimmed(hold: Hold, lines: int) -> Hold:
    """Return the hold of a batch that has fewer lines than were held for."""
    surplus, parts = max(hold.micros - lines * hold.line_micros, 0), dict(hold.parts)
    kept = hold.micros - surplus
    for name in hold.parts:
        parts[name] -= min(surplus, parts[name])
        surplus -= hold.parts[name] - parts[name]
    return hold.model_copy(update={"parts": {name: part for name, part in parts.items() if part}, "micros": kept})


def settling(hold: Hold | None, fields: Mapping[str, Any], cost_before: int) -> Mapping[str, Any]:
    """Return the fields that end a job with its hold settled: what the job cost is what it costs now beyond before, and
    how much of that each leg, if more than one was `tried`."""
    if hold is None or not hold.micros or fields.get("completedAt") is None:
        return fields
    cost = fields.get("costMicros", cost_before) - cost_before
    second = hold.second.model if hold.second else None
    of_second = sum(leg["micros"] for leg in fields.get("tried", ()) if leg["model"] == second)
    return {**fields, "hold": settled(hold, cost, of_second).model_dump(by_alias=True)}


def exhausted(reopens_at: datetime) -> BudgetExhausted:
    """Return the error for a call that the budget has no room for."""
    at = iso_text(reopens_at)
    return BudgetExhausted(f"Today's AI budget is used up. Instant classification reopens at {at}.", resetsAt=at)
