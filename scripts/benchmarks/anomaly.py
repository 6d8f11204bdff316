"""Whether a day that is unusual is noticed, and how often one is taken for it that is none, on real series.

Each day is looked at with only the days before it known. A planted day is two or three times as much as it was; on the
days as they were, an alarm counts as false, though they have events of their own that nobody has marked.
"""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from functions.core.insights.deviations import ERRORS_MIN, Direction, Watch, deviation, see
from functions.core.insights.methods import LEVEL_DAYS, WEEK, Method, by_method
from scripts.benchmarks.anomaly_hours import minutes_to_alarm
from scripts.benchmarks.series import all_series

BEGINS_DAYS = 9 * WEEK
MONTH_DAYS = 30
PLANTED_TIMES = (3, 2)
LEAST = 0
"""Of real series nobody has said which difference is too small to look at."""


def run() -> dict[str, Any]:
    """Return the figures, and of all series their mean. Raises SkippedError without the series."""
    found = {name: watched(history.days) for name, history in all_series().items()}
    means = {name: round(fmean(each[name] for each in found.values()), 3) for name in next(iter(found.values()))}
    return {"series": found, **means, **minutes_to_alarm()}


def watched(days: Sequence[float]) -> dict[str, float]:
    """Return the shares of days on which a planted one is noticed, and the alarms in 30 days as they were."""
    watch, taught = Watch(), list(days[:BEGINS_DAYS])
    noticed: dict[int, list[bool]] = {times: [] for times in PLANTED_TIMES}
    alarms = Counter[Direction]()
    for actual in days[BEGINS_DAYS:]:
        (expected,) = by_method(taught[-LEVEL_DAYS:], 1)[Method.LEVEL]
        if watch.episode is None and len(watch.errors) >= ERRORS_MIN:
            for times, found in noticed.items():
                found.append(deviation(watch.errors, times * actual, expected, LEAST) is Direction.RISE)
        seen = see(watch, actual, expected, LEAST)
        alarms.update([seen.began] if seen.began else [])
        watch = seen.watch
        taught.append(actual if seen.taught else expected)
        if seen.taught > 1:
            taught[-seen.taught :] = days[len(taught) - seen.taught : len(taught)]
    a_month = {way: MONTH_DAYS * alarms[way] / (len(days) - BEGINS_DAYS) for way in Direction}
    return {
        **{f"recall_x{times}": round(fmean(found), 3) for times, found in noticed.items()},
        "alarms_per_30_days_untouched": round(sum(a_month.values()), 2),
        "rises_per_30_days_untouched": round(a_month[Direction.RISE], 2),
        "falls_per_30_days_untouched": round(a_month[Direction.FALL], 2),
    }
