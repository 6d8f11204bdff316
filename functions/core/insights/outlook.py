"""What a forecast means: for the bill under its limits, and for the hours, weekdays and months that are busier."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import accumulate
from statistics import fmean, median

from functions.core.insights.day_notes import DAY_HOURS
from functions.core.insights.forecast import History
from functions.core.insights.methods import WEEK

HOURS = DAY_HOURS * WEEK
PATHS_MIN = 8
"""Fewer ways in which a forecast went wrong tell no chance."""
YEAR_DAYS = 365
NEW_WEEKS = 3
"""The fewest of which a median is none of the extremes."""


@dataclass(frozen=True)
class Lane:
    """A lane's forecast: `expected` photos a day, the `paths` that they may take, and what a photo costs."""

    expected: Sequence[float]
    paths: Sequence[Sequence[float]]
    photo_micros: float

    def between(self, first: int, end: int) -> "Lane":
        """Return it for some of its days alone."""
        return replace(self, expected=self.expected[first:end], paths=[path[first:end] for path in self.paths])


@dataclass(frozen=True)
class Reach:
    """The `chance` that costs reach a limit within the days of a forecast, and the day on which they do in half of the
    cases in which they do; None if they never do."""

    chance: float
    day: date | None


@dataclass(frozen=True)
class DayUnderLimits:
    """A day's cost in micro-dollars as far as the limits let it, and the photos that would wait."""

    day: date
    micros: float
    waiting: float


def reach(lanes: Sequence[Lane], left_micros: int, first: date) -> Reach | None:
    """Return how likely the lanes together cost what is left of a limit, from the `first` day on. None if too few
    forecasts have been issued to tell."""
    found = ways(lanes)
    if found is None:
        return None
    hits = []
    for way in found:
        costs = _costs([lane.expected for lane in way], way)
        hits += [day for day, spent in enumerate(accumulate(costs)) if spent >= left_micros][:1]
    return Reach(len(hits) / len(found), first + timedelta(days=round(median(hits))) if hits else None)


def ways(lanes: Sequence[Lane]) -> list[list[Lane]] | None:
    """Return the lanes as each of their paths would have them; None if too few forecasts have been issued to tell. The
    latest of each lane go together: what one lane lost the other may have won."""
    count = min(len(lane.paths) for lane in lanes)
    if count < PATHS_MIN:
        return None
    return [[replace(lane, expected=lane.paths[-way]) for lane in lanes] for way in range(1, count + 1)]


def share_below(values: Sequence[float], share: float) -> float:
    """Return what this share of the values, and of one to come, is not above."""
    ordered = sorted(values)
    return ordered[min(max(math.ceil((len(ordered) + 1) * share), 1), len(ordered)) - 1]


def under_limits(lanes: Sequence[Lane], daily_limit_micros: int, left_micros: int, first: date) -> list[DayUnderLimits]:
    """Return what each day is expected to cost if no day may cost more than `daily_limit_micros`, nor all together more
    than is left of the month's limit. Photos that wait are not carried over."""
    days, left = [], float(left_micros)
    costs = _costs([lane.expected for lane in lanes], lanes)
    for ahead, cost in enumerate(costs):
        micros = min(cost, daily_limit_micros, left)
        photos = sum(lane.expected[ahead] for lane in lanes)
        waiting = photos * (1 - micros / cost) if cost else 0.0
        days.append(DayUnderLimits(first + timedelta(days=ahead), micros, waiting))
        left -= micros
    return days


def _costs(photos: Sequence[Sequence[float]], lanes: Sequence[Lane]) -> list[float]:
    prices = [lane.photo_micros for lane in lanes]
    return [sum(n * micros for n, micros in zip(day, prices, strict=True)) for day in zip(*photos, strict=True)]


def hour_multipliers(hours: Sequence[float]) -> list[float] | None:
    """Return how many times a mean hour each hour of the week brings, from photos an hour of the last weeks, oldest
    first; the first is that of the hour after the last, and begins a day. What a weekday brings is a mean. An hour's
    share of it is the median of all weeks, since one jam is no habit, and of the last three in equal parts, which know
    a new habit. None without a whole week, or a photo in it."""
    weeks = len(hours) // HOURS
    recent = hours[len(hours) - weeks * HOURS :]
    if not sum(recent):
        return None
    days = [recent[begins : begins + DAY_HOURS] for begins in range(0, len(recent), DAY_HOURS)]
    mean = fmean(recent)
    found: list[float] = []
    for weekday in range(WEEK):
        alike = [[each / sum(day) for each in day] for day in days[weekday::WEEK] if sum(day)]
        shares = [median(all_weeks) + median(all_weeks[-NEW_WEEKS:]) for all_weeks in zip(*alike, strict=True)]
        shares = shares or [0.0] * DAY_HOURS
        whole = fmean(map(sum, days[weekday::WEEK])) / mean
        found += [whole * share / (sum(shares) or 1) for share in shares]
    return found


def weekday_multipliers(history: History) -> list[float] | None:
    """Return how many times a mean day each weekday brings, Monday first, by the last eight weeks."""
    recent = history.days[-8 * WEEK :]
    monday = -(history.ends - timedelta(days=len(recent))).weekday() % WEEK
    if len(recent) < WEEK or not sum(recent):
        return None
    return [fmean(recent[(monday + day) % WEEK :: WEEK]) / fmean(recent) for day in range(WEEK)]


def month_multipliers(history: History) -> dict[int, float]:
    """Return how many times a mean day the days of a month bring, by its number, over the years so far; nothing before
    a whole one is known."""
    months: dict[int, list[float]] = {}
    for ahead, photos in enumerate(history.days):
        months.setdefault((history.begins + timedelta(days=ahead)).month, []).append(photos)
    if len(history.days) < YEAR_DAYS or not sum(history.days):
        return {}
    mean = fmean(fmean(days) for days in months.values())
    return {month: fmean(days) / mean for month, days in sorted(months.items())}
