"""50,000 results, collected by `poll_batches` from one batch and from 500: how long, how much memory, and what it
bills.

The embedded Firestore has a process of its own, spoken to over gRPC; OpenAI's file is made as it is read; files go to
disk. The one batch is collected a second time by runs of a few seconds: several of them end it.
"""

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore import Client

from functions.adapters.firestore import FirestoreStore
from functions.core.batches.batches import Batch, BatchState
from functions.core.batches.reports import ProviderBatch, ProviderState
from functions.core.jobs.jobs import JOB_LIFETIME, Job, Status
from functions.core.shared.lanes import Lane
from functions.core.shared.time_limits import FUNCTION_TIMEOUT, RUN_TIME
from functions.deploy.params import Settings
from functions.use_cases.batches import poll_batches
from functions.use_cases.budget.days import open_day
from functions.use_cases.budget.spending import hold_for_batch
from functions.use_cases.rollouts.serving import way_in_force
from functions.wiring import Deps
from scripts.benchmarks.batchfile import LARGE, SMALL, Answers, DiskFiles, job_id_of, member
from scripts.benchmarks.processes import firestore, python, rss_mb
from scripts.ecolane_cloud import PROJECT
from scripts.inprocess import MemoryMessaging, replaced

PAGE = 500
MANY_SIZE = 100
SHORT_RUN = timedelta(seconds=9)


def run() -> dict[str, Any]:
    """Return seconds, reads and writes for 50,000 results, and what memory grows by over 1,000."""
    small, large = collected(SMALL, SMALL), collected(LARGE, LARGE)
    short, many = collected(LARGE, LARGE, SHORT_RUN), collected(LARGE, MANY_SIZE)
    return {
        "lines": LARGE,
        "seconds": round(large["seconds"], 1),
        "lines_per_s": round(LARGE / large["seconds"]),
        "runs": large["runs"],
        "function_timeout_s": round(FUNCTION_TIMEOUT.total_seconds()),
        "rss_growth_mb_1k_to_50k": round(large["rss_mb"] - small["rss_mb"], 1),
        "reads": large["reads"],
        "writes": large["writes"],
        "short_run_s": round(SHORT_RUN.total_seconds()),
        "short_runs": short["runs"],
        "short_runs_longest_s": round(short["longest"], 1),
        "short_runs_seconds": round(short["seconds"], 1),
        "short_runs_writes": short["writes"],
        "batches_of_100": LARGE // MANY_SIZE,
        "batches_of_100_seconds": round(many["seconds"], 1),
        "batches_of_100_runs": many["runs"],
        "batches_of_100_writes": many["writes"],
    }


def collected(lines: int, size: int, run_time: timedelta = RUN_TIME) -> dict[str, float]:
    """Collect so many lines from batches of that size, in processes of their own, and return the figures."""
    with firestore() as (host, admin_url):
        figures: dict[str, float] = python(
            *("-m", "scripts.benchmarks.poll", lines, size, run_time.total_seconds(), admin_url),
            environment={"FIRESTORE_EMULATOR_HOST": host},
        )
    return figures


class _Provider(Answers):
    """OpenAI's part: batches that have ended. The id of one, and of its output file, says which lines it has."""

    def retrieve_batch(self, provider_batch_id: str) -> ProviderBatch:
        return ProviderBatch(provider_batch_id, ProviderState.COMPLETED, provider_batch_id)

    def read_lines(self, file_id: str, _run_seconds: float) -> Iterator[dict[str, Any]]:
        first, end = map(int, file_id.split("-"))
        return map(self.line, reversed(range(first, end)))


def _deps(lines: int, folder: Path) -> Deps:
    settings = Settings(PROJECT, "bucket", "gpt-6-luna", "http://openai.local", "key")
    client = Client(project=settings.project, credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]
    client.document("config/runtime").set(
        {"budget": {"dailyLimitMicros": 10_000_000_000, "monthlyLimitMicros": 100_000_000_000}}
    )
    return replaced(
        Deps(settings, lambda: datetime.now(UTC)),
        store=FirestoreStore(client),
        files=DiskFiles(folder),
        provider=_Provider(lines),
        messaging=MemoryMessaging(),
    )


def _store_batch(first: int, end: int, deps: Deps) -> None:
    """Leave a submitted batch behind, with its jobs, hold and list of jobs."""
    now, batch_id = deps.clock(), f"batch-{first}"
    hold, room = hold_for_batch(end - first, way_in_force(deps.settings.openai_model, deps), deps)
    if room < end - first:
        raise RuntimeError(f"there is budget for {room} lines")
    batch = Batch(
        batch_id=batch_id,
        state=BatchState.SUBMITTED,
        created_at=now - timedelta(hours=1),
        due_at=now,
        model="gpt-6-luna",
        job_count=end - first,
        provider_batch_id=f"{first}-{end}",
        hold=hold,
    )
    deps.store.create_batch(batch)
    client = deps.store._client
    with deps.files.write_manifest(batch_id) as manifest:
        for start in range(first, end, PAGE):
            numbers, writes = range(start, min(start + PAGE, end)), client.batch()
            for number in numbers:
                job = _job(number, batch_id, now)
                ref = client.document(f"aiJobs/{job.job_id}")
                writes.create(ref, job.model_dump(by_alias=True, exclude={"job_id"}))
            writes.commit()
            for number, version in zip(numbers, writes.versions, strict=True):
                manifest.write(member(number, _user(number), now, version).to_line())


def _user(number: int) -> str:
    return f"user-{number % 5_000:028}"


def _job(number: int, batch_id: str, now: datetime) -> Job:
    return Job(
        job_id=job_id_of(number),
        uid=_user(number),
        image_path=f"users/{_user(number)}/uploads/photo.jpg",
        requested_mode=Lane.BATCH,
        mode=Lane.BATCH,
        region="US",
        language="en",
        status=Status.PROCESSING,
        tokens_cost=1,
        attempts=1,
        batch_id=batch_id,
        created_at=now,
        estimated_completion=now,
        opened_by="benchmark",
        expire_at=now + JOB_LIFETIME,
    )


def _measure(lines: int, size: int, run_time: timedelta, admin_url: str) -> dict[str, float]:
    """Collect so many lines from batches of that size. Returns the figures, and the most memory of this process."""
    vars(poll_batches)["RUN_TIME"] = run_time
    with tempfile.TemporaryDirectory() as folder:
        deps = _deps(lines, Path(folder))
        open_day(f"{deps.clock():%Y-%m-%d}", deps)
        for first in range(0, lines, size):
            _store_batch(first, first + size, deps)
        httpx.post(f"{admin_url}/bill/reset").raise_for_status()
        counts: Counter[str] = Counter()
        took = []
        while counts["collected"] < lines // size:
            started = time.perf_counter()
            counts.update(poll_batches.poll_batches(deps))
            took.append(time.perf_counter() - started)
        if counts["done"] != lines:
            raise RuntimeError(f"{counts['done']} of {lines} results were collected")
        bill = httpx.get(f"{admin_url}/bill").json()["totals"]
    return {
        "seconds": sum(took),
        "longest": max(took),
        "runs": len(took),
        "rss_mb": rss_mb(),
        "reads": bill["reads"],
        "writes": bill["writes"],
    }


if __name__ == "__main__":
    print(json.dumps(_measure(int(sys.argv[1]), int(sys.argv[2]), timedelta(seconds=float(sys.argv[3])), sys.argv[4])))
