"""One attempt at one photo: what it is worth, and what it costs."""

from dataclasses import replace

import pytest

from functions.core.jobs.attempts import Attempt, Terms, UsageAnomalies, answered, failed_attempt, judge
from functions.core.jobs.jobs import RETRYABLE, Failure, JobError, Status
from functions.core.jobs.transitions import with_fields
from functions.core.model.parsing import Completion
from functions.core.model.prompts import OUTPUT_TOKENS_MAX, PROMPT_VERSION
from functions.core.model.usage import Usage
from tests.builders import NOW, PRICE, USAGE, answer, answer_text, job, member

INSTANT = Terms("gpt-test", PRICE, batch=False, most_micros=2_000)
BATCH = Terms("gpt-test", PRICE, batch=True, most_micros=1_000)


def test_a_good_completion_is_an_answer_with_its_usage() -> None:
    """The attempt holds the answer and what the provider bills for it, and there is nothing to repeat."""
    attempt = judge(Completion(answer_text(), None, USAGE))
    assert attempt == Attempt(answer=answer(), usage=USAGE)
    assert not attempt.retryable


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


@pytest.mark.parametrize("text", [answer_text(), "no JSON"])
def test_a_completion_that_hides_its_cost_is_booked_at_the_safe_side(text: str) -> None:
    """No usage in the reply does not mean that it was free."""
    attempt = judge(Completion(text, None, None))
    assert (attempt.usage, attempt.unreported) == (None, True)
    assert (INSTANT.cost_micros(attempt), BATCH.cost_micros(attempt)) == (2_000, 1_000)
    assert anomalies(attempt) == UsageAnomalies(unreported=1, job_id="job-1", model="gpt-test")


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


@pytest.mark.parametrize(
    ("input_tokens", "output_tokens", "booked", "absurd", "percent"),
    [
        (5_000, 0, 2_000, 0, 0),
        (5_003, 0, 2_001, 0, 101),
        (20_000, 0, 8_000, 0, 400),
        (20_003, 0, 2_000, 1, 0),
        (5, OUTPUT_TOKENS_MAX, 1_442, 0, 0),
        (5, OUTPUT_TOKENS_MAX + 50, 1_522, 0, 0),
    ],
)
def test_a_report_is_believed_up_to_four_times_the_most(
    input_tokens: int, output_tokens: int, booked: int, absurd: int, percent: int
) -> None:
    """The books follow the invoice, also above what was held, and the next holds follow it; so do more output tokens
    than were asked for, if they cost less. A report of more is absurd and booked at what was held. Whatever passes the
    hold is told."""
    attempt = Attempt(usage=Usage(input_tokens=input_tokens, output_tokens=output_tokens))
    assert INSTANT.cost_micros(attempt) == booked
    more = INSTANT.reported_micros(attempt.usage) - booked if attempt.usage else 0
    found = UsageAnomalies(absurd=absurd, absurd_micros=more, percent=percent)
    assert anomalies(attempt) == (replace(found, job_id="job-1", model="gpt-test") if found else found)


def test_the_percentage_is_of_the_estimate_and_not_of_what_was_held() -> None:
    """A hold that was raised to 150 % before, and passed by a tenth, makes 165 %."""
    raised = replace(INSTANT, percent=150)
    attempt = Attempt(usage=Usage(input_tokens=5_500, output_tokens=0))
    assert anomalies(attempt, terms=raised).percent == 165


def test_an_answer_whose_price_is_gone_is_booked_at_the_most() -> None:
    """It was known when the batch was sent. Operators are told."""
    unpriced = replace(BATCH, price=None)
    attempt = Attempt(answer=answer(), usage=USAGE)
    assert unpriced.cost_micros(attempt) == 1_000
    assert anomalies(attempt, terms=unpriced) == UsageAnomalies(unreported=1, job_id="job-1", model="gpt-test")


def test_doubts_of_many_answers_add_up() -> None:
    """As those of a batch do: counts, the dearest, and one job to look at."""
    found = UsageAnomalies()
    assert not found
    for number, tokens in enumerate([100, 5_500, 90_000, 6_000]):
        attempt = Attempt(usage=Usage(input_tokens=tokens, output_tokens=0))
        found.add(f"job-{number}", attempt, INSTANT)
    found.add("job-9", failed_attempt(Failure.PROVIDER_UNAVAILABLE, "no answer"), INSTANT)
    assert found == UsageAnomalies(absurd=1, absurd_micros=34_000, percent=120, job_id="job-1", model="gpt-test")


def anomalies(attempt: Attempt, terms: Terms = INSTANT) -> UsageAnomalies:
    """Return what an operator should know of one answer."""
    found = UsageAnomalies()
    found.add("job-1", attempt, terms)
    return found


def test_a_failed_attempt_that_may_be_billed_is_booked() -> None:
    """A timeout says nothing of what the provider did: the safe side is that it has worked."""
    attempt = failed_attempt(Failure.PROVIDER_UNAVAILABLE, "no answer", unreported=True)
    assert (INSTANT.cost_micros(attempt), anomalies(attempt).unreported) == (2_000, 1)
