"""How much will be asked for: photos a day, 35 days ahead, from the days so far and from the forecasts so far.

It is the mean of `methods`, each weighted by its error in the last forecasts that were issued: `level` and `usual`, and
all of them once a year and eight weeks are known. Until there is a record, `level` serves alone. One that has not
beaten naive over eight weeks steps back for it. Intervals come from
the errors of forecasts that were issued, never from refitted ones: so they are what they say, and cost nothing.

Demand is forecast, and never cost: a limit cuts the cost off, and a batch's comes a day late.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import fmean

from functions.core.insights.methods import RULE_DAYS, WEEK, Method, amounts, by_method

DAYS_MIN = 21
"""Before three weeks are known, nothing is told."""
DAYS_AHEAD = 35

TRACK_ISSUES, TRACK_DAYS = 8, 14
"""A method's record: its last eight weekly forecasts, each over its first two weeks."""
EARLY = (Method.LEVEL, Method.USUAL)
"""What is mixed before a year is known."""
SHARPNESS = 4
"""A method weighs by 1/error to this power: between the mean of all (0) and the best alone. What missed by half as much
again weighs a fifth."""
INTERVAL_ISSUES = 52
"""A year: what half a year has missed says too little of what the next season does."""
INTERVAL_ISSUES_MIN = 4
COVERAGE = 0.9
ERROR_MIN = 1e-9
HALF = 0.5


@dataclass(frozen=True)
class Issue:
    """A forecast as it was issued for the days from `first` on, by each method that was asked; `MIXED` always."""

    first: date
    by_method: Mapping[Method, Sequence[float]]


@dataclass(frozen=True)
class Forecast:
    """What is shown: `expected` a day, and what nine of ten days lie between, None until forecasts were issued to tell.
    `shown` says whether it is `MIXED` or naive. `error_to_naive` is the mix's error of the last eight weeks divided by
    naive's, None without a record; `paths` are what days would have come to if this forecast went wrong as earlier ones
    did."""

    issue: Issue
    shown: Method
    expected: tuple[float, ...]
    low: tuple[float, ...] | None
    high: tuple[float, ...] | None
    error_to_naive: float | None
    paths: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class History:
    """Photos a day, oldest first, without a gap; the next day is `first` of a forecast."""

    begins: date
    days: Sequence[float]

    @property
    def ends(self) -> date:
        """Return the day after the last one."""
        return self.begins + timedelta(days=len(self.days))

    def since(self, first: date, days: int) -> Sequence[float]:
        """Return so many days from one on, as far as they are known."""
        start = (first - self.begins).days
        return self.days[start : start + days]


def forecast(history: History, issued: Sequence[Issue], days: int = DAYS_AHEAD) -> Forecast | None:
    """Return the forecast of the next days, None while too few are known. `issued` are earlier ones, oldest first; of
    each week the one of today's weekday counts."""
    if len(history.days) < DAYS_MIN:
        return None
    weekly = [each for each in issued if (history.ends - each.first).days % WEEK == 0 and each.first < history.ends]
    made = by_method(history.days, days)
    weights = _weights(len(history.days), weekly, history)
    mixed = tuple(sum(weights[name] * made[name][day] for name in weights) for day in range(days))
    made[Method.MIXED] = mixed
    ours, naive = (_error(name, weekly, history) for name in (Method.MIXED, Method.NAIVE))
    ratio = None if ours is None or naive is None else ours / naive if naive else math.inf
    shown = Method.MIXED if ratio is None or ratio < 1 else Method.NAIVE
    expected = tuple(made[shown])
    errors = [_log_errors(each.by_method[shown], history.since(each.first, days)) for each in weekly[-INTERVAL_ISSUES:]]
    low, high = _interval(expected, errors)
    paths = tuple(_shifted(expected, each) for each in errors if len(each) == days)
    return Forecast(Issue(history.ends, made), shown, expected, low, high, ratio, paths)


def _weights(past_days: int, weekly: Sequence[Issue], history: History) -> dict[Method, float]:
    """Return each method's part of the mix: by its record, among those that have one."""
    methods = EARLY if past_days < RULE_DAYS else [each for each in Method if each is not Method.MIXED]
    errors = {each: _error(each, weekly, history) for each in methods}
    worth = {each: 1 / max(error, ERROR_MIN) ** SHARPNESS for each, error in errors.items() if error is not None}
    worth = worth or {Method.LEVEL: 1.0}
    return {each: part / sum(worth.values()) for each, part in worth.items()}


def _error(method: Method, weekly: Sequence[Issue], history: History) -> float | None:
    """Return a method's mean absolute error in its last forecasts, each as far as its days are known; None if it has
    issued too few."""
    errors = []
    for issue in [each for each in weekly if method in each.by_method][-TRACK_ISSUES:]:
        known = history.since(issue.first, TRACK_DAYS)
        errors.append(fmean(abs(a - b) for a, b in zip(known, issue.by_method[method], strict=False)))
    return fmean(errors) if len(errors) == TRACK_ISSUES else None


def _log_errors(expected: Sequence[float], actual: Sequence[float]) -> list[float]:
    return [math.log1p(max(b, 0)) - math.log1p(a) for a, b in zip(expected, actual, strict=False)]


def _shifted(expected: Sequence[float], errors: Sequence[float]) -> tuple[float, ...]:
    return tuple(amounts([math.log1p(a) + error for a, error in zip(expected, errors, strict=True)]))


def _interval(
    expected: Sequence[float], errors: Sequence[Sequence[float]]
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Return what nine of ten days lie between, by what forecasts as many weeks ahead have missed; a week that is not
    known so far ahead takes that before it."""
    low: list[float] = []
    high: list[float] = []
    bounds: tuple[float, float] | None = None
    for begins in range(0, len(expected), WEEK):
        week = expected[begins : begins + WEEK]
        missed = sorted(error for each in errors for error in each[begins : begins + WEEK])
        if len(missed) >= INTERVAL_ISSUES_MIN * WEEK:
            bounds = _quantile(missed, (1 - COVERAGE) / 2), _quantile(missed, (1 + COVERAGE) / 2)
        if bounds is None:
            return None, None
        low += _shifted(week, [bounds[0]] * len(week))
        high += _shifted(week, [bounds[1]] * len(week))
    return tuple(low), tuple(high)


def _quantile(values: Sequence[float], share: float) -> float:
    """Return a quantile as conformal prediction takes it (Vovk et al., "Algorithmic Learning in a Random World"): of
    what there is, and one that is to come."""
    place = (len(values) + 1) * share
    return values[min(max(math.ceil(place) if share > HALF else math.floor(place), 1), len(values)) - 1]
