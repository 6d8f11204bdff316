"""A job's identity, its changes, and what the app sees of it."""

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.core import jobs
from functions.core.errors import KeyReused
from functions.core.jobs import FINAL, RETRYABLE, Failure, Job, JobError, Lane, Status, job_id_for, job_view
from tests.builders import NOW, USAGE, classification, job

LATER = NOW + timedelta(minutes=4)
ERROR = JobError(code=Failure.LINE_MISSING, message="the provider lost this photo's answer")

keys = st.text(st.characters(categories=["L", "N"], include_characters="_-"), min_size=1, max_size=64)


@given(uid=keys, other_uid=keys, key=keys, other_key=keys)
def test_one_key_of_one_user_is_one_job(uid: str, other_uid: str, key: str, other_key: str) -> None:
    """The id follows from user and key alone, is safe in a path, and no two pairs share one."""
    assert re.fullmatch(r"[0-9a-f]{32}", job_id_for(uid, key))
    assert (job_id_for(uid, key) == job_id_for(other_uid, other_key)) == ((uid, key) == (other_uid, other_key))


def test_the_border_between_user_and_key_counts() -> None:
    """User `a` with key `bc` is not user `ab` with key `c`."""
    assert job_id_for("a", "bc") != job_id_for("ab", "c")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"image_path": "users/ana/uploads/can.jpg"}, "imagePath"),
        ({"requested_mode": Lane.INSTANT}, "mode"),
        ({"region": "DE"}, "region"),
        ({"language": "de"}, "language"),
        ({"image_path": "users/ana/uploads/can.jpg", "region": "DE", "language": "de"}, "imagePath"),
    ],
)
def test_a_key_that_comes_with_another_payload_names_the_field(change: dict[str, Any], field: str) -> None:
    """A requestId stands for one request for ever; the first field that differs is named."""
    with pytest.raises(KeyReused, match=field) as refused:
        jobs.require_same_request(job(), job(**change))
    assert refused.value.details == {"field": field}


@pytest.mark.parametrize(
    "progress",
    [
        {},
        {"status": Status.DONE, "attempts": 2, "result": classification()},
        {"mode": Lane.INSTANT, "tokens_cost": 5},
        {"opened_by": "invocation-2", "created_at": NOW + timedelta(days=1)},
    ],
)
def test_the_same_payload_is_the_same_request_however_far_the_job_is(progress: dict[str, Any]) -> None:
    """What happened to a job since, an upgrade included, does not make its own request a foreign one."""
    jobs.require_same_request(job(**progress), job())


def test_a_new_job_has_cost_nothing_and_tried_nothing() -> None:
    """What a job does not say of itself is nothing: no attempt, no cost, no priority."""
    assert (job().attempts, job().cost_micros, job().priority) == (0, 0, 0)


def test_done_comes_with_everything_that_the_app_shows() -> None:
    """One write makes the job done and carries result, usage, cost and time; no error and no lease stay behind."""
    waiting = job(status=Status.PROCESSING, error=ERROR, lease_until=NOW, attempts=2)
    finished = jobs.with_fields(waiting, jobs.done(classification(), USAGE, 720, NOW))
    assert (finished.status, finished.result, finished.usage) == (Status.DONE, classification(), USAGE)
    assert (finished.cost_micros, finished.completed_at) == (720, NOW)
    assert (finished.error, finished.lease_until) == (None, None)


def test_a_failed_job_says_why_and_keeps_its_cost() -> None:
    """A final failure stores its error, what was spent on it and when it ended."""
    ended = jobs.with_fields(job(status=Status.PROCESSING, lease_until=NOW), jobs.failed(ERROR, 55, NOW))
    assert (ended.status, ended.error, ended.cost_micros) == (Status.FAILED, ERROR, 55)
    assert (ended.completed_at, ended.lease_until, ended.result) == (NOW, None, None)


def test_a_job_that_left_the_queue_has_no_place_in_it() -> None:
    """Done, failed, cancelled or upgraded: no submitter finds it, however it ended."""
    for fields in (
        jobs.done(classification(), USAGE, 0, NOW),
        jobs.failed(ERROR, 0, NOW),
        jobs.cancelled(NOW),
        jobs.upgraded("invocation-2", 5, LATER, 0),
    ):
        assert jobs.with_fields(job(), fields).queued_at is None


def test_an_upgraded_job_is_an_instant_one() -> None:
    """Under a lease, for the whole price, as one more attempt, and recognised by the invocation that upgraded it."""
    now = jobs.with_fields(job(attempts=1), jobs.upgraded("invocation-2", 5, LATER, attempts=1))
    assert (now.mode, now.status, now.tokens_cost, now.attempts) == (Lane.INSTANT, Status.PROCESSING, 5, 2)
    assert (now.opened_by, now.lease_until, now.estimated_completion) == ("invocation-2", LATER, None)
    assert now.requested_mode is Lane.BATCH


