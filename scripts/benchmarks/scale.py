"""Instant calls a second for a minute while no document takes more than one write a second for long, as in production.

The whole product in one process: `classify_image` with its charge, the provider's stand-in and the settlement, over the
in-process Firestore with its limit of writes on every document. Left out is what shares nothing between calls: the
network, and making the photo smaller. So the figure is the lower of two: what the documents carry, and what one process
of this machine can do for functions and Firestore together.

The budget is 1,000 dollars a day. Callers wait for their answers, and each call is another user's. The guard runs
meanwhile, more often than it would, and an operator changes the limit. For comparison the same with the eight shards of
a small budget; and how much of a small budget can be used, by one caller who asks until nobody is served any more.
"""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any
from unittest import mock

from functions.adapters.transient_errors import will_pass
from functions.core.budget import shards
from functions.core.shared.errors import EcolaneError
from functions.use_cases.operations.admin_set_config import AdminSetConfig, admin_set_config
from functions.use_cases.operations.guard_budget import guard_budget
from localcloud.firestore.locks import Owner
from scripts.benchmarks.calls import UNLIMITED, classify
from scripts.inprocess import InProcessCloud, RunningClock

DOLLARS = 1_000_000
BUDGET_MICROS, SMALL_BUDGET_MICROS = 1_000 * DOLLARS, DOLLARS // 3
CALLERS = 64
SECONDS, SECONDS_COMPARED = 60.0, 20.0
REVIEWS = 4
LOCK_SECONDS = 10.0
REFUSED_IN_A_ROW = 20


def _in_line(waiting: Owner, _seconds: float) -> bool:
    """Wait for a lock as a call to Firestore does: until it is one's turn, or for too long."""
    return waiting.wake.wait(LOCK_SECONDS)


def run() -> dict[str, Any]:
    """Return the calls answered in a second, the share of those that were not, the number of shards, what the budget
    was passed by, and how many looks of the guard failed; the first two with eight shards; and the usable share of a
    small budget."""
    many = _measure(SECONDS)
    with mock.patch.object(shards, "SHARDS_MAX", shards.SHARDS_MIN):
        eight = _measure(SECONDS_COMPARED)
    few = {f"{name}_eight_shards": eight[name] for name in ("calls_per_s", "refused_share")}
    return {**many, **few, "usable_share_small_budget": _usable_share()}


def _open(limit_micros: int, **parts: Any) -> InProcessCloud:
    """Return a cloud whose day is open, with so much money."""
    cloud = InProcessCloud(seed=1, **parts)
    rules = {"dailyLimitMicros": limit_micros, "monthlyLimitMicros": 30 * limit_micros}
    cloud.configure({"tokens": {"welcome": 50}, "plans": {"free": UNLIMITED}, "budget": rules})
    for _ in range(2):  # the second process knows the day's number of shards
        cloud.restart(settings={"daily_limit_micros_max": limit_micros})
        guard_budget(cloud.deps)
    return cloud


def _measure(seconds: float) -> dict[str, Any]:
    """Have everybody ask for so long, and return the figures."""
    cloud = _open(BUDGET_MICROS, wait=_in_line, clock=RunningClock())
    limit = cloud.firestore.faults.add("write_rate", per_second=1)
    numbers, started, cpu = count(), time.monotonic(), time.process_time()

    def ask(_caller: int) -> Counter[str]:
        outcomes: Counter[str] = Counter()
        while time.monotonic() < started + seconds:
            outcomes[_outcome(cloud, f"user-{next(numbers)}")] += 1
        return outcomes

    def review() -> int:
        failed = 0
        for number in range(1, REVIEWS + 1):
            time.sleep(max(started + number * seconds / (REVIEWS + 1) - time.monotonic(), 0))
            change = {"budget": {"dailyLimitMicros": BUDGET_MICROS - number % 2 * DOLLARS}}
            admin_set_config(AdminSetConfig(changes=change), "root", cloud.deps)
            failed += guard_budget(cloud.deps)["failed"]
        return failed

    with ThreadPoolExecutor(CALLERS + 1) as pool:
        reviewing = pool.submit(review)
        outcomes = sum(pool.map(ask, range(CALLERS)), Counter[str]())
    elapsed, cpu = time.monotonic() - started, time.process_time() - cpu
    found = [each.to_dict() or {} for each in cloud.client.collection_group("shards").stream()]
    used = sum(each["reserved"] + each["spent"] for each in found)
    return {
        "calls_per_s": round(outcomes["served"] / elapsed, 1),
        "refused_share": round(1 - outcomes["served"] / outcomes.total(), 4),
        "cpu_ms_per_call": round(cpu / outcomes.total() * 1_000, 1),
        "shards": len(found),
        "overshoot_micros": max(used - BUDGET_MICROS, 0),
        "writes_delayed": limit.delayed,
        "reviews_failed": reviewing.result(),
    }


def _outcome(cloud: InProcessCloud, user: str) -> str:
    try:
        classify(cloud, user, f"request-of-{user}", "instant", allowBatch=False)
    except EcolaneError:
        return "refused"
    except Exception as error:
        if will_pass(error):
            return "busy"  # the app is asked to come back in ten seconds
        raise
    return "served"


def _usable_share() -> float:
    """Use up a small budget, and return which share of it is spent."""
    cloud, numbers, refused = _open(SMALL_BUDGET_MICROS), count(), 0
    while refused < REFUSED_IN_A_ROW:
        refused = 0 if _outcome(cloud, f"user-{next(numbers)}") == "served" else refused + 1
    spent: int = sum((each.to_dict() or {})["spent"] for each in cloud.client.collection_group("shards").stream())
    return round(spent / SMALL_BUDGET_MICROS, 4)
