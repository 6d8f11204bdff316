"""Whether a day that is unusual is noticed, and how often one is taken for it that is none, on real series.

Each day is looked at with only the days before it known. A planted day is two or three times as much as it was, or
half; on the days as they were, an alarm counts as false, though they have events of their own that nobody has marked.
How many alarms are true is told by simulated demand, of which that is known: an app that grows, with its week and
chance, and one day in thirty made three times or twice as large. A day without anything has no multiple.
"""

import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from functions.core.insights.deviations import ERRORS_MIN, Direction, Watch, deviation, fell_a_year_ago, see
from functions.core.insights.methods import LEVEL_DAYS, WEEK, Method, by_method
from scripts.benchmarks.anomaly_hours import minutes_to_alarm
from scripts.benchmarks.series import all_series

BEGINS_DAYS = 9 * WEEK
MONTH_DAYS = 30
PLANTED: Mapping[str, float] = {"recall_x3": 3, "recall_x2": 2, "recall_half": 0.5}
LEAST = 0
"""Of real series nobody has said which difference is too small to look at."""
SIMULATED, SIMULATED_DAYS = 20, 365
WEEKLY = (1.1, 1.0, 0.95, 1.0, 1.15, 1.4, 1.3)


def run() -> dict[str, Any]:
    """Return the figures, and of all series their mean. Raises SkippedError without the series."""
    found = {name: watched(history.days) for name, history in all_series().items()}
    means = {name: round(fmean(each[name] for each in found.values()), 3) for name in next(iter(found.values()))}
    return {"series": found, **means, **simulated(), **minutes_to_alarm()}


def watched(days: Sequence[float]) -> dict[str, float]:
    """Return the shares of days on which a planted one is noticed, and the alarms in 30 days as they were."""
    noticed: dict[str, list[bool]] = {name: [] for name in PLANTED}
    alarms = Counter[Direction]()
    for before, actual, expected, fell, began in _looks(days):
        if actual and before.episode is None and len(before.errors) >= ERRORS_MIN:
            for name, times in PLANTED.items():
                wanted = Direction.RISE if times > 1 else Direction.FALL
                noticed[name].append(deviation(before.errors, times * actual, expected, LEAST, fell) is wanted)
        alarms.update([began] if began else [])
    a_month = {way: MONTH_DAYS * alarms[way] / (len(days) - BEGINS_DAYS) for way in Direction}
    return {
        **{name: round(fmean(found), 3) for name, found in noticed.items()},
        "alarms_per_30_days_untouched": round(sum(a_month.values()), 2),
        "rises_per_30_days_untouched": round(a_month[Direction.RISE], 2),
        "falls_per_30_days_untouched": round(a_month[Direction.FALL], 2),
    }


def _looks(days: Sequence[float]) -> Iterator[tuple[Watch, float, float, float, Direction | None]]:
    """Yield what was known before each day, the day, what was expected of it, its fall a year ago, and what began."""
    watch, taught = Watch(), list(days[:BEGINS_DAYS])
    for place, actual in enumerate(days[BEGINS_DAYS:], BEGINS_DAYS):
        (expected,) = by_method(taught[-LEVEL_DAYS:], 1)[Method.LEVEL]
        fell = fell_a_year_ago(days[:place])
        seen = see(watch, actual, expected, LEAST, fell)
        yield watch, actual, expected, fell, seen.began
        watch = seen.watch
        taught.append(seen.taken)
        if seen.taught > 1:
            taught[-seen.taught :] = days[len(taught) - seen.taught : len(taught)]


def simulated() -> dict[str, float]:
    """Return which share of alarms is of a planted day, and which share of these has one, of simulated demand."""
    alarms, true, planted = 0, 0, 0
    for seed in range(SIMULATED):
        dice = random.Random(seed)  # noqa: S311  (repeatable)
        days, times = _demand(dice)
        for place, (*_, began) in enumerate(_looks(days), BEGINS_DAYS):
            alarms += began is not None
            planted += times[place] > 1
            true += began is Direction.RISE and times[place] > 1
    return {"precision_simulated": round(true / alarms, 3), "recall_simulated": round(true / planted, 3)}


def _demand(dice: random.Random) -> tuple[list[float], list[int]]:
    """Return the photos of each day of a growing app, and how many times as many there are as there would be."""
    base, growth, spread = dice.uniform(50, 2_000), dice.uniform(-0.001, 0.004), dice.uniform(0.05, 0.2)
    times = [dice.choice((2, 3)) if dice.random() < 1 / MONTH_DAYS else 1 for _ in range(BEGINS_DAYS + SIMULATED_DAYS)]
    times[:BEGINS_DAYS] = [1] * BEGINS_DAYS
    days = []
    for day, planted in enumerate(times):
        mean = planted * base * math.exp(growth * day + dice.gauss(0, spread)) * WEEKLY[day % WEEK]
        days.append(float(max(round(dice.gauss(mean, math.sqrt(mean))), 0)))
    return days, times
