"""The methods of the forecast, on a logarithmic scale: what a day brings is a level times what the weekday adds.

    naive          the same weekday of the last week, and what every forecast is measured by
    level          what a usual day brings now, times what the weekday adds
    usual          the median of the same weekday of eight weeks, which no week alone can move
    holt_winters   level, damped trend and weekday, each smoothed
    last_year      the same days last year, times what the last eight weeks have grown

Weekday indices are medians of eight weeks, levels exponentially smoothed over half a year; figures are in
docs/forecast.md.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from itertools import accumulate, product
from statistics import fmean, median

WEEK = 7

INDEX_WEEKS = 8
LEVEL_DAYS = 26 * WEEK
YEAR_DAYS = 52 * WEEK
"""A year of whole weeks, so that weekdays meet."""
GROWTH_DAYS, GROWTH = INDEX_WEEKS * WEEK, (0.5, 2.0)
"""Of last year's days; without these bounds the spring of 2020 would have been a thousand times as much."""
RULE_DAYS = YEAR_DAYS + GROWTH_DAYS
"""From so many days on all methods are asked."""

ALPHAS = (0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8)
SMOOTHING = tuple(product((0.1, 0.3, 0.5), (0.0, 0.05), (0.1, 0.3)))
"""Of level, trend and weekday."""
DAMPING = 0.95


class Method(StrEnum):
    """How a forecast is made. `MIXED` is the weighted mean of the others."""

    NAIVE = "naive"
    LEVEL = "level"
    USUAL = "usual"
    HOLT_WINTERS = "holt_winters"
    LAST_YEAR = "last_year"
    MIXED = "mixed"


def by_method(past: Sequence[float], days: int) -> dict[Method, Sequence[float]]:
    """Return what each method expects of the next days; without a year of them known, the first three."""
    logs = [math.log1p(max(each, 0)) for each in past]
    found: dict[Method, Sequence[float]] = {
        Method.NAIVE: [past[day % WEEK - WEEK] for day in range(days)],
        Method.LEVEL: amounts(_level(logs, days)),
        Method.USUAL: _usual(past, days),
    }
    if len(past) >= RULE_DAYS:
        found[Method.HOLT_WINTERS] = amounts(_holt_winters(logs, days))
        found[Method.LAST_YEAR] = _last_year(past, days)
    return found


def amounts(logs: Sequence[float]) -> list[float]:
    """Return what was brought on the logarithmic scale, on its own; never less than nothing."""
    return [max(math.expm1(each), 0) for each in logs]


def _level(logs: Sequence[float], days: int) -> list[float]:
    """Forecast by the weekday's index and the level, smoothed as would have been best so far."""
    index = weekday_index(logs)
    flat = [each - index[place % WEEK] for place, each in enumerate(logs[-LEVEL_DAYS:], -len(logs[-LEVEL_DAYS:]))]
    level = min(_smoothed(flat, alpha) for alpha in ALPHAS)[1]
    return [level + index[day % WEEK] for day in range(days)]


def weekday_index(logs: Sequence[float]) -> list[float]:
    """Return by how much each of the next seven days differs from a week's mean, as the median of the last weeks."""
    weeks = min(len(logs) // WEEK, INDEX_WEEKS)
    blocks = [logs[len(logs) - WEEK * week :][:WEEK] for week in range(1, weeks + 1)]
    means = [fmean(block) for block in blocks]
    index = [median(block[day] - mean for block, mean in zip(blocks, means, strict=True)) for day in range(WEEK)]
    middle = fmean(index)
    return [each - middle for each in index]


def _smoothed(values: Sequence[float], alpha: float) -> tuple[float, float]:
    """Return the error of one-step forecasts, and the last level."""
    level, error = values[0], 0.0
    for value in values[1:]:
        error += abs(value - level)
        level += alpha * (value - level)
    return error, level


def _usual(past: Sequence[float], days: int) -> list[float]:
    weeks = range(1, min(len(past) // WEEK, INDEX_WEEKS) + 1)
    week = [median(past[day - WEEK * ago] for ago in weeks) for day in range(WEEK)]
    return [week[day % WEEK] for day in range(days)]


def _holt_winters(logs: Sequence[float], days: int) -> list[float]:
    recent = logs[-YEAR_DAYS:]
    return min(_run(recent, *smoothing, days) for smoothing in SMOOTHING)[1]


def _run(logs: Sequence[float], alpha: float, beta: float, gamma: float, days: int) -> tuple[float, list[float]]:
    """Return the error of one-step forecasts, and the forecast."""
    level, trend = fmean(logs[:WEEK]), 0.0
    season, error = [each - level for each in logs[:WEEK]], 0.0
    for place, value in enumerate(logs[WEEK:]):
        day, ahead = place % WEEK, level + DAMPING * trend
        missed = value - ahead - season[day]
        error += abs(missed)
        before, level = level, ahead + alpha * missed
        trend = DAMPING * trend + beta * (level - before - DAMPING * trend)
        season[day] += gamma * missed
    after = len(logs) - WEEK
    growth = list(accumulate(DAMPING**step for step in range(1, days + 1)))
    return error, [level + growth[day] * trend + season[(after + day) % WEEK] for day in range(days)]


def _last_year(past: Sequence[float], days: int) -> list[float]:
    """Forecast by the same weekdays of the year before, and what the last eight weeks were to those of then."""
    now, then = sum(past[-GROWTH_DAYS:]), sum(past[-YEAR_DAYS - GROWTH_DAYS : -YEAR_DAYS])
    growth = min(max(now / then if then else 1.0, GROWTH[0]), GROWTH[1])
    return [growth * past[day - YEAR_DAYS] for day in range(days)]