def test_a_cancelled_job_ended_when_it_was_cancelled() -> None:
    """Its end has a time, and no error."""
    ended = jobs.with_fields(job(), jobs.cancelled(LATER))
    assert (ended.status, ended.completed_at, ended.error) == (Status.CANCELLED, LATER, None)


@pytest.mark.parametrize(("attempts", "minutes"), [(0, 1), (1, 1), (2, 2), (3, 4), (9, 4)])
def test_each_failed_attempt_waits_longer(attempts: int, minutes: int) -> None:
    """One, two, four minutes, and no longer than that."""
    assert jobs.backoff(attempts) == timedelta(minutes=minutes)


def test_jobs_spread_over_the_shards_of_the_queue() -> None:
    """Each shard gets its share, and a job is always in the same one."""
    shards = [jobs.shard_of(job_id_for("ana", str(number))) for number in range(1_600)]
    counts = [shards.count(shard) for shard in range(jobs.QUEUE_SHARDS)]
    assert sum(counts) == 1_600
    assert min(counts) > 50
    assert jobs.shard_of("0123" + "f" * 28) == 0x0123 % jobs.QUEUE_SHARDS


def test_nobody_waits_for_ever() -> None:
    """OpenAI's day and two hours for our own trouble; then the job is given up."""
    assert not jobs.waited_too_long(NOW, NOW + jobs.WAIT_MAX)
    assert jobs.waited_too_long(NOW, NOW + jobs.WAIT_MAX + timedelta(seconds=1))
    assert timedelta(hours=24) < jobs.WAIT_MAX


def test_a_claim_counts_as_an_attempt_and_names_its_batch() -> None:
    """The submitter's claim moves a job to processing for exactly one batch."""
    taken = jobs.with_fields(job(attempts=1), jobs.claimed("batch-7", attempts=1))
    assert (taken.status, taken.batch_id, taken.attempts) == (Status.PROCESSING, "batch-7", 2)


def test_a_requeued_job_belongs_to_no_batch_and_keeps_its_age() -> None:
    """Back in the queue, any batch can claim it when its turn has come, and it is as old as it was."""
    waiting = job(status=Status.PROCESSING, batch_id="batch-7", attempts=2)
    again = jobs.with_fields(waiting, jobs.requeued(ERROR, attempts=2, at=LATER))
    assert (again.status, again.batch_id, again.attempts, again.error) == (Status.QUEUED, None, 2, ERROR)
    assert (again.created_at, again.queued_at) == (waiting.created_at, LATER)


@pytest.mark.parametrize(
    "fields",
    [
        jobs.done(classification(), USAGE, 720, NOW),
        jobs.failed(ERROR, 0, NOW),
        jobs.claimed("b", 0),
        jobs.cancelled(NOW),
        jobs.upgraded("invocation-2", 5, NOW, 0),
        jobs.requeued(ERROR, attempts=1, at=NOW),
    ],
    ids=["done", "failed", "claimed", "cancelled", "upgraded", "requeued"],
)
def test_every_change_names_fields_that_a_job_has(fields: jobs.Fields) -> None:
    """A misspelt field would be stored and never read again."""
    assert set(fields) <= {field.alias for field in Job.model_fields.values()}


def test_the_app_sees_json_and_nothing_internal() -> None:
    """The view holds what the app shows, times as ISO text in UTC, and no provider cost, lease or owner."""
    view = job_view(job(status=Status.DONE, result=classification(), completed_at=NOW, cost_micros=720, usage=USAGE))
    assert view["jobId"] == "0" * 32
    assert (view["status"], view["mode"], view["tokensCost"]) == ("done", "batch", 1)
    assert (view["createdAt"], view["completedAt"]) == ("2026-11-21T12:00:00Z", "2026-11-21T12:00:00Z")
    assert view["result"]["itemName"] == "Water bottle"
    hidden = {"uid", "imagePath", "costMicros", "usage", "batchId", "openedBy", "leaseUntil", "expireAt", "priority"}
    assert hidden.isdisjoint(view)


def test_another_attempt_is_made_only_where_it_may_help() -> None:
    """A photo that is gone, broken or rejected fails the same way again; everything else may pass."""
    final = {Failure.IMAGE_NOT_FOUND, Failure.INVALID_IMAGE, Failure.PROVIDER_REJECTED}
    assert final.isdisjoint(RETRYABLE)
    assert {Failure.ANSWER_UNUSABLE, Failure.PROVIDER_UNAVAILABLE} <= RETRYABLE
    assert {Failure.BATCH_EXPIRED, Failure.BATCH_FAILED, Failure.LINE_MISSING} <= RETRYABLE


def test_final_states_are_those_that_nothing_leaves() -> None:
    """Done, failed and cancelled are final; queued and processing are on their way."""
    assert set(Status) - FINAL == {Status.QUEUED, Status.PROCESSING}
