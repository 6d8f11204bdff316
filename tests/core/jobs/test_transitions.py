"""What each step of a job writes, and when it is tried again."""

from datetime import timedelta

import pytest

from functions.core.jobs import transitions
from functions.core.jobs.jobs import FAILURE_TEXTS, Failure, Job, JobError, Status
from functions.core.shared.lanes import Lane
from functions.core.shared.records import Fields
from tests.builders import NOW, USAGE, classification, job

LATER = NOW + timedelta(minutes=4)

ERROR = JobError(code=Failure.LINE_MISSING, message=FAILURE_TEXTS[Failure.LINE_MISSING])


def test_done_comes_with_everything_that_the_app_shows() -> None:
    """One write makes the job done and carries result, usage, cost and time; no error and no lease stay behind."""
    waiting = job(status=Status.PROCESSING, error=ERROR, lease_until=NOW, attempts=2)
    finished = transitions.with_fields(waiting, transitions.done(classification(), USAGE, 720, NOW))
    assert (finished.status, finished.usage) == (Status.DONE, USAGE)
    assert finished.result == classification().model_dump(by_alias=True, mode="json")
    assert (finished.cost_micros, finished.completed_at) == (720, NOW)
    assert (finished.error, finished.lease_until) == (None, None)


def test_a_failed_job_says_why_and_keeps_its_cost() -> None:
    """A final failure stores its error, what was spent on it and when it ended."""
    ended = transitions.with_fields(job(status=Status.PROCESSING, lease_until=NOW), transitions.failed(ERROR, 55, NOW))
    assert (ended.status, ended.error, ended.cost_micros) == (Status.FAILED, ERROR, 55)
    assert (ended.completed_at, ended.lease_until, ended.result) == (NOW, None, None)


def test_a_job_that_left_the_queue_has_no_place_in_it() -> None:
    """Done, failed, cancelled or upgraded: no submitter finds it, however it ended."""
    for fields in (
        transitions.done(classification(), USAGE, 0, NOW),
        transitions.failed(ERROR, 0, NOW),
        transitions.cancelled(NOW),
        transitions.upgraded("invocation-2", 5, LATER, 0, tokens_bought=0),
    ):
        assert transitions.with_fields(job(), fields).queued_at is None


def test_an_upgraded_job_is_an_instant_one() -> None:
    """Under a lease, for the whole price, as one more attempt, and recognised by the invocation that upgraded it."""
    fields = transitions.upgraded("invocation-2", 5, LATER, attempts=1, tokens_bought=3)
    now = transitions.with_fields(job(attempts=1, tokens_bought=1), fields)
    assert now.tokens_bought == 3
    assert (now.mode, now.status, now.tokens_cost, now.attempts) == (Lane.INSTANT, Status.PROCESSING, 5, 2)
    assert (now.opened_by, now.lease_until, now.estimated_completion) == ("invocation-2", LATER, None)
    assert now.requested_mode is Lane.BATCH


def test_a_cancelled_job_ended_when_it_was_cancelled() -> None:
    """Its end has a time, and no error."""
    ended = transitions.with_fields(job(), transitions.cancelled(LATER))
    assert (ended.status, ended.completed_at, ended.error) == (Status.CANCELLED, LATER, None)


@pytest.mark.parametrize(("attempts", "minutes"), [(0, 1), (1, 1), (2, 2), (3, 4), (9, 4)])
def test_each_failed_attempt_waits_longer(attempts: int, minutes: int) -> None:
    """One, two, four minutes, and no longer than that."""
    assert transitions.backoff(attempts) == timedelta(minutes=minutes)


def test_nobody_waits_for_ever() -> None:
    """OpenAI's day and two hours for our own trouble; then the job is given up."""
    assert not transitions.waited_too_long(NOW, NOW + transitions.WAIT_MAX)
    assert transitions.waited_too_long(NOW, NOW + transitions.WAIT_MAX + timedelta(seconds=1))
    assert timedelta(hours=24) < transitions.WAIT_MAX


def test_a_claim_counts_as_an_attempt_and_names_its_batch() -> None:
    """The submitter's claim moves a job to processing for exactly one batch."""
    taken = transitions.with_fields(job(attempts=1), transitions.claimed("batch-7", attempts=1, lease_until=LATER))
    assert (taken.status, taken.batch_id, taken.attempts) == (Status.PROCESSING, "batch-7", 2)


def test_a_requeued_job_belongs_to_no_batch_and_keeps_its_age() -> None:
    """Back in the queue, any batch can claim it when its turn has come, and it is as old as it was."""
    waiting = job(status=Status.PROCESSING, batch_id="batch-7", attempts=2)
    again = transitions.with_fields(waiting, transitions.requeued(ERROR, attempts=2, at=LATER))
    assert (again.status, again.batch_id, again.attempts, again.error) == (Status.QUEUED, None, 2, ERROR)
    assert (again.created_at, again.queued_at) == (waiting.created_at, LATER)


def test_a_job_whose_lease_is_moved_stays_with_its_batch_and_says_why() -> None:
    """Whoever ends it later knows its cost, and the reason to tell."""
    waiting = job(status=Status.PROCESSING, batch_id="batch-7", attempts=2)
    later = transitions.with_fields(waiting, transitions.lease_moved(LATER, ERROR, 9))
    assert (later.status, later.batch_id, later.attempts) == (Status.PROCESSING, "batch-7", 2)
    assert (later.lease_until, later.error, later.cost_micros) == (LATER, ERROR, 9)


@pytest.mark.parametrize(
    "fields",
    [
        transitions.done(classification(), USAGE, 720, NOW),
        transitions.failed(ERROR, 0, NOW),
        transitions.claimed("b", 0, NOW),
        transitions.cancelled(NOW),
        transitions.upgraded("invocation-2", 5, NOW, 0, tokens_bought=0),
        transitions.requeued(ERROR, attempts=1, at=NOW),
        transitions.lease_moved(NOW, ERROR, 0),
    ],
    ids=["done", "failed", "claimed", "cancelled", "upgraded", "requeued", "lease moved"],
)
def test_every_change_names_fields_that_a_job_has(fields: Fields) -> None:
    """A misspelt field would be stored and never read again."""
    assert set(fields) <= {field.alias for field in Job.model_fields.values()}


@pytest.mark.parametrize(
    ("code", "attempts", "most", "may"),
    [
        (Failure.ANSWER_UNUSABLE, 1, 3, True),
        (Failure.ANSWER_UNUSABLE, 2, 3, False),
        (Failure.ANSWER_UNUSABLE, 2, 10, False),
        (Failure.ANSWER_UNUSABLE, 1, 1, False),
        (Failure.PROVIDER_UNAVAILABLE, 2, 3, True),
        (Failure.PROVIDER_UNAVAILABLE, 3, 3, False),
    ],
)
def test_an_unusable_answer_is_asked_for_once_more(code: Failure, attempts: int, most: int, may: bool) -> None:
    """And no more, whatever the config allows: each one is paid for. Other failures have all their attempts."""
    assert transitions.may_try_again(JobError(code=code, message=""), attempts, most) is may
