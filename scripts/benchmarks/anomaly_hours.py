"""In how many minutes a spike is noticed by the guard's look at the last hour, on real series of hours.

Each day of a year is looked at each quarter of an hour, with only the eight weeks before it known. A spike of three
times as much begins at a quarter that is drawn, on a day that has no alarm of its own, and lasts until the end of the
next; one that is not found by then counts as never. A quarter has a fourth of its hour, since the series have no finer.

By night there is little to notice: no alarm is wanted before a spike brings what half of a mean hour does. So spikes
that begin in an hour that usually has half of a mean hour are told apart, as `busy`.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from statistics import fmean
from typing import Any

from functions.core.insights.day_notes import DayNotes, NotedDay
from functions.core.insights.last_hour import LastHour, Span
from functions.core.insights.unusual import Metric, unusual
from functions.core.insights.usual import UsualDay, usual_day
from scripts.benchmarks.series import hourly_series

DAYS, MONTH_DAYS = 365, 30
TIMES = 3
QUARTER_MINUTES, HOUR_MINUTES = 15.0, 60
QUARTER, QUARTERS = timedelta(minutes=QUARTER_MINUTES), 96
AN_HOUR = 4
SEED = 1


@dataclass(frozen=True)
class Spike:
    """A spike: the `minutes` until its alarm, those that the day had left when it began, and whether that was in a busy
    hour."""

    minutes: float
    left: float
    busy: bool


@dataclass(frozen=True)
class Watched:
    """The spikes of a series, the days with an alarm of their own, and the days looked at."""

    spikes: Sequence[Spike]
    alarms: int
    looked: int


def minutes_to_alarm() -> dict[str, Any]:
    """Return the figures over all series, and of each. Raises SkippedError without the series."""
    dice = random.Random(SEED)  # noqa: S311  (when a spike begins)
    found = {name: watched_hours(days, dice) for name, days in hourly_series().items()}
    whole = Watched(
        [spike for each in found.values() for spike in each.spikes],
        sum(each.alarms for each in found.values()),
        sum(each.looked for each in found.values()),
    )
    of_each = {name: _figures(each) for name, each in found.items()}
    return {**{_of_all(name): n for name, n in _figures(whole).items()}, "hours": of_each}


def _of_all(name: str) -> str:
    return f"hours_{name}" if name.startswith("alarms") else name


def _figures(found: Watched) -> dict[str, Any]:
    spikes, busy = found.spikes, [each for each in found.spikes if each.busy]
    shares = {
        "found_within_60_minutes": fmean(each.minutes <= HOUR_MINUTES for each in spikes),
        "busy_found_within_60_minutes": fmean(each.minutes <= HOUR_MINUTES for each in busy),
        "found_by_midnight": fmean(each.minutes <= each.left for each in spikes),
        "alarms_per_30_days_untouched": MONTH_DAYS * found.alarms / found.looked,
    }
    return {
        "minutes_to_alarm_p50": _quantile(spikes, 50),
        "minutes_to_alarm_p95": _quantile(spikes, 95),
        "busy_minutes_to_alarm_p95": _quantile(busy, 95),
        **{name: round(n, 3) for name, n in shares.items()},
    }


def _quantile(spikes: Sequence[Spike], share: int) -> int | None:
    """Return within how many minutes this share of spikes was found, None if they were not."""
    ordered = sorted(each.minutes for each in spikes)
    minutes = ordered[math.ceil(share / 100 * len(ordered)) - 1]
    return None if minutes == math.inf else round(minutes)


def watched_hours(days: Mapping[date, tuple[float, ...]], dice: random.Random) -> Watched:
    """Return what a year of days shows."""
    noted = DayNotes(days={day.isoformat(): NotedDay(hours=hours, spent=hours) for day, hours in days.items()})
    spikes, alarms, looked = [], 0, 0
    for day, following in pairwise(list(days)[-DAYS - 1 :]):
        usual = usual_day(noted, day)
        if usual is None or following != day + timedelta(days=1):
            continue
        looked += 1
        quarters = _quarters(days[day])
        if _alarm(usual, day, quarters, AN_HOUR) is not None:
            alarms += 1
            continue
        begins = dice.randrange(AN_HOUR, QUARTERS - AN_HOUR)
        spiked = [each * (TIMES if place >= begins else 1) for place, each in enumerate(quarters)]
        ends = _alarm(usual, day, spiked, begins + 1)
        tomorrow = usual_day(noted, following) if ends is None else None
        if tomorrow is not None:
            later = _alarm(tomorrow, following, [TIMES * each for each in _quarters(days[following])], AN_HOUR)
            ends = None if later is None else QUARTERS + later
        busy = 2 * usual.demand[begins // AN_HOUR].expected >= fmean(each.expected for each in usual.demand)
        minutes = math.inf if ends is None else QUARTER_MINUTES * (ends - begins)
        spikes.append(Spike(minutes, QUARTER_MINUTES * (QUARTERS - begins), busy))
    return Watched(spikes, alarms, looked)


def _quarters(hours: Sequence[float]) -> list[float]:
    return [photos / AN_HOUR for photos in hours for _ in range(AN_HOUR)]


def _alarm(usual: UsualDay, day: date, quarters: Sequence[float], first: int) -> int | None:
    """Return after how many quarters of the day its first alarm comes, from `first` on."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)

    def span(ends: int) -> Span:
        photos = sum(quarters[ends - AN_HOUR : ends])
        return Span(midnight + (ends - AN_HOUR) * QUARTER, midnight + ends * QUARTER, photos, 0)

    for place in range(first, QUARTERS + 1):
        last, before = span(place), span(place - AN_HOUR) if place >= 2 * AN_HOUR else None
        seen = unusual(usual, LastHour(last.since, last.until, last.photos, {}, 0, 0, None, before), 0)
        if Metric.DEMAND in seen and seen[Metric.DEMAND].begins:
            return place
    return None
