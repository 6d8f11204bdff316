"""What is usual for a day: its hours, by the same weekday's of eight weeks, and how far hours are off that.

Usual is a median. An hour's error is against the other days of its weekday, so that what is usual is known from three
weeks on.
"""

import math
from collections.abc import Mapping
from datetime import date, timedelta
from statistics import median

from pydantic import Field

from functions.core.insights.day_notes import DAY_HOURS, HOURS_DAYS, DayNotes
from functions.core.insights.deviations import MAD_TO_SD, SPREAD_MIN, log_error
from functions.core.insights.methods import WEEK
from functions.core.shared.records import Record

USUAL_DAYS_MIN = 3 * WEEK
"""Three of each weekday: two others tell what is usual for each."""


class Usual(Record):
    """What is usual: `expected`, and how far it is missed on the logarithmic scale, `middle` and `spread`."""

    expected: float
    middle: float = 0.0
    spread: float = SPREAD_MIN


class UsualDay(Record):
    """What a day's hours usually bring, 24 of `demand` and of `spend`, the share of calls that fail, the seconds of a
    batch photo's wait; and the photos and cost by lane and model of a usual day."""

    demand: tuple[Usual, ...]
    spend: tuple[Usual, ...]
    failures: Usual
    wait: Usual | None
    parts: dict[str, tuple[float, float]] = Field(default_factory=dict)


def usual_day(notes: DayNotes, today: date) -> UsualDay | None:
    """Return what today usually brings, None before three weeks are known."""
    days = [
        (day, noted)
        for back in range(1, HOURS_DAYS + 1)
        if (noted := notes.days.get((day := today - timedelta(days=back)).isoformat()))
        and len(noted.hours) == len(noted.spent) == DAY_HOURS
    ]
    if len(days) < USUAL_DAYS_MIN:
        return None
    rates = [(each.failed + 1) / (sum(each.ended.values()) + 2) for _, each in days]
    waits = [each.wait for _, each in days if each.wait is not None]
    count = len(days)
    parts = {
        name: tuple(sum(each.parts.get(name, (0, 0))[place] for _, each in days) / count for place in range(2))
        for name in {name for _, each in days for name in each.parts}
    }
    return UsualDay(
        demand=_usual_hours({day: each.hours for day, each in days}, today),
        spend=_usual_hours({day: each.spent for day, each in days}, today),
        failures=_usual(median(rates), [math.log(rate / median(rates)) for rate in rates]),
        wait=_usual(median(waits), [log_error(each, median(waits)) for each in waits]) if waits else None,
        parts={name: (photos, micros) for name, (photos, micros) in parts.items()},
    )


def _usual_hours(days: Mapping[date, tuple[float, ...]], today: date) -> tuple[Usual, ...]:
    """Return each hour's usual. A day's error is against the other days of its weekday."""
    weekdays = [{day: hours for day, hours in days.items() if day.weekday() == n} for n in range(WEEK)]

    def expected(weekday: int, hour: int, but: date | None = None) -> float | None:
        values = [hours[hour] for day, hours in weekdays[weekday].items() if day != but]
        return median(values) if values else None

    found = []
    for hour in range(DAY_HOURS):
        errors = [
            log_error(hours[hour], others)
            for day, hours in days.items()
            if (others := expected(day.weekday(), hour, day)) is not None
        ]
        found.append(_usual(expected(today.weekday(), hour) or 0.0, errors))
    return tuple(found)


def _usual(expected: float, errors: list[float]) -> Usual:
    middle = median(errors)
    spread = MAD_TO_SD * median(abs(each - middle) for each in errors)
    return Usual(expected=round(expected, 4), middle=round(middle, 4), spread=round(max(spread, SPREAD_MIN), 4))
