"""The forecast on real series: each week a forecast with only the days before it known, and those of earlier weeks as
they were issued. Its error is divided by that of naive, which says the last week again.

MASE is the mean absolute error, scaled by that of naive one week ahead within the days before. What is told is the
ratio of its means, and of all series the geometric mean. Coverage is the share of days within the interval of nine in
ten.
"""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from functions.core.insights.forecast import TRACK_ISSUES, History, Issue, forecast
from functions.core.insights.methods import WEEK, Method
from scripts.benchmarks.forecast_hours import hours_ahead
from scripts.benchmarks.processes import python
from scripts.benchmarks.series import all_series

HORIZONS = (14, 28)
BEGINS_DAYS = 9 * WEEK
"""The first forecast is issued then; those count that have a record of eight weeks."""


def run() -> dict[str, Any]:
    """Return the figures. Raises SkippedError without the series."""
    found = {name: backtest(history) for name, history in all_series().items()}
    figures: dict[str, Any] = {"series": found}
    for days in HORIZONS:
        ratios = [each[f"mase_vs_naive_{days}d"] for each in found.values()]
        figures[f"mase_vs_naive_{days}d"] = round(math.exp(fmean(map(math.log, ratios))), 3)
    figures["coverage_90"] = round(fmean(each["coverage_90"] for each in found.values()), 3)
    return {**figures, **hours_ahead(), **python("-m", "scripts.benchmarks.forecast_cost")}


def backtest(history: History) -> dict[str, Any]:
    """Return how a series would have been forecast, week by week."""
    issued: list[Issue] = []
    ours: dict[int, list[float]] = {days: [] for days in HORIZONS}
    naive: dict[int, list[float]] = {days: [] for days in HORIZONS}
    inside: list[bool] = []
    steps_back = 0
    for ends in range(BEGINS_DAYS, len(history.days) - max(HORIZONS) + 1, WEEK):
        known = history.days[:ends]
        made = forecast(History(history.begins, known), issued)
        if made is None:
            raise AssertionError("nine weeks are enough")
        issued.append(made.issue)
        scale = _error(known[WEEK:], known[:-WEEK])
        if made.low is None or made.high is None or len(issued) <= TRACK_ISSUES or not scale:
            continue
        steps_back += made.shown is Method.NAIVE
        for days in HORIZONS:
            actual = history.days[ends : ends + days]
            ours[days].append(_error(actual, made.expected) / scale)
            naive[days].append(_error(actual, made.issue.by_method[Method.NAIVE]) / scale)
        bounds = zip(made.low, actual, made.high, strict=False)
        inside += [low <= each <= high for low, each, high in bounds]
    ratios = {f"mase_vs_naive_{days}d": round(fmean(ours[days]) / fmean(naive[days]), 3) for days in HORIZONS}
    shares = {"coverage_90": round(fmean(inside), 3), "naive_shown_share": round(steps_back / len(ours[14]), 3)}
    return {"days": len(history.days), "forecasts": len(ours[14]), **ratios, **shares}


def _error(actual: Sequence[float], expected: Sequence[float]) -> float:
    return fmean(abs(a - b) for a, b in zip(actual, expected, strict=False))
