"""How each line of a batch's files ends a job's attempt, and what it means that a job has none."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.core.batches.reports import (
    ENDED,
    ProviderBatch,
    ProviderState,
    counts_as_attempt,
    read_line,
    without_line,
)
from functions.core.jobs.jobs import Failure
from functions.core.shared.providers import Provider
from tests.builders import USAGE, answer, completion_body, output_line

OPENAI, ANTHROPIC = Provider.OPENAI, Provider.ANTHROPIC


def test_a_line_with_an_answer_is_the_answer() -> None:
    """Status 200, a completion in it: the answer and its usage."""
    attempt = read_line(output_line("job-1"), OPENAI)
    assert (attempt.answer, attempt.usage, attempt.error) == (answer(), USAGE, None)


def response(status: object, body: object = None) -> dict[str, Any]:
    """Return the part of a line that says how the provider answered."""
    return {"response": {"status_code": status, "body": body}}


def refused(status: int, code: str) -> dict[str, Any]:
    """Return the part of a line that the provider refused in so many words."""
    return response(status, {"error": {"code": code, "message": "no", "type": "invalid_request_error"}})


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        (response(200, completion_body("no JSON")), Failure.ANSWER_UNUSABLE),
        (response(200, {}), Failure.ANSWER_UNUSABLE),
        (response(200, None), Failure.ANSWER_UNUSABLE),
        (response(200, "text"), Failure.ANSWER_UNUSABLE),
        ({**response(200, completion_body()), "error": {"code": "oops"}}, Failure.PROVIDER_UNAVAILABLE),
        (refused(400, "image_parse_error"), Failure.PROVIDER_REJECTED),
        (refused(400, "content_policy_violation"), Failure.PROVIDER_REJECTED),
        ({"response": None, "error": {"code": "invalid_image_format"}}, Failure.PROVIDER_REJECTED),
        (response(413), Failure.PROVIDER_REJECTED),
        (response(400), Failure.PROVIDER_UNAVAILABLE),
        (response(422), Failure.PROVIDER_UNAVAILABLE),
        (response(400, {"error": "no"}), Failure.PROVIDER_UNAVAILABLE),
        (refused(404, "model_not_found"), Failure.PROVIDER_UNAVAILABLE),
        (refused(400, "unsupported_value"), Failure.PROVIDER_UNAVAILABLE),
        (refused(400, "billing_hard_limit_reached"), Failure.PROVIDER_UNAVAILABLE),
        (refused(400, "invalid_image_url"), Failure.PROVIDER_UNAVAILABLE),
        (response(408), Failure.PROVIDER_UNAVAILABLE),
        (response(409), Failure.PROVIDER_UNAVAILABLE),
        (response(429), Failure.PROVIDER_UNAVAILABLE),
        (response(500), Failure.PROVIDER_UNAVAILABLE),
        (response(503), Failure.PROVIDER_UNAVAILABLE),
        (response(401), Failure.PROVIDER_UNAVAILABLE),
        (response(403), Failure.PROVIDER_UNAVAILABLE),
        (response(302), Failure.PROVIDER_UNAVAILABLE),
        (response("400"), Failure.PROVIDER_UNAVAILABLE),
        (response(None), Failure.PROVIDER_UNAVAILABLE),
        ({}, Failure.PROVIDER_UNAVAILABLE),
        ({"response": None, "error": None}, Failure.PROVIDER_UNAVAILABLE),
        ({"response": "lost", "error": "lost"}, Failure.PROVIDER_UNAVAILABLE),
        ({"response": None, "error": {"code": "batch_expired"}}, Failure.BATCH_EXPIRED),
        ({"response": None, "error": {"code": "server_error"}}, Failure.PROVIDER_UNAVAILABLE),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_line_without_an_answer_says_whose_fault_it_was(rest: dict[str, Any], code: Failure) -> None:
    """The photo's own fault ends the job; the moment's, the operator's or the provider's leaves another attempt."""
    attempt = read_line({"custom_id": "job-1", **rest}, OPENAI)
    assert attempt.error is not None
    assert (attempt.answer, attempt.error.code) == (None, code)


def test_only_an_answer_costs() -> None:
    """A line that failed at the provider is not billed; one with a useless answer is."""
    failed = read_line(output_line("a", status=500), OPENAI)
    useless = read_line(output_line("b", completion_body("?")), OPENAI)
    assert (failed.usage, useless.usage) == (None, USAGE)


@given(
    line=st.dictionaries(
        st.sampled_from(["custom_id", "response", "error"]),
        st.none()
        | st.text(max_size=3)
        | st.integers()
        | st.lists(st.integers(), max_size=2)
        | st.dictionaries(st.sampled_from(["status_code", "body", "code"]), st.none() | st.integers(190, 600)),
    )
)
def test_no_line_crashes_the_collector(line: dict[str, Any]) -> None:
    """Whatever is in a file: a job's attempt with an answer or an error."""
    attempt = read_line(line, OPENAI)
    assert (attempt.answer is None) != (attempt.error is None)


