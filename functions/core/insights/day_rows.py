"""The last days as operators read them: a row for each that is over and that the guard has noted to its end."""

from collections.abc import Mapping
from datetime import date, timedelta

from functions.core.budget.tally import total
from functions.core.insights.usage_day import VISIT_AGES, PlanRows, UsageDay
from functions.core.shared.lanes import Lane
from functions.core.shared.records import Record
from functions.core.shared.utc_days import day_bounds

DAYS = 28
"""Days that are shown, up to yesterday: four of each weekday."""

COHORT_DAYS = max(VISIT_AGES)
"""Days before these whose new users may have come back on them."""


class DayRow(Record):
    """A UTC day: photos `asked` for by lane, the AI's cost in micro-dollars, the ledger's `tokens` by reason, and users
    with a photo: `all`, and by the age of their wallet in days, as `visits`. `cohorts` has, by the same ages, how many
    were new so many days before; an age is missing where that day was not counted. `plans` has users by their plan."""

    day: str
    asked: dict[str, int]
    micros: int
    tokens: dict[str, int]
    visits: dict[str, int]
    cohorts: dict[str, int]
    plans: dict[str, PlanRows]


def complete(days: Mapping[str, UsageDay]) -> dict[str, UsageDay]:
    """Return the days that were noted to their end, oldest first."""
    return {
        day: usage for day, usage in sorted(days.items()) if usage.slots and usage.slots[-1].until >= day_bounds(day)[1]
    }


def day_rows(days: Mapping[str, UsageDay], earlier: Mapping[str, UsageDay]) -> list[DayRow]:
    """Return the rows of complete days; of `earlier` ones only the new users count."""
    new = {day: usage.rows.visits.get("0", 0) for day, usage in {**earlier, **days}.items() if usage.rows}
    return [_row(day, usage, new) for day, usage in days.items()]


def _row(day: str, usage: UsageDay, new: Mapping[str, int]) -> DayRow:
    before = {str(age): (date.fromisoformat(day) - timedelta(days=age)).isoformat() for age in VISIT_AGES if age}
    tally = total(slot.tally for slot in usage.slots)
    return DayRow(
        day=day,
        asked={lane: asked_for(usage, lane) for lane in Lane},
        micros=sum(counters.get("micros", 0) for models in tally.values() for counters in models.values()),
        tokens=usage.rows.tokens if usage.rows else {},
        visits=usage.rows.visits if usage.rows else {},
        plans=usage.rows.plans if usage.rows else {},
        cohorts={age: new[earlier] for age, earlier in before.items() if earlier in new},
    )


def asked_for(usage: UsageDay, lane: Lane) -> int:
    """Return how many photos of a day were asked for in a lane."""
    return sum(slot.arrivals.get(lane, 0) for slot in usage.slots)
