"""A budget for 500 calls, and 2,000 requests from 200 users at once: is the limit passed, and how much of it is used?

The whole product in one process, over the in-process Firestore, whose locks are waited for in line. The provider takes
its time, by chance; some calls fail, some never end. A watcher adds up the shards, at one moment each time. The second
round does the same with batches in flight, which take their part of the same budget.
"""

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from google.cloud.firestore import Transaction, transactional

from functions.adapters.transient_errors import will_pass
from functions.core.budget.shards import SHARDS_MIN
from functions.core.shared.errors import EcolaneError
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.operations.guard_budget import guard_budget
from localcloud.firestore.locks import Owner
from scripts.benchmarks.calls import UNLIMITED, classify
from scripts.inprocess import CrashError, InProcessCloud

REQUESTS = 2_000
CONCURRENCY = 200
CALLS_AFFORDABLE = 500
BATCH_JOBS = 400
SEED = 7
LATENCY_SECONDS = (0.1, 0.8)
FAILED_SHARE = 0.05
CRASHED_SHARE = 0.05
LOCK_SECONDS = 10.0


def _in_line(waiting: Owner, _seconds: float) -> bool:
    """Wait for a lock as a call to Firestore does: until it is one's turn, or for too long."""
    return waiting.wake.wait(LOCK_SECONDS)


def run() -> dict[str, Any]:
    """Return the promised figures of both rounds, the worse of each; the share of the budget that was used; and what
    became of the calls of the first round, those turned away by contention (`busy`) among them."""
    rounds = [_Round(batch_jobs=0).run(), _Round(batch_jobs=BATCH_JOBS).run()]
    limit = rounds[0]["limit"]
    return {
        "requests": REQUESTS,
        "concurrency": CONCURRENCY,
        "limit_micros": limit,
        "reserved_plus_spent_micros_max": max(found["most"] for found in rounds),
        "overshoot_micros": max(max(found["most"] - found["limit"], 0) for found in rounds),
        "usable_share": round(rounds[0]["share"], 4),
        "usable_share_with_batches": round(rounds[1]["share"], 4),
        **{name: rounds[0][name] for name in ("served", "crashed", "refused", "busy", "seconds")},
        "batch_jobs_in_flight": rounds[1]["batched"],
    }


class _Round:
    """One budget, and everybody at it."""

    def __init__(self, batch_jobs: int) -> None:
        self._cloud = InProcessCloud(wait=_in_line, seed=SEED)
        self._chance = random.Random(SEED)  # noqa: S311  (a benchmark, which is repeatable)
        self._batch_jobs = batch_jobs
        self._over = threading.Event()
        self._most = 0

    def run(self) -> dict[str, Any]:
        """Return limit, the most that was ever reserved and spent, the share used, and what became of the calls."""
        cloud = self._cloud
        limit = CALLS_AFFORDABLE * self._held_for_a_call()
        rules = {"dailyLimitMicros": limit, "monthlyLimitMicros": 100 * limit, "perUserDailyMicros": limit}
        cloud.configure({"tokens": {"welcome": 200}, "plans": {"free": UNLIMITED}, "budget": rules})
        for number in range(self._batch_jobs):
            self._classify(f"batch-{number % CONCURRENCY}", number, "batch")
        guard_budget(cloud.deps)
        watcher = threading.Thread(target=self._watch)
        watcher.start()
        cloud.interrupt = self._disturb
        started = time.monotonic()
        with ThreadPoolExecutor(CONCURRENCY + 1) as pool:
            submitter = pool.submit(submit_batches, cloud.deps) if self._batch_jobs else None
            outcomes = Counter(pool.map(self._request, range(REQUESTS)))
        ended = time.monotonic()
        cloud.interrupt = lambda _call, _when: None
        self._over.set()
        watcher.join()
        used = self._used()
        return {
            "limit": limit,
            "most": max(self._most, used),
            "share": used / limit,
            "batched": submitter.result()["jobs"] if submitter else 0,
            "seconds": round(ended - started, 1),
            **{name: outcomes[name] for name in ("served", "refused", "crashed", "busy")},
        }

    def _held_for_a_call(self) -> int:
        probe = InProcessCloud(seed=SEED)
        job_id = self._classify("probe", 0, "instant", probe)["jobId"]
        hold = (probe.client.document(f"aiJobs/{job_id}").get().to_dict() or {})["hold"]
        return int(hold["lineMicros"])

    def _request(self, number: int) -> str:
        try:
            self._classify(f"user-{number % CONCURRENCY}", number, "instant")
        except EcolaneError as error:
            return "refused" if error.reason == "BUDGET_EXHAUSTED" else "failed"
        except CrashError:
            return "crashed"
        except Exception as error:
            if will_pass(error):
                return "busy"  # the app is asked to retry in ten seconds
            raise
        return "served"

    def _classify(self, user: str, number: int, mode: str, cloud: InProcessCloud | None = None) -> dict[str, Any]:
        allowed = {"allowBatch": False} if mode == "instant" else {}
        return classify(cloud or self._cloud, user, f"{mode}-request-{number}", mode, **allowed)

    def _disturb(self, call: str, when: str) -> None:
        """Let the provider take its time; let some calls end there, before or after it has worked."""
        if call != "openai.complete":
            return
        time.sleep(self._chance.uniform(*LATENCY_SECONDS))
        if self._chance.random() < CRASHED_SHARE / 2:
            raise CrashError
        if when == "before" and self._chance.random() < FAILED_SHARE:
            self._cloud.openai.faults.add(kind="server_error", endpoint="POST /v1/chat/completions")

    def _watch(self) -> None:
        while not self._over.is_set():
            self._most = max(self._most, self._used())
            time.sleep(0.02)

    def _used(self) -> int:
        """Add up what is reserved and spent on all shards, at one moment."""
        day = self._cloud.clock().date().isoformat()
        client = self._cloud.client
        refs = [client.document("budget", day, "shards", str(number)) for number in range(SHARDS_MIN)]

        @transactional
        def body(transaction: Transaction) -> int:
            found = [each.to_dict() or {} for each in client.get_all(refs, transaction=transaction)]
            return sum(int(each.get("reserved", 0)) + int(each.get("spent", 0)) for each in found)

        used: int = body(client.transaction(read_only=True))
        return used
