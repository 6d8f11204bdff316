"""One day of credit refresh for 100,000 users: what it bills, how evenly it comes, what memory and time it takes.

The embedded Firestore is a process of its own, and so is every worker, where memory and time are measured. A worker
runs the use case every five minutes of a moved day. Then everybody is made due at once: how many users a second do one
and two workers refresh? Each has an entry a day, ten tokens more; a further tenth is dormant.
"""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore import Client

from functions.core.config.plans import Plan
from functions.core.config.runtime import RuntimeConfig
from functions.core.refresh.refresh import credit_due
from functions.deploy.params import Settings
from functions.use_cases.refresh.refresh_credits import refresh_credits
from functions.wiring import Deps
from scripts.benchmarks.processes import firestore, python, rss_mb
from scripts.ecolane_cloud import PROJECT
from scripts.inprocess import StillClock

USERS_SMALL, USERS_LARGE = 10_000, 100_000
DORMANT_SHARE = 10
MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
DAY, WINDOW, SECOND = timedelta(days=1), timedelta(minutes=5), timedelta(seconds=1)
SEEDED_PER_COMMIT = 500


def run() -> dict[str, Any]:
    """Return the figures. Reads and writes are all that was billed, those of the runs themselves included. Raises
    RuntimeError if a user was refreshed twice or not at all, or a dormant user cost something."""
    with firestore() as (host, _):
        _seed(host, USERS_SMALL)
        small = _workers(host, "day")[0]
        overlapping = _workers(host, "at_once", DAY, "", "")
        _require(sum(worker["refreshed"] for worker in overlapping), USERS_SMALL)
    with firestore() as (host, admin):
        _seed(host, USERS_LARGE)
        httpx.post(f"{admin}/bill/reset").raise_for_status()
        large = _workers(host, "day")[0]
        bill = httpx.get(f"{admin}/bill").raise_for_status().json()
        _require(sum(large["windows"]), USERS_LARGE)
        _require(bill["by_collection"]["wallet"]["writes"], USERS_LARGE)
        one = _workers(host, "at_once", DAY, "")
        two = _workers(host, "at_once", 2 * DAY, "x-worker-1-of-2", "x-worker-2-of-2")
        for workers in (one, two):
            _require(sum(worker["refreshed"] for worker in workers), USERS_LARGE)
    return {
        "users": USERS_LARGE,
        "reads_per_user": round(bill["totals"]["reads"] / USERS_LARGE, 3),
        "writes_per_user": round(bill["totals"]["writes"] / USERS_LARGE, 3),
        "peak_to_mean": round(max(large["windows"]) * len(large["windows"]) / USERS_LARGE, 3),
        "rss_mb_small": small["rss_mb"],
        "rss_mb_large": large["rss_mb"],
        "users_per_s": round(USERS_LARGE / one[0]["seconds"]),
        "users_per_s_2_workers": round(USERS_LARGE / max(worker["seconds"] for worker in two)),
    }


def _require(counted: int, users: int) -> None:
    if counted != users:
        raise RuntimeError(f"{counted} refreshes of {users} users")


def _seed(host: str, users: int) -> None:
    """Store the wallets of users who came just before midnight, and of dormant ones beside them."""
    os.environ["FIRESTORE_EMULATOR_HOST"] = host  # the client takes an emulator's address from nowhere else
    client = Client(PROJECT, AnonymousCredentials())  # type: ignore[no-untyped-call]
    runtime, now = RuntimeConfig(), MIDNIGHT - 30 * SECOND

    def commit(start: int) -> None:
        batch = client.batch()
        for number in range(start, start + SEEDED_PER_COMMIT):
            uid = f"user-{number}"
            wallet = credit_due(None, uid, runtime, now).with_fields(plan=Plan.PLUS).wallet
            if number >= users:
                wallet = wallet.model_copy(update={"next_refresh_at": None})
            batch.set(client.document("users", uid, "wallet", "main"), wallet.model_dump(by_alias=True))
        batch.commit(timeout=60)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(commit, range(0, users + users // DORMANT_SHARE, SEEDED_PER_COMMIT)))


def _workers(host: str, what: str, after: timedelta = timedelta(0), *jobs: str) -> list[dict[str, Any]]:
    """Run a worker for each job name at the same time, each in a process of its own, and return what they measured."""
    command = ("-m", "scripts.benchmarks.refresh", host, what, int(after.total_seconds()))
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda job: python(*command, job), jobs or ("",)))


def _work(host: str, what: str, after: timedelta, job: str) -> dict[str, Any]:
    """Be a worker: run every five minutes of a day, or once when everybody is due."""
    clock = StillClock(MIDNIGHT + after)
    deps = Deps(Settings(PROJECT, "no-bucket", "no-model", "http://nowhere", "no-key"), clock)
    os.environ["FIRESTORE_EMULATOR_HOST"] = host
    started = time.perf_counter()
    windows = []
    for end in range(DAY // WINDOW) if what == "day" else [DAY // WINDOW - 1]:
        clock.now = MIDNIGHT + after + (end + 1) * WINDOW - SECOND
        windows.append(refresh_credits(deps, job)["refreshed"])
    return {
        "windows": windows,
        "refreshed": sum(windows),
        "seconds": time.perf_counter() - started,
        "rss_mb": round(rss_mb(), 1),
    }


if __name__ == "__main__":
    _host, _what, _after, _job = sys.argv[1:]
    print(json.dumps(_work(_host, _what, timedelta(seconds=int(_after)), _job)))
