"""What is usual for a day: its hours, by the same weekday's of eight weeks, and how far hours are off that.

Usual is a median. An hour's error is against the other days of its weekday, so that what is usual is known from three
weeks on. How far an hour is off is taken from the hours on both sides of it, too: of one hour there are few days.

Errors stay: in an hour of rain there are fewer photos, and in the next one. So an hour is also known by the one before
it, and better: of rides and taxis by half the error.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from statistics import median

from pydantic import Field

from functions.core.insights.day_notes import DAY_HOURS, HOURS_DAYS, DayNotes
from functions.core.insights.deviations import SPREAD_MIN, log_error, middle_and_spread
from functions.core.insights.methods import WEEK
from functions.core.shared.records import Record

USUAL_DAYS_MIN = 3 * WEEK
"""Three of each weekday: two others tell what is usual for each."""
STEP_SPREADS = 4
"""Errors beyond so many spreads count as so large when it is asked how much of one stays."""


class Errors(Record):
    """How far something is usually off, on the logarithmic scale: the `middle` of its errors, and their `spread`."""

    middle: float = 0.0
    spread: float = SPREAD_MIN


class Usual(Errors):
    """What is usual: `expected`, and how far that is off."""

    expected: float


class Steps(Record):
    """From an hour to the next: the share of an hour's error that `stays`, and how far the next is `off` that, for each
    hour of the day to which a step leads."""

    stays: float
    off: tuple[Errors, ...]


class UsualDay(Record):
    """What a day's hours usually bring, 24 of `demand` and of `spend`, and the steps between them; the share of calls
    that fail, the seconds of a batch photo's wait; and the photos and cost by lane and model of a usual day."""

    demand: tuple[Usual, ...]
    spend: tuple[Usual, ...]
    demand_steps: Steps | None = None
    spend_steps: Steps | None = None
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
    demand, demand_steps = _usual_hours({day: each.hours for day, each in days}, today)
    spend, spend_steps = _usual_hours({day: each.spent for day, each in days}, today)
    return UsualDay(
        demand=demand,
        spend=spend,
        demand_steps=demand_steps,
        spend_steps=spend_steps,
        failures=_usual(median(rates), [math.log(rate / median(rates)) for rate in rates]),
        wait=_usual(median(waits), [log_error(each, median(waits)) for each in waits]) if waits else None,
        parts={name: (photos, micros) for name, (photos, micros) in parts.items()},
    )


def _usual_hours(days: Mapping[date, tuple[float, ...]], today: date) -> tuple[tuple[Usual, ...], Steps]:
    """Return each hour's usual, and the steps between hours. A day's error is against the other days of its weekday."""
    weekdays = [{day: hours for day, hours in days.items() if day.weekday() == n} for n in range(WEEK)]

    def expected(weekday: int, hour: int, but: date | None = None) -> float:
        values = [hours[hour] for day, hours in weekdays[weekday].items() if day != but]
        return median(values) if values else 0.0

    errors = [
        [log_error(hours[hour], expected(day.weekday(), hour, day)) for hour in range(DAY_HOURS)]
        for day, hours in days.items()
        if len(weekdays[day.weekday()]) > 1
    ]
    hours = tuple(
        _usual(expected(today.weekday(), hour), [each[n] for each in errors for n in _around(hour, 0)])
        for hour in range(DAY_HOURS)
    )
    return hours, _steps(errors)


def _steps(errors: Sequence[Sequence[float]]) -> Steps:
    """Return the steps between the hours of days, each with 24 errors."""
    _, spread = middle_and_spread([error for each in errors for error in each])
    most = STEP_SPREADS * spread
    cut = [[max(min(error, most), -most) for error in each] for each in errors]
    squares = sum(error * error for each in cut for error in each[:-1])
    products = sum(before * after for each in cut for before, after in pairwise(each))
    stays = round(min(max(products / squares, 0), 1), 4) if squares else 0.0
    return Steps(
        stays=stays,
        off=tuple(
            _errors([each[n] - stays * each[n - 1] for each in errors for n in _around(hour, 1)])
            for hour in range(DAY_HOURS)
        ),
    )


def _around(hour: int, first: int) -> range:
    """Return an hour and the two beside it, of those of a day from the `first` on."""
    return range(max(hour - 1, first), min(hour + 2, DAY_HOURS))


def _usual(expected: float, errors: Sequence[float]) -> Usual:
    return Usual(expected=round(expected, 4), **_errors(errors).model_dump())


def _errors(errors: Sequence[float]) -> Errors:
    middle, spread = middle_and_spread(errors)
    return Errors(middle=round(middle, 4), spread=round(spread, 4))
