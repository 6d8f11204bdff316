"""In how many minutes a spike is noticed by the guard's look at the last hour, on real series of hours.

Each day of a year is looked at each quarter of an hour, with only the eight weeks before it known. A spike of three
times as much begins at a quarter that is drawn, on a day that has no alarm of its own; one that is not found before
midnight counts as never. A quarter has a fourth of its hour, since the series have no finer.
"""

import math
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from functions.core.insights.day_notes import DayNotes, NotedDay
from functions.core.insights.unusual import LastHour, Metric, unusual
from functions.core.insights.usual import UsualDay, usual_day
from scripts.benchmarks.series import hourly_series

DAYS, MONTH_DAYS = 365, 30
TIMES = 3
QUARTER, QUARTERS = timedelta(minutes=15), 96
AN_HOUR = 4
SEED = 1


def minutes_to_alarm() -> dict[str, Any]:
    """Return the figures over all series, and of each. Raises SkippedError without the series."""
    dice = random.Random(SEED)  # noqa: S311  (when a spike begins)
    found = {name: watched_hours(days, dice) for name, days in hourly_series().items()}
    return {
        **_figures([each for minutes, _, _ in found.values() for each in minutes]),
        "hours_alarms_per_30_days_untouched": _a_month(list(found.values())),
        "hours": {
            name: {**_figures(of[0]), "alarms_per_30_days_untouched": _a_month([of])} for name, of in found.items()
        },
    }


def _figures(minutes: Sequence[float]) -> dict[str, Any]:
    ordered = sorted(minutes)
    quantiles = {f"minutes_to_alarm_p{share}": ordered[math.ceil(share / 100 * len(ordered)) - 1] for share in (50, 95)}
    shown = {name: None if each == math.inf else round(each) for name, each in quantiles.items()}
    return {**shown, "found_by_midnight": round(sum(each < math.inf for each in ordered) / len(ordered), 3)}


def _a_month(found: Sequence[tuple[list[float], int, int]]) -> float:
    return round(MONTH_DAYS * sum(alarms for _, alarms, _ in found) / sum(days for _, _, days in found), 2)


def watched_hours(days: Mapping[date, tuple[float, ...]], dice: random.Random) -> tuple[list[float], int, int]:
    """Return the minutes to each spike's alarm, the days with an alarm of their own, and the days looked at."""
    noted = {day.isoformat(): NotedDay(hours=hours, spent=hours) for day, hours in days.items()}
    minutes, alarms, looked = [], 0, 0
    for day in list(days)[-DAYS:]:
        usual = usual_day(DayNotes(days=noted), day)
        if usual is None:
            continue
        looked += 1
        quarters = [photos / AN_HOUR for photos in days[day] for _ in range(AN_HOUR)]
        if _alarm(usual, day, quarters, AN_HOUR) is not None:
            alarms += 1
            continue
        begins = dice.randrange(AN_HOUR, QUARTERS - AN_HOUR)
        spiked = [each * (TIMES if place >= begins else 1) for place, each in enumerate(quarters)]
        ends = _alarm(usual, day, spiked, begins + 1)
        minutes.append(math.inf if ends is None else 15.0 * (ends - begins))
    return minutes, alarms, looked


def _alarm(usual: UsualDay, day: date, quarters: Sequence[float], first: int) -> int | None:
    """Return after how many quarters of the day its first alarm comes, from `first` on."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    for place in range(first, QUARTERS + 1):
        until, photos = midnight + place * QUARTER, sum(quarters[place - AN_HOUR : place])
        seen = unusual(usual, LastHour(until - AN_HOUR * QUARTER, until, photos, {}, 0, 0, None))
        if Metric.DEMAND in seen and seen[Metric.DEMAND].begins:
            return place
    return None
