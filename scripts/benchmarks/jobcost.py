"""What one batch job bills, from the app's call to the result: 1,000 jobs queued at once, cron every five minutes."""

from datetime import timedelta
from typing import Any

from google.cloud.firestore import FieldFilter

from functions.classify_image import ClassifyImage, classify_image
from functions.poll_batches import poll_batches
from functions.submit_batches import submit_batches
from scripts.drawings import drawn_photos
from scripts.emulators.inprocess import InProcessCloud

JOBS = 1_000
JOBS_PER_USER = 5
PROVIDER_MINUTES = 240
CRON = timedelta(minutes=5)


def run() -> dict[str, Any]:
    """Return reads, writes and deletes a job, and OpenAI calls a thousand jobs; each user's first contact included."""
    cloud = InProcessCloud(seed=1, batch_minutes=PROVIDER_MINUTES)
    cloud.openai.faults.add(kind="batch_minutes", minutes=PROVIDER_MINUTES, count=None)
    photo = next(iter(drawn_photos().values()))
    for number in range(JOBS):
        user = f"user-{number // JOBS_PER_USER}"
        request = {
            "requestId": f"request-{number}",
            "imagePath": cloud.upload(user, f"{number}.jpg", photo),
            "mode": "batch",
        }
        classify_image(ClassifyImage.model_validate(request), user, cloud.deps)
    started = cloud.clock()
    counts = {"done": 0}
    while counts["done"] < JOBS:
        if cloud.clock() - started > timedelta(hours=26):
            raise RuntimeError(f"only {counts['done']} of {JOBS} jobs were done after 26 hours")
        submit_batches(cloud.deps)
        counts["done"] += poll_batches(cloud.deps)["done"]
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
