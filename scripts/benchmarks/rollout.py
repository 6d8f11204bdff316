"""A guarded rollout, simulated at speed: how often the detector is wrong about a healthy path, and how soon it stops a
sick one. It looks once a minute, with the detector's own code.

A healthy path is taken for one that has nothing left to be compared with, where the absolute bet decides alone: with a
comparison fewer are rolled back. Minutes without a failure are most of its ten days; they are taken in one step.
"""

import math
from itertools import count
from random import Random
from typing import Any

from functions.core.rollouts.evidence import SHARES, Block, Evidence, Verdict, step, verdict
from scripts.benchmarks.rollout_stops import billed, seconds_to_last_new_call

SEED = 1
LIMIT = 5
TEN_DAYS, HOUR, GOOD_START = 14_400, 60, 300
HEALTHY_RUNS, SICK_RUNS, STOP_RUNS = 400, 300, 200
HEALTHY_NEW = 5
TRAFFIC = ((1, 9), (5, 45))
"""New and old calls a minute, at 10 %."""

HEALTHY = 0.01
OUTAGE = 0.3


def run() -> dict[str, Any]:
    """Return the figures: shares of runs; calls of the new path from its first bad minute until it was stopped, which
    95 % of runs do not exceed, at the worse of two loads; seconds until nobody gets it any more; what a call bills."""
    return {
        "runs": {"healthy": HEALTHY_RUNS, "both_sick": SICK_RUNS, "calls_to_stop": STOP_RUNS * len(TRAFFIC)},
        **{f"false_rollback_share_{percent}pct": false_rollbacks(percent / 100) for percent in (1, 2, 3)},
        **both_sick(),
        "calls_to_stop_p95": {f"{percent}pct": calls_to_stop(percent / 100) for percent in (100, 50, 20, 10)},
        "seconds_to_last_new_call_max": seconds_to_last_new_call(),
        **billed(),
    }


def false_rollbacks(rate: float, runs: int = HEALTHY_RUNS) -> float:
    """Return in which share of runs ten healthy days have a minute at which the path would be rolled back."""
    return sum(_falsely(_random(rate, each), rate) for each in range(runs)) / runs


def _falsely(random: Random, rate: float) -> bool:
    """Between failures bets only lose, or climb towards a few: nothing fires there."""
    some_fail = 1 - (1 - rate) ** HEALTHY_NEW
    evidence, minute = Evidence(), 0
    while True:
        quiet = int(math.log(1 - random.random()) / math.log(1 - some_fail))
        minute += quiet + 1
        if minute > TEN_DAYS:
            return False
        failed = 0
        while not failed:
            failed = _failures(random, HEALTHY_NEW, rate)
        evidence = step(quiet_minutes(evidence, quiet), Block(HEALTHY_NEW, failed), LIMIT)
        if verdict(evidence, compared=False) is Verdict.ROLL_BACK:
            return True


def quiet_minutes(evidence: Evidence, minutes: int) -> Evidence:
    """Return the evidence after minutes of HEALTHY_NEW good calls: M' = a (M + 1), so often, as a geometric sum."""
    above = []
    for share, bet in zip(SHARES, evidence.above, strict=True):
        a = (1 - share) ** HEALTHY_NEW  # (1 - p) / (1 - limit) is 1 - share
        above.append(a**minutes * bet + a * (1 - a**minutes) / (1 - a))
    return evidence.model_copy(update={"limit_percent": LIMIT, "above": tuple(above)})


def both_sick() -> dict[str, float]:
    """Return in which share of runs an hour's outage of both arms rolls the new path back, and would without a
    comparison."""
    rolled_back = alone = 0
    for each in range(SICK_RUNS):
        random, evidence = _random("sick", each), Evidence()
        compared = absolute = False
        new, old = TRAFFIC[each % len(TRAFFIC)]
        for minute in range(GOOD_START + 2 * HOUR):
            rate = OUTAGE if GOOD_START <= minute < GOOD_START + HOUR else HEALTHY
            evidence = step(evidence, _block(random, new, rate, old, rate), LIMIT)
            compared |= verdict(evidence, compared=True) is Verdict.ROLL_BACK
            absolute |= verdict(evidence, compared=False) is Verdict.ROLL_BACK
        rolled_back += compared
        alone += absolute
    return {"both_sick_rollback_share": rolled_back / SICK_RUNS, "both_sick_uncompared_share": alone / SICK_RUNS}


def calls_to_stop(rate: float, runs: int = STOP_RUNS) -> int:
    """Return how many calls of the new path 95 % of runs take at most, at the load that takes more."""
    return max(_p95([_calls(_random(rate, load, each), rate, *load) for each in range(runs)]) for load in TRAFFIC)


def _calls(random: Random, rate: float, new: int, old: int) -> int:
    evidence = Evidence()
    for _ in range(GOOD_START):
        evidence = step(evidence, _block(random, new, HEALTHY, old, HEALTHY), LIMIT)
    for minute in count(1):
        evidence = step(evidence, _block(random, new, rate, old, HEALTHY), LIMIT)
        if verdict(evidence, compared=True) is Verdict.ROLL_BACK:
            return minute * new
    raise AssertionError


def _random(*names: object) -> Random:
    return Random(f"{SEED} {names}")  # noqa: S311  (a benchmark, which is repeatable)


def _block(random: Random, new: int, new_rate: float, old: int, old_rate: float) -> Block:
    return Block(new, _failures(random, new, new_rate), old, _failures(random, old, old_rate))


def _failures(random: Random, calls: int, rate: float) -> int:
    return sum(random.random() < rate for _ in range(calls))


def _p95(figures: list[int]) -> int:
    return sorted(figures)[math.ceil(0.95 * len(figures)) - 1]