def test_the_files_of_a_batch_are_complete_only_in_its_last_states() -> None:
    """Collecting earlier would take jobs for lost that are still being worked on."""
    assert set(ProviderState) - ENDED == {"validating", "in_progress", "finalizing", "cancelling", "unknown"}


@pytest.mark.parametrize("word", ["paused", "unknown", ""])
def test_a_state_that_is_not_known_is_not_guessed_at(word: str) -> None:
    """OpenAI may add one: its batch is neither ended nor lost."""
    assert ProviderState(word) is ProviderState.UNKNOWN


@pytest.mark.parametrize(
    ("state", "counted", "lacks"),
    [
        (ProviderState.COMPLETED, {"answered": 3}, True),
        (ProviderState.COMPLETED, {"answered": 3, "output_file_id": "file-1"}, False),
        (ProviderState.COMPLETED, {"refused": 1, "answered": 2, "output_file_id": "file-1"}, True),
        (ProviderState.EXPIRED, {"refused": 1, "error_file_id": "file-2"}, False),
        (ProviderState.COMPLETED, {}, False),
        (ProviderState.FAILED, {"refused": 3}, False),
        (ProviderState.IN_PROGRESS, {"answered": 3}, False),
        (ProviderState.UNKNOWN, {"answered": 3}, False),
    ],
)
def test_a_batch_that_has_ended_can_lack_its_files(state: ProviderState, counted: dict[str, Any], lacks: bool) -> None:
    """OpenAI counts lines before it names the file that they are in; one that failed validation has none."""
    assert reported(state, **counted).lacks_files is lacks


def reported(state: ProviderState, **changes: Any) -> ProviderBatch:
    """Return a batch as OpenAI reports it."""
    return ProviderBatch("batch_abc", state, **changes)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (ProviderState.COMPLETED, Failure.LINE_MISSING),
        (ProviderState.EXPIRED, Failure.BATCH_EXPIRED),
        (ProviderState.CANCELLED, Failure.BATCH_EXPIRED),
        (ProviderState.FAILED, Failure.BATCH_FAILED),
    ],
)
def test_a_job_without_a_line_can_be_tried_again(state: ProviderState, code: Failure) -> None:
    """What a missing line means follows from how the batch ended; nobody pays for it, and it is nobody's last word."""
    attempt = without_line(reported(state, problem="duplicate_custom_id"))
    assert attempt.error is not None
    assert (attempt.error.code, attempt.usage, attempt.retryable) == (code, None, True)
    assert ("duplicate_custom_id" in attempt.error.message) == (state is ProviderState.FAILED)


@pytest.mark.parametrize("answer_lost", [True, False])
def test_of_a_cancelled_batch_lost_answers_are_billed_and_the_rest_is_not(answer_lost: bool) -> None:
    """A line that is in neither file had its turn only if OpenAI counts more answers than its files have."""
    assert without_line(reported(ProviderState.CANCELLED), answer_lost=answer_lost).billed is answer_lost


@pytest.mark.parametrize("state", [ProviderState.COMPLETED, ProviderState.EXPIRED])
def test_an_answer_that_is_kept_no_more_may_have_been_billed(state: ProviderState) -> None:
    """It is booked at what was held for it, and the photo can be tried again."""
    attempt = without_line(reported(state, forgotten=True))
    assert attempt.error is not None
    assert (attempt.error.code, attempt.unreported, attempt.retryable) == (Failure.BATCH_EXPIRED, True, True)


