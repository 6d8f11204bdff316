"""What an answer costs, and which reports of it nobody believes."""

from dataclasses import replace

import pytest

from functions.core.budget.anomalies import Terms, UsageAnomalies
from functions.core.jobs.attempts import Attempt, failed_attempt, judge
from functions.core.jobs.jobs import Failure
from functions.core.model.parsing import Completion
from functions.core.model.prompts import OUTPUT_TOKENS_MAX
from functions.core.model.usage import Usage
from tests.builders import BATCH_PRICE, PRICE, USAGE, answer, answer_text

INSTANT = Terms("gpt-test", PRICE, most_micros=2_000)
BATCH = Terms("gpt-test", BATCH_PRICE, most_micros=1_000)


@pytest.mark.parametrize("text", [answer_text(), "no JSON"])
def test_a_completion_that_hides_its_cost_is_booked_at_the_safe_side(text: str) -> None:
    """No usage in the reply does not mean that it was free."""
    attempt = judge(Completion(text, None, None))
    assert (attempt.usage, attempt.unreported, attempt.billed) == (None, True, True)
    assert (INSTANT.cost_micros(attempt), BATCH.cost_micros(attempt)) == (2_000, 1_000)
    assert anomalies(attempt) == UsageAnomalies(unreported=1, job_id="job-1", model="gpt-test")


def test_the_lane_decides_the_price() -> None:
    """The same answer costs half in a batch."""
    attempt = Attempt(answer=answer(), usage=USAGE)
    assert (INSTANT.cost_micros(attempt), BATCH.cost_micros(attempt)) == (720, 360)


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
