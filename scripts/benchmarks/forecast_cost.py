"""What a day's forecast takes: CPU time, and memory beyond that of the guard, which every cron has. In a process of its
own, since the guard's memory is looked at before anything of the forecast is loaded."""

import json
import time
from datetime import date
from typing import Any

from functions.use_cases.operations import guard_budget
from scripts.benchmarks.processes import rss_mb

DAYS, WEEKS = 3 * 365, 52
"""Three years of two lanes, and a year of weekly forecasts that were issued."""


def cost() -> dict[str, Any]:
    """Return the figures of one forecast of both lanes, with what it means for the bill."""
    assert guard_budget  # noqa: S101  (loaded, and so its memory counted)
    guard_mb = rss_mb()
    from functions.core.insights.forecast import History, Issue, forecast  # noqa: PLC0415  (after the guard)
    from functions.core.insights.methods import WEEK  # noqa: PLC0415
    from functions.core.insights.outlook import Lane, month_multipliers, reach, under_limits  # noqa: PLC0415

    lanes: list[tuple[History, list[Issue]]] = []
    for photos in (200.0, 1_000.0):
        days = [photos * (1 + day % WEEK) * 1.001**day for day in range(DAYS)]
        issued: list[Issue] = []
        for week in range(WEEKS, 0, -1):
            made = forecast(History(date(2024, 1, 1), days[: DAYS - week * WEEK]), issued)
            issued += [made.issue] if made else []
        lanes.append((History(date(2024, 1, 1), days), issued))
    began = time.process_time()
    told = [made for history, issued in lanes if (made := forecast(history, issued))]
    costs = [Lane(each.expected, each.paths, micros) for each, micros in zip(told, (233, 117), strict=True)]
    first = lanes[0][0].ends
    reach(costs, 200_000_000, first)
    under_limits(costs, 10_000_000, 200_000_000, first)
    for history, _ in lanes:
        month_multipliers(history)
    cpu_s = time.process_time() - began
    return {"cpu_s": round(cpu_s, 3), "rss_mb_over_guard": round(rss_mb() - guard_mb, 1)}


if __name__ == "__main__":
    print(json.dumps(cost()))
