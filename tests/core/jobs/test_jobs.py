"""A job, its states and failures, and what the app sees of it."""

from functions.core.jobs import jobs
from functions.core.jobs.idempotency import job_id_for
from functions.core.jobs.jobs import FAILURE_TEXTS, RETRYABLE, Failure, JobError, Status, job_view
from tests.builders import NOW, USAGE, classification, job


def test_jobs_spread_over_the_shards_of_the_queue() -> None:
    """Each shard gets its share, and a job is always in the same one."""
    shards = [jobs.shard_of(job_id_for("ana", str(number))) for number in range(1_600)]
    counts = [shards.count(shard) for shard in range(jobs.QUEUE_SHARDS)]
    assert sum(counts) == 1_600
    assert min(counts) > 50
    assert jobs.shard_of("0123" + "f" * 28) == 0x0123 % jobs.QUEUE_SHARDS


def test_the_app_sees_json_and_nothing_internal() -> None:
    """The view holds what the app shows, times as ISO text in UTC, and no provider cost, lease or owner."""
    result = classification().model_dump(by_alias=True, mode="json")
    view = job_view(job(status=Status.DONE, result=result, completed_at=NOW, cost_micros=720, usage=USAGE))
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


def test_a_user_is_told_a_constant_for_every_failure() -> None:
    """Whatever the cause was: a key that was refused is no user's matter. A failure that only a newer release knows
    keeps the words that it came with."""
    assert FAILURE_TEXTS.keys() == set(Failure)
    for code in Failure:
        assert JobError(code=code, message="401: bad Bearer sk-1").told()["message"] == FAILURE_TEXTS[code]
    assert JobError(code="NEWER", message="as it was").told() == {
        "code": "NEWER",
        "message": "as it was",
        "problem": None,
    }
