"""What the last days would have been under another config, and what it means for a user.

A photo costs what one of its lane cost on that day, and the difference between what both configs are expected to cost.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from functions.core.budget.tally import total, wait_within
from functions.core.config.changes import differences
from functions.core.config.runtime import RuntimeConfig
from functions.core.insights.day_rows import asked_for
from functions.core.insights.projection import Assumptions, photo_costs, projection
from functions.core.insights.replay import Micros, Outcome, replayed
from functions.core.insights.usage_day import UsageDay
from functions.core.model.usage import ModelPrice
from functions.core.shared.lanes import Lane
from functions.core.shared.records import Record

DAYS_LEAST = 7
"""Days with photos before anything is said: a week has both kinds of days."""

PHOTO_SIZE = (4_000, 3_000)
"""Pixels of a telephone's photo. No document says the size; only whether it is above `images.sideMax` matters much."""

REPLAYED = frozenset({
    "tokens.instantPrice", "tokens.batchPrice", "images.sideMax", "instant.open", "budget.dailyLimitMicros",
    "budget.monthlyLimitMicros", "budget.batchOnlyPercent", "defaultRegion", "defaultLanguage",
})  # fmt: skip
"""Fields that the days show the effect of."""


class WhatIf(Record):
    """The days as they are set now and as changed, by day; the `figures` of `core.insights.projection` that differ, as
    `{name, unit, now, then, arithmetic}`, for users and photos as the days had them; and the changed fields whose
    effect is not in the days."""

    as_set: dict[str, Outcome]
    changed: dict[str, Outcome]
    figures: list[dict[str, Any]]
    not_in_days: list[str]


def enough(days: Mapping[str, UsageDay]) -> bool:
    """Whether so many days had photos that something can be said."""
    return sum(any(asked_for(usage, lane) for lane in Lane) for usage in days.values()) >= DAYS_LEAST


def what_if(
    days: Mapping[str, UsageDay], now: RuntimeConfig, then: RuntimeConfig, model: str, prices: Mapping[str, ModelPrice]
) -> WhatIf:
    """Return what complete days, oldest first, would have been under another config."""
    given = assumed(days, model, prices)
    expected, most = photo_costs(now, given)
    expected_then, most_then = photo_costs(then, given)
    costs, wait = _costs(days, expected), _median_wait(days) or timedelta(minutes=now.batch.expected_minutes)
    costs_then: dict[str, Micros] = {
        day: {lane: max(cost[lane] + expected_then[lane] - expected[lane], 0) for lane in Lane}
        for day, cost in costs.items()
    }
    pairs = zip(projection(now, given), projection(then, given), strict=True)
    changed = (each["field"] for each in differences(now.as_json(), then.as_json()))
    return WhatIf(
        as_set=replayed(days, now, costs, most, wait),
        changed=replayed(days, then, costs_then, most_then, wait),
        figures=[
            {"name": old.name, "unit": old.unit, "now": old.value, "then": new.value, "arithmetic": new.arithmetic}
            for old, new in pairs
            if old.value != new.value
        ],
        not_in_days=[field for field in changed if field not in REPLAYED],
    )


def assumed(days: Mapping[str, UsageDay], model: str, prices: Mapping[str, ModelPrice]) -> Assumptions:
    """Return what the days say of users and answers. The plans of users are in none of their documents: all count as
    free."""
    lanes = _by_lane(days.values())
    answers = sum(_ended(counters) for counters in lanes.values())
    output = sum(counters["output"] for counters in lanes.values())
    asked = {lane: sum(asked_for(usage, lane) for usage in days.values()) for lane in Lane}
    visits = {day: usage.rows.visits.get("all", 0) for day, usage in days.items() if usage.rows}
    theirs = sum(asked_for(days[day], lane) for day in visits for lane in Lane)
    return Assumptions(
        model=model,
        prices=prices,
        size=PHOTO_SIZE,
        answer_tokens=round(output / max(answers, 1)),
        users={"free": round(sum(visits.values()) / max(len(visits), 1))},
        photos_per_day=round(theirs / max(sum(visits.values()), 1), 2),
        instant_percent=round(100 * asked[Lane.INSTANT] / max(sum(asked.values()), 1)),
    )


def _costs(days: Mapping[str, UsageDay], expected: Micros) -> dict[str, Micros]:
    """Return what a photo cost by day and lane: on a day without one, as on the others; without any, as expected."""
    lanes = _by_lane(days.values())
    mean = {lane: _cost(lanes[lane], expected[lane]) for lane in Lane}
    own = {day: _by_lane([usage]) for day, usage in days.items()}
    return {day: {lane: _cost(found[lane], mean[lane]) for lane in Lane} for day, found in own.items()}


def _median_wait(days: Mapping[str, UsageDay]) -> timedelta | None:
    seconds = wait_within(_by_lane(days.values())[Lane.BATCH], 0.5)
    return None if seconds is None else timedelta(seconds=seconds)


def _by_lane(days: Iterable[UsageDay]) -> dict[str, Counter[str]]:
    """Return the days' counters by lane, over all models."""
    tally = total(slot.tally for usage in days for slot in usage.slots)
    return {lane: sum((Counter(each) for each in tally.get(lane, {}).values()), Counter[str]()) for lane in Lane}


def _ended(counters: Mapping[str, int]) -> int:
    return sum(n for name, n in counters.items() if name == "done" or name.startswith("failed:"))


def _cost(counters: Mapping[str, int], unknown: int) -> int:
    """Return what a photo cost on the mean, failed attempts included; what is given if none has ended."""
    ended = _ended(counters)
    return round(counters.get("micros", 0) / ended) if ended else unknown
