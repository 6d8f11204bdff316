"""What one batch job bills, from the app's call to the result: 1,000 jobs queued at once, cron every five minutes."""

import base64
from datetime import timedelta
from typing import Any

from google.cloud.firestore import FieldFilter

from functions.use_cases.batches.openai_webhook import openai_webhook
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.jobs.recover_jobs import recover_jobs
from scripts.benchmarks.calls import classify
from scripts.inprocess import InProcessCloud

JOBS = 1_000
JOBS_PER_USER = 5
PROVIDER_MINUTES = 240
CRON = timedelta(minutes=5)
SECRET = "whsec_" + base64.b64encode(b"any secret will do here").decode()


def run() -> dict[str, Any]:
    """Return reads, writes and deletes a job, and OpenAI calls a thousand jobs; each user's first contact included.
    Figures with webhooks follow, under names that say so."""
    with_webhooks = {
        f"{name}_with_webhooks": figure for name, figure in _measure(webhooks=True).items() if name != "jobs"
    }
    return {**_measure(webhooks=False), **with_webhooks}


def _measure(*, webhooks: bool) -> dict[str, Any]:
    cloud: InProcessCloud = InProcessCloud(
        seed=1,
        batch_minutes=PROVIDER_MINUTES,
        webhook_secret=SECRET,
        webhook_url="in-process" if webhooks else None,
        send_webhook=lambda _url, body, headers: openai_webhook(body, headers, cloud.deps),
    )
    cloud.openai.faults.add(kind="batch_minutes", minutes=PROVIDER_MINUTES, count=None)
    for number in range(JOBS):
        classify(cloud, f"user-{number // JOBS_PER_USER}", f"request-{number}", "batch")
    started = cloud.clock()
    done = 0
    while done < JOBS:
        if cloud.clock() - started > timedelta(hours=26):
            raise RuntimeError(f"only {done} of {JOBS} jobs were done after 26 hours")
        cloud.openai.tick()
        submit_batches(cloud.deps)
        done += poll_batches(cloud.deps)["done"]
        if cloud.clock().minute % 10 == 0:
            recover_jobs(cloud.deps)
        cloud.clock.advance(CRON)
    totals = cloud.firestore.bill.snapshot()["totals"]
    _check(cloud)
    return {
        "jobs": JOBS,
        "reads_per_job": totals["reads"] / JOBS,
        "writes_per_job": totals["writes"] / JOBS,
        "deletes_per_job": totals["deletes"] / JOBS,
        "openai_calls_per_1000_jobs": sum(cloud.openai.requests.values()) * 1_000 / JOBS,
        "wait_hours": round((cloud.clock() - CRON - started) / timedelta(hours=1), 2),
    }


def _check(cloud: InProcessCloud) -> None:
    """Make sure that what was counted was the work: every job has its result."""
    done = cloud.client.collection("aiJobs").where(filter=FieldFilter("status", "==", "done")).stream()
    results = sum(1 for snapshot in done if (snapshot.to_dict() or {}).get("result"))
    if results != JOBS:
        raise RuntimeError(f"{results} of {JOBS} jobs have a result")
