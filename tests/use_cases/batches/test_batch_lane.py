"""The batch lane as users and operators see it: photos in, cron, results out, whatever the provider does meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from google.cloud.firestore import DELETE_FIELD

from localcloud.openai import OpenAIStandIn
from tests.app import App
from tests.conftest import Configure
from tests.photo_files import INTERLACED_AND_CUT_OFF

FIVE_MINUTES = timedelta(minutes=5)


@pytest.fixture
def openai(app: App) -> OpenAIStandIn:
    """The stand-in behind the functions, for its faults and its request counters."""
    assert app.cloud.openai is not None
    return app.cloud.openai


def batches_of(app: App, job_ids: list[str]) -> list[dict[str, Any]]:
    """Return the documents of the batches that these jobs are, or were last, in."""
    client = app.cloud.firestore_client()
    ids = {app.stored_job(job_id)["batchId"] for job_id in job_ids}
    return [client.document(f"batches/{batch_id}").get().to_dict() or {} for batch_id in ids if batch_id]


def test_queued_photos_come_back_as_results(app: App) -> None:
    """Photos that were queued become results, each at one token and half the price of an instant one."""
    instant = app.classify(mode="instant")
    ids = [app.classify()["jobId"] for _ in range(4)]
    jobs = app.until_final(*ids)
    assert [job["status"] for job in jobs] == ["done"] * 4
    assert all(job["result"]["itemName"] for job in jobs)
    full = app.stored_job(instant["jobId"])["costMicros"]
    assert all(app.stored_job(job_id)["costMicros"] == pytest.approx(full / 2, abs=2) for job_id in ids)
    assert app.statement()[2:] == [("charge", -1, 4), ("charge", -1, 3), ("charge", -1, 2), ("charge", -1, 1)]


def test_many_photos_are_one_batch_and_few_calls(app: App, openai: OpenAIStandIn) -> None:
    """Photos queued together are one OpenAI batch: one upload and one create for all, and never a call a job."""
    ids = [app.classify()["jobId"] for _ in range(8)]
    openai.requests.reset()
    app.until_final(*ids)
    counts = openai.requests
    assert counts["POST /v1/files"] == counts["POST /v1/batches"] == 1
    assert sum(counts.values()) < len(ids)
    (batch,) = batches_of(app, ids)
    assert (batch["state"], batch["jobCount"], batch["doneCount"]) == ("done", 8, 8)
    assert batch["costMicros"] == sum(app.stored_job(job_id)["costMicros"] for job_id in ids)


def test_a_photo_of_the_last_release_that_was_replaced_fails_alone(app: App) -> None:
    """Where no digest was kept, what is uploaded over a queued photo is looked at anew; if it is none, its job fails
    with a refund and the reason, and the others of the batch are sent."""
    path = app.upload()
    lost, kept = app.classify(path)["jobId"], app.classify()["jobId"]
    app.cloud.firestore_client().document(f"aiJobs/{lost}").update({"imageDigest": DELETE_FIELD})
    app.upload(INTERLACED_AND_CUT_OFF, path.rpartition("/")[2])
    lost_job, kept_job = app.until_final(lost, kept)
    assert (lost_job["status"], lost_job["error"]["code"]) == ("failed", "INVALID_IMAGE")
    assert lost_job["error"]["problem"] == "cutOff"
    assert kept_job["status"] == "done"
    assert app.statement() == [("welcome", 10, 10), ("charge", -1, 9), ("charge", -1, 8), ("refund", 1, 9)]


def test_duplicate_ticks_do_no_harm(app: App, openai: OpenAIStandIn) -> None:
    """Scheduler delivers at least once: every trigger twice at the same moment gives every photo one attempt and one
    result."""
    ids = [app.classify()["jobId"] for _ in range(3)]
    openai.requests.reset()
    for _ in range(8):
        with ThreadPoolExecutor(4) as pool:
            ticks = list(pool.map(app.cloud.cron.fire, ["submit_batches", "poll_batches"] * 2))
        assert all(tick.ok for tick in ticks)
        app.cloud.advance(FIVE_MINUTES)
    assert [app.job(job_id)["status"] for job_id in ids] == ["done"] * 3
    assert 1 <= openai.requests["POST /v1/batches"] <= len(ids)
    assert [app.job(job_id)["attempts"] for job_id in ids] == [1] * 3
    assert app.statement()[1:] == [("charge", -1, 9), ("charge", -1, 8), ("charge", -1, 7)]


def test_links_instead_of_photos(app: App, configure: Configure) -> None:
    """By setting, the provider is sent links and fetches the photos by them, with the same result."""
    configure({"batch": {"signedUrls": True}})
    (job,) = app.until_final(app.classify()["jobId"])
    assert job["status"] == "done"


def test_openais_own_webhook_shortens_the_wait(app: App, openai: OpenAIStandIn) -> None:
    """With webhooks a batch is collected by the next tick after it has ended, and not by the next poll in its
    schedule."""
    openai.faults.add(kind="batch_minutes", minutes=121)
    job_id = app.classify()["jobId"]
    queued_at = app.cloud.clock()
    app.until_final(job_id)
    assert app.cloud.clock() - queued_at < timedelta(minutes=121 + 3 * 5)
