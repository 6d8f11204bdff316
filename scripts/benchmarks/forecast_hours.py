"""The hours of the week as the plan has them, on real series: each week the days of the next one, as the forecast shows
them, spread over their hours by the multipliers of the last eight weeks. The error is divided by that of naive, which
says the same hours of the last week again.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from statistics import fmean
from typing import Any

from functions.core.insights.day_notes import DAY_HOURS, HOURS_DAYS
from functions.core.insights.forecast import History, Issue, forecast
from functions.core.insights.methods import LEVEL_DAYS, WEEK, Method, by_method
from functions.core.insights.outlook import HOURS, hour_multipliers
from scripts.benchmarks.series import hourly_series, without_gaps

AHEAD = (24, 48, HOURS)


def hours_ahead() -> dict[str, Any]:
    """Return the ratios of each series by hours ahead, and the mean of all. Raises SkippedError without the series."""
    found = {name: backtest_hours(days) for name, days in hourly_series().items()}
    return {
        "hours": found,
        "hourly_vs_naive": round(fmean(ratio for each in found.values() for ratio in each.values()), 3),
    }


def backtest_hours(days: Mapping[date, Sequence[float]]) -> dict[str, float]:
    """Return the ratios of a series. A week is left out if it, or the eight before it, have a gap."""
    named = list(days)
    shown = _shown(without_gaps({day: sum(hours) for day, hours in days.items()}))
    ours: dict[int, list[float]] = {hours: [] for hours in AHEAD}
    naive: dict[int, list[float]] = {hours: [] for hours in AHEAD}
    for place in range(HOURS_DAYS, len(named) - WEEK + 1, WEEK):
        first, last = named[place - HOURS_DAYS], named[place + WEEK - 1]
        if last - first != timedelta(days=HOURS_DAYS + WEEK - 1):
            continue
        past = [days[day] for day in named[max(place - LEVEL_DAYS, 0) : place]]
        actual = [photos for day in named[place : place + WEEK] for photos in days[day]]
        recent = [photos for day in past[-HOURS_DAYS:] for photos in day]
        totals = shown.get(named[place]) or by_method([sum(day) for day in past], WEEK)[Method.LEVEL]
        expected = _expected(totals, recent)
        for hours in AHEAD:
            ours[hours].append(_error(actual[:hours], expected))
            naive[hours].append(_error(actual[:hours], recent[-HOURS:]))
    return {f"{hours}h": round(fmean(ours[hours]) / fmean(naive[hours]), 3) for hours in AHEAD}


def _shown(history: History) -> dict[date, Sequence[float]]:
    """Return the days of the next week as the forecast shows them, by the day on which it is made: one a week, with its
    record. Beside the longest part without a gap there is none, and `level` alone serves."""
    found: dict[date, Sequence[float]] = {}
    for weekday in range(WEEK):
        issued: list[Issue] = []
        for ends in range(HOURS_DAYS + weekday, len(history.days), WEEK):
            made = forecast(History(history.begins, history.days[:ends]), issued)
            if made is not None:
                issued.append(made.issue)
                found[made.issue.first] = made.expected[:WEEK]
    return found


def _expected(totals: Sequence[float], recent: Sequence[float]) -> list[float]:
    times = hour_multipliers(recent) or [0.0] * HOURS
    shares = [times[begins : begins + DAY_HOURS] for begins in range(0, HOURS, DAY_HOURS)]
    return [whole * each / (sum(day) or 1) for whole, day in zip(totals, shares, strict=True) for each in day]


def _error(actual: Sequence[float], expected: Sequence[float]) -> float:
    return fmean(abs(a - b) for a, b in zip(actual, expected, strict=False))
