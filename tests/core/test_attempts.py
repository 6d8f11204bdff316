"""One attempt at one photo: what it is worth, and what it costs."""

import pytest

from functions.core.answers import Completion
from functions.core.attempts import Attempt, Terms, answered, failed_attempt, judge
from functions.core.jobs import RETRYABLE, Failure, JobError, Status, with_fields
from functions.core.prompts import PROMPT_VERSION
from functions.core.usage import UNREPORTED
from tests.builders import NOW, PRICE, USAGE, answer, answer_text, job, member

INSTANT = Terms("gpt-test", PRICE, batch=False)
BATCH = Terms("gpt-test", PRICE, batch=True)


def test_a_good_completion_is_an_answer_with_its_usage() -> None:
    """The attempt holds the answer and what the provider bills for it, and there is nothing to repeat."""
    attempt = judge(Completion(answer_text(), None, USAGE))
    assert attempt == Attempt(answer=answer(), usage=USAGE)
    assert not attempt.retryable


def test_an_unusable_completion_can_be_tried_again_and_is_paid_for() -> None:
    """A reply that cannot become a result is an error with its reason, and its cost is owed."""
    attempt = judge(Completion(None, "the model refused", USAGE))
    assert attempt == Attempt(error=JobError(code=Failure.ANSWER_UNUSABLE, message="the model refused"), usage=USAGE)
    assert attempt.retryable


@pytest.mark.parametrize("text", [answer_text(), "no JSON"])
def test_a_completion_that_hides_its_cost_is_booked_at_the_safe_side(text: str) -> None:
    """No usage in the reply does not mean that it was free."""
    assert judge(Completion(text, None, None)).usage == UNREPORTED


@pytest.mark.parametrize("code", Failure)
def test_a_failed_attempt_is_retryable_as_its_code_says_and_costs_nothing(code: Failure) -> None:
    """An attempt that never came to an answer is not billed."""
    attempt = failed_attempt(code, "why")
    assert (attempt.error, attempt.answer) == (JobError(code=code, message="why"), None)
    assert attempt.retryable == (code in RETRYABLE)
    assert INSTANT.cost_micros(attempt) == BATCH.cost_micros(attempt) == 0


def test_the_lane_decides_the_price() -> None:
    """The same answer costs half in a batch."""
    attempt = Attempt(answer=answer(), usage=USAGE)
    assert (INSTANT.cost_micros(attempt), BATCH.cost_micros(attempt)) == (720, 360)


def test_a_finished_job_shows_the_answer_in_the_users_region_and_language() -> None:
    """The result echoes the request and names model, prompt version and time."""
    finished = with_fields(job(), answered(answer(), Attempt(answer(), usage=USAGE), job(), INSTANT, NOW))
    result = finished.result
    assert finished.status is Status.DONE
    assert result is not None
    assert (result.region, result.language) == ("IN", "hi-IN")
    assert (result.model, result.prompt_version) == ("gpt-test", PROMPT_VERSION)
    assert result.classified_at == "2026-11-21T12:00:00Z"
    assert finished.usage == USAGE


def test_useless_attempts_before_the_good_one_stay_on_the_bill() -> None:
    """A job's cost is that of all its attempts."""
    attempt = Attempt(answer=answer(), usage=USAGE)
    assert answered(answer(), attempt, member(cost_micros=1_000), BATCH, NOW)["costMicros"] == 1_360


def test_an_attempt_without_usage_is_booked_at_the_safe_side() -> None:
    """Should an answer ever come without usage, the job's usage still says something."""
    assert answered(answer(), Attempt(answer()), job(), INSTANT, NOW)["usage"] == UNREPORTED.model_dump(by_alias=True)
