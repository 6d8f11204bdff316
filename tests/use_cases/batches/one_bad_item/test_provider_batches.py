"""Batches that the provider loses, never ends, or reports in words that nobody knows."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from localcloud.openai.batch_state import Batch as StandInBatch
from scripts.inprocess import InProcessCloud
from tests.steps import FIVE_MINUTES, enqueue, held, job, letters, statuses, stored, wallet
from tests.use_cases.batches.one_bad_item.steps import CONFIG, alert_texts, batch_ids, ticks


def reported_as(monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Have the provider report each batch with these changes."""
    public = StandInBatch.public
    monkeypatch.setattr(StandInBatch, "public", lambda batch, now: {**public(batch, now), **change(public(batch, now))})


def test_a_hundred_batches_that_are_not_found_hold_up_no_other(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each poll moves a batch on, whatever comes of it: a newer one that has ended is collected within minutes."""
    cloud.configure({**CONFIG, "batch": {"jobsPerBatch": 1, "batchesPerRun": 20, "pollsPerRun": 10}})
    jobs = enqueue(cloud, "ann", 20)
    submit_batches(cloud.deps)
    gone = batch_ids(cloud)
    for batch_id in gone:
        cloud.client.document(f"batches/{batch_id}").update({"openaiBatchId": "batch_gone"})
    cloud.clock.advance(FIVE_MINUTES)
    (newer,) = enqueue(cloud, "bob")
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(minutes=10))
    ticks(cloud, timedelta(minutes=25))
    assert statuses(cloud, [newer]) == ["done"]
    assert {stored(cloud, f"batches/{batch_id}")["state"] for batch_id in gone} == {"submitted"}
    ticks(cloud, timedelta(hours=29))
    assert set(statuses(cloud, jobs)) == {"failed"}
    assert held(cloud) == 0


@pytest.mark.parametrize("error", ["crash", "down"])
def test_every_error_about_a_batch_has_an_end(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    """A batch that crashes every poll, or about which OpenAI never answers again, is given up after 28 hours: its jobs
    are refunded, its hold is booked, and operators find a dead letter or its alert."""
    jobs = enqueue(cloud, "ann", 2)
    submit_batches(cloud.deps)
    if error == "crash":
        monkeypatch.setattr(cloud.files, "read_manifest", lambda _batch_id: 1 // 0)
    else:
        cloud.openai.faults.add(kind="server_error", endpoint="GET /v1/batches/*", count=None)
    ticks(cloud, timedelta(hours=31))
    assert statuses(cloud, jobs) == ["failed"] * 2
    assert wallet(cloud)["balance"] == 200
    assert {stored(cloud, f"batches/{each}")["state"] for each in batch_ids(cloud)} <= {"done", "failed"}
    assert held(cloud) == 0


def test_a_provider_that_is_down_is_not_asked_about_every_batch(cloud: InProcessCloud) -> None:
    """After five batches in a row without an answer the run stops: each may take half a minute."""
    cloud.configure({**CONFIG, "batch": {"jobsPerBatch": 1, "batchesPerRun": 20}})
    enqueue(cloud, "ann", 12)
    submit_batches(cloud.deps)
    cloud.openai.faults.add(kind="unavailable", endpoint="GET /v1/batches/*", count=None)
    cloud.clock.advance(timedelta(minutes=30))
    cloud.openai.requests.reset()
    assert poll_batches(cloud.deps)["delayed"] == 5
    assert sum(cloud.openai.requests.values()) == 5


def test_an_unknown_state_is_waited_for_and_told(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state that OpenAI adds crashes nothing: it is reported, and the batch is collected when it has ended."""
    (job_id,) = enqueue(cloud, "ann")
    submit_batches(cloud.deps)
    with monkeypatch.context() as patch:
        reported_as(patch, lambda _batch: {"status": "paused"})
        cloud.clock.advance(timedelta(minutes=30))
        assert poll_batches(cloud.deps)["crashed"] == 0
    (batch_id,) = batch_ids(cloud)
    assert stored(cloud, f"batches/{batch_id}")["providerState"] == "paused"
    assert any("'paused'" in text for text in alert_texts(cloud, "batch_stuck"))
    ticks(cloud, timedelta(hours=1))
    assert statuses(cloud, [job_id]) == ["done"]


def test_paid_answers_are_waited_for(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that is `completed` with three answers, and names its file only twenty minutes later, brings all three at
    their first attempt."""
    jobs = enqueue(cloud, "ann", 3)
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(minutes=30))
    with monkeypatch.context() as patch:
        reported_as(patch, lambda _batch: {"output_file_id": None})
        ticks(cloud, timedelta(minutes=20))
        assert statuses(cloud, jobs) == ["processing"] * 3
    ticks(cloud, timedelta(minutes=30))
    assert [(job(cloud, each)["status"], job(cloud, each)["attempts"]) for each in jobs] == [("done", 1)] * 3


@pytest.mark.parametrize("never", ["named", "there"])
def test_answers_that_never_come_are_waited_for_a_while(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch, never: str
) -> None:
    """A file that is never named, or never found, costs its photos an attempt after two hours, and is booked."""
    (job_id,) = enqueue(cloud, "ann")
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(minutes=30))
    with monkeypatch.context() as patch:
        if never == "named":
            reported_as(patch, lambda _batch: {"output_file_id": None})
        else:
            cloud.openai.faults.add(kind="not_found", endpoint="GET /v1/files/*", count=None)
        ticks(cloud, timedelta(minutes=90))
        assert statuses(cloud, [job_id]) == ["processing"]
        ticks(cloud, timedelta(minutes=90))
    cloud.openai.faults.clear()
    assert stored(cloud, f"batches/{batch_ids(cloud)[0]}")["costMicros"] > 0
    ticks(cloud, timedelta(hours=1))
    assert (job(cloud, job_id)["status"], job(cloud, job_id)["attempts"]) == ("done", 2)


def test_a_lost_batch_among_too_many_is_not_created_again(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever cannot tell whether OpenAI has a batch does not pay for it twice: it is looked for again, and its jobs
    are refunded after a day."""
    monkeypatch.setattr("functions.adapters.providers.openai.LISTED_BATCHES_MAX", 3)
    (job_id,) = enqueue(cloud, "ann")
    cloud.openai.faults.add(kind="reply_lost", endpoint="POST /v1/batches")
    submit_batches(cloud.deps)
    (batch_id,) = batch_ids(cloud)
    for number in range(5):
        cloud.deps.provider.create_batch(f"other-{number}", stored(cloud, f"batches/{batch_id}")["inputFileId"])
    cloud.openai.requests.reset()
    ticks(cloud, timedelta(hours=6))
    assert stored(cloud, f"batches/{batch_id}")["state"] == "uploaded"
    ticks(cloud, timedelta(hours=24))
    assert cloud.openai.requests["POST /v1/batches"] == 0
    assert statuses(cloud, [job_id]) == ["failed"]
    assert held(cloud) == 0
    assert list(letters(cloud)) == [f"batches/{batch_id}"]


def test_one_failed_look_does_not_give_up_a_batch_that_is_there(cloud: InProcessCloud) -> None:
    """No submitter ran for 29 hours, and the first look fails: the next one finds the batch, answered and paid for."""
    (job_id,) = enqueue(cloud, "ann")
    cloud.openai.faults.add(kind="reply_lost", endpoint="POST /v1/batches")
    submit_batches(cloud.deps)
    (batch_id,) = batch_ids(cloud)
    cloud.openai.tick()
    cloud.clock.advance(timedelta(hours=29))
    cloud.openai.faults.add(kind="server_error", endpoint="GET /v1/batches")
    submit_batches(cloud.deps)
    assert stored(cloud, f"batches/{batch_id}")["failedPolls"] == 1
    ticks(cloud, timedelta(hours=2))
    assert statuses(cloud, [job_id]) == ["done"]
    assert stored(cloud, f"batches/{batch_id}")["failedPolls"] == 0
    assert letters(cloud) == {}
