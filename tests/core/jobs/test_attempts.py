"""One attempt at one photo: what it is worth, and what it costs."""

import pytest

from functions.core.budget.anomalies import Terms
from functions.core.jobs.attempts import Attempt, answered, failed_attempt, judge, tried
from functions.core.jobs.jobs import RETRYABLE, Failure, JobError, Status
from functions.core.jobs.legs import Came, Tried
from functions.core.jobs.transitions import failed, with_fields
from functions.core.model.parsing import Completion
from functions.core.model.prompts import PROMPT_VERSION
from tests.builders import BATCH_PRICE, NOW, PRICE, USAGE, answer, answer_text, job, member

INSTANT = Terms("gpt-test", PRICE, most_micros=2_000)
BATCH = Terms("gpt-test", BATCH_PRICE, most_micros=1_000)


def test_a_good_completion_is_an_answer_with_its_usage() -> None:
    """The attempt holds the answer and what the provider bills for it, and there is nothing to repeat."""
    attempt = judge(Completion(answer_text(), None, USAGE))
    assert attempt == Attempt(answer=answer(), usage=USAGE)
    assert (attempt.billed, attempt.retryable) == (True, False)


def test_an_unusable_completion_can_be_tried_again_and_is_paid_for() -> None:
    """A reply that cannot become a result is an error with its reason, and its cost is owed."""
    attempt = judge(Completion(None, "the answer is empty", USAGE))
    assert attempt == Attempt(error=JobError(code=Failure.ANSWER_UNUSABLE, message="the answer is empty"), usage=USAGE)
    assert attempt.retryable


def test_a_refusal_is_final_and_paid_for() -> None:
    """The same photo would be refused again, and billed again."""
    attempt = judge(Completion(None, "the model refused", USAGE, refused=True))
    assert attempt.error is not None
    assert (attempt.error.code, attempt.usage, attempt.refused) == (Failure.PROVIDER_REJECTED, USAGE, True)
    assert not attempt.retryable


@pytest.mark.parametrize("code", Failure)
def test_a_failed_attempt_is_retryable_as_its_code_says_and_costs_nothing(code: Failure) -> None:
    """An attempt that never came to an answer is not billed."""
    attempt = failed_attempt(code, "why")
    assert (attempt.error, attempt.answer) == (JobError(code=code, message="why"), None)
    assert (attempt.billed, attempt.retryable) == (False, code in RETRYABLE)
    assert INSTANT.cost_micros(attempt) == BATCH.cost_micros(attempt) == 0


@pytest.mark.parametrize(
    ("attempt", "came", "micros"),
    [
        (Attempt(answer(), usage=USAGE), "answered", 720),
        (judge(Completion(None, "the answer is empty", USAGE)), "answered", 720),
        (failed_attempt(Failure.PROVIDER_REJECTED, "why", refused=True), "answered", 0),
        (failed_attempt(Failure.PROVIDER_UNAVAILABLE, "why"), "down", 0),
        (failed_attempt(Failure.PROVIDER_UNAVAILABLE, "why", unreported=True), "doubtful", 2_000),
        (judge(Completion(answer_text(), None, None)), "doubtful", 2_000),
    ],
)
def test_what_came_of_a_provider_is_one_of_three(attempt: Attempt, came: str, micros: int) -> None:
    """It answered, at its price; it is down, for nothing; or nobody knows, and the most is booked."""
    assert tried(attempt, INSTANT) == Tried(model="gpt-test", came=Came(came), micros=micros)


def test_an_answer_after_a_lost_one_costs_both() -> None:
    """The job's cost is the sum of its legs, and it keeps what each came to."""
    legs = (
        Tried(model="first", came=Came.DOUBTFUL, micros=600),
        Tried(model="gpt-test", came=Came.ANSWERED, micros=720),
    )
    fields = answered(answer(), Attempt(answer(), usage=USAGE), job(), INSTANT, NOW, tried=legs)
    finished = with_fields(job(), fields)
    assert (finished.cost_micros, finished.tried) == (600 + 720, legs)
    assert "tried" not in answered(answer(), Attempt(answer(), usage=USAGE), job(), INSTANT, NOW, tried=legs[1:])
    lost = with_fields(job(), failed(JobError(code=Failure.PROVIDER_UNAVAILABLE, message=""), 600, NOW, tried=legs[:1]))
    assert lost.tried == legs[:1]


def test_a_finished_job_shows_the_answer_in_the_users_region_and_language() -> None:
    """The result echoes the request and names model, prompt version and time."""
    finished = with_fields(job(), answered(answer(), Attempt(answer(), usage=USAGE), job(), INSTANT, NOW))
    result = finished.result
    assert finished.status is Status.DONE
    assert result is not None
    assert (result["region"], result["language"]) == ("IN", "hi-IN")
    assert (result["model"], result["promptVersion"]) == ("gpt-test", PROMPT_VERSION)
    assert result["classifiedAt"] == "2026-11-21T12:00:00Z"
    assert finished.usage == USAGE


def test_useless_attempts_before_the_good_one_stay_on_the_bill() -> None:
    """A job's cost is that of all its attempts."""
    attempt = Attempt(answer=answer(), usage=USAGE)
    assert answered(answer(), attempt, member(cost_micros=1_000), BATCH, NOW)["costMicros"] == 1_360


def test_an_answer_without_usage_is_done_without_one_and_costs_the_most() -> None:
    """What is not known is not invented: no usage is stored, and the most that it can have cost is booked."""
    fields = answered(answer(), Attempt(answer(), unreported=True), job(cost_micros=5), INSTANT, NOW)
    assert (fields["usage"], fields["costMicros"]) == (None, 2_005)