@pytest.mark.parametrize(
    ("state", "changes", "booked"),
    [
        (ProviderState.COMPLETED, {}, True),
        (ProviderState.EXPIRED, {}, True),
        (ProviderState.EXPIRED, {"forgotten": True}, True),
        (ProviderState.CANCELLED, {}, False),
        (ProviderState.FAILED, {}, False),
    ],
)
def test_a_lost_answer_is_booked(state: ProviderState, changes: dict[str, Any], booked: bool) -> None:
    """An answer that was lost is billed. An expired batch names what it has not come to; what it does not name is
    lost."""
    assert without_line(reported(state, **changes)).unreported is booked


@pytest.mark.parametrize(
    ("state", "changes", "counts"),
    [
        (ProviderState.FAILED, {"bad_lines": frozenset({3})}, False),
        (ProviderState.FAILED, {"over_limit": True}, False),
        (ProviderState.FAILED, {}, True),
        (ProviderState.EXPIRED, {"over_limit": True}, True),
        (ProviderState.COMPLETED, {}, True),
    ],
)
def test_anothers_fault_uses_up_no_attempt(state: ProviderState, changes: dict[str, Any], counts: bool) -> None:
    """A batch refused for one bad line, or for what else is enqueued, was no attempt at the other photos."""
    assert counts_as_attempt(reported(state, **changes)) is counts


def test_an_error_in_the_body_of_a_line_that_says_200_is_no_answer() -> None:
    """A provider in between says 200 and means no."""
    attempt = read_line(output_line("job-1", {"error": {"code": "server_error", "message": "overloaded"}}), OPENAI)
    error = attempt.error
    assert error is not None
    assert (error.code, attempt.answer, attempt.retryable) == (Failure.PROVIDER_UNAVAILABLE, None, True)


MESSAGE = {
    "type": "message",
    "content": [{"type": "text", "text": answer().model_dump_json(by_alias=True)}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 700, "output_tokens": 230},
}


def result(kind: str, **more: Any) -> dict[str, Any]:
    """Return a line of Anthropic's results."""
    return {"custom_id": "job-1", "result": {"type": kind, **more}}


def test_a_request_that_succeeded_is_its_message() -> None:
    """The answer, and the usage that the message reports."""
    attempt = read_line(result("succeeded", message=MESSAGE), ANTHROPIC)
    assert (attempt.answer, attempt.error) == (answer(), None)
    assert attempt.usage is not None
    assert (attempt.usage.input_tokens, attempt.usage.output_tokens) == (700, 230)


@pytest.mark.parametrize(
    ("line", "code", "billed"),
    [
        (result("errored", error={"error": {"type": "api_error"}}), Failure.PROVIDER_UNAVAILABLE, False),
        (result("errored", error=None), Failure.PROVIDER_UNAVAILABLE, False),
        (
            result("errored", error={"error": {"type": "invalid_request_error", "message": "Could not process image"}}),
            Failure.PROVIDER_REJECTED,
            False,
        ),
        (result("expired"), Failure.BATCH_EXPIRED, False),
        (result("canceled"), Failure.BATCH_EXPIRED, False),
        (result("succeeded", message={**MESSAGE, "content": []}), Failure.ANSWER_UNUSABLE, True),
        (result("succeeded", message=None), Failure.PROVIDER_UNAVAILABLE, True),
        (result("paused"), Failure.ANSWER_UNUSABLE, True),
        ({"custom_id": "job-1"}, Failure.ANSWER_UNUSABLE, True),
    ],
)
def test_a_request_without_an_answer_says_what_it_costs(line: dict[str, Any], code: Failure, billed: bool) -> None:
    """Errors, expiry and cancellation are not billed; what nobody understands may be, and is booked at its most."""
    attempt = read_line(line, ANTHROPIC)
    assert attempt.error is not None
    assert (attempt.error.code, attempt.billed) == (code, billed)


def test_results_of_one_file_are_all_there_with_it() -> None:
    """Anthropic has one place for answers and refusals."""
    one = {"answered": 1, "refused": 2, "one_file": True}
    assert reported(ProviderState.COMPLETED, **one).lacks_files
    assert not reported(ProviderState.COMPLETED, **one, output_file_id="msgbatch_1").lacks_files
