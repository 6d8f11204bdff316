"""How a batch is polled, and how each line of its files ends a job's attempt."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from functions.core.batches import (
    ENDED,
    INPUT_BYTES_MAX,
    Batch,
    BatchMember,
    BatchState,
    ProviderBatch,
    ProviderState,
    Roll,
    counts_as_attempt,
    next_poll,
    read_line,
    without_line,
)
from functions.core.jobs import Failure
from tests.builders import NOW, USAGE, answer, batch, completion_body, member, output_line


@pytest.mark.parametrize(
    ("age_minutes", "wait_minutes"),
    [(0, 5), (5, 5), (20, 5), (60, 15), (100, 25), (120, 30), (240, 30), (24 * 60, 30), (-10, 5)],
)
def test_polls_back_off_with_age(age_minutes: int, wait_minutes: int) -> None:
    """A young batch is looked at every five minutes, an old one every half hour; a clock set back does no harm."""
    now = NOW + timedelta(minutes=age_minutes)
    assert next_poll(NOW, now) == now + timedelta(minutes=wait_minutes)


def test_a_batch_of_a_whole_day_is_polled_about_fifty_times() -> None:
    """The back-off bounds what a slow batch costs: five-minute polls would be 288."""
    now, polls = NOW, 0
    while now < NOW + timedelta(hours=24):
        now, polls = next_poll(NOW, now), polls + 1
    assert 45 <= polls <= 60


def test_a_line_with_an_answer_is_the_answer() -> None:
    """Status 200, a completion in it: the answer and its usage, for the job that the line names."""
    read = read_line(output_line("job-1"))
    assert read is not None
    custom_id, attempt = read
    assert (custom_id, attempt.answer, attempt.usage, attempt.error) == ("job-1", answer(), USAGE, None)


@pytest.mark.parametrize("line", [{}, {"custom_id": None}, {"custom_id": 7}, {"response": {"status_code": 200}}])
def test_a_line_that_names_no_job_concludes_nothing(line: dict[str, Any]) -> None:
    """Without a custom id there is nobody whose attempt could have ended."""
    assert read_line(line) is None


def response(status: object, body: object = None) -> dict[str, Any]:
    """Return the part of a line that says how the provider answered."""
    return {"response": {"status_code": status, "body": body}}


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        (response(200, completion_body("no JSON")), Failure.ANSWER_UNUSABLE),
        (response(200, {}), Failure.ANSWER_UNUSABLE),
        (response(200, None), Failure.ANSWER_UNUSABLE),
        (response(200, "text"), Failure.ANSWER_UNUSABLE),
        ({**response(200, completion_body()), "error": {"code": "oops"}}, Failure.PROVIDER_UNAVAILABLE),
        (response(400), Failure.PROVIDER_REJECTED),
        (response(413), Failure.PROVIDER_REJECTED),
        (response(422), Failure.PROVIDER_REJECTED),
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
    read = read_line({"custom_id": "job-1", **rest})
    assert read is not None
    assert read[1].error is not None
    assert (read[0], read[1].answer, read[1].error.code) == ("job-1", None, code)


def test_only_an_answer_costs() -> None:
    """A line that failed at the provider is not billed; one with a useless answer is."""
    failed, useless = read_line(output_line("a", status=500)), read_line(output_line("b", completion_body("?")))
    assert failed is not None
    assert useless is not None
    assert (failed[1].usage, useless[1].usage) == (None, USAGE)


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
    """Whatever is in a file: a job's attempt with an answer or an error, or nothing."""
    read = read_line(line)
    assert read is None or (read[1].answer is None) != (read[1].error is None)


def test_the_files_of_a_batch_are_complete_only_in_its_last_states() -> None:
    """Collecting earlier would take jobs for lost that are still being worked on."""
    assert set(ProviderState) - ENDED == {"validating", "in_progress", "finalizing", "cancelling"}


def test_an_unknown_provider_state_is_an_error() -> None:
    """A state that OpenAI adds is not guessed at."""
    with pytest.raises(ValueError, match="paused"):
        ProviderState("paused")


def test_a_full_input_file_fits_openais_limit() -> None:
    """OpenAI takes 200 MB a file; ours end below it."""
    assert 150_000_000 < INPUT_BYTES_MAX < 200_000_000


def test_a_batch_and_its_list_of_jobs_survive_storage() -> None:
    """What was written is what is read, times and states included."""
    stored = batch(state=BatchState.COLLECTING, job_count=3, error="token_limit_exceeded: too many")
    assert Batch.model_validate(stored.model_dump(by_alias=True)) == stored
    assert BatchMember.from_line(member(region="São\nTomé\u2028").to_line()) == member(region="São\nTomé\u2028")


def test_a_batch_never_costs_less_than_nothing() -> None:
    """A negative cost is a defect that is refused where it would be stored."""
    with pytest.raises(ValidationError, match=r"cost_?[mM]icros"):
        batch(cost_micros=-1)


# The roll


def roll(*numbers: int) -> Roll:
    """Return the roll of a batch with these jobs, in this order."""
    return Roll(member(job_id=f"job-{number}").to_line() for number in numbers)


def ids(members: Iterable[BatchMember]) -> list[str]:
    """Return the ids of these jobs."""
    return [one.job_id for one in members]


def test_each_job_is_accounted_for_once() -> None:
    """A second line for the same job, or one for a job of another batch, finds nobody."""
    jobs = roll(1, 2, 3)
    assert jobs.take("job-2") == member(job_id="job-2")
    assert jobs.take("job-2") is None
    assert jobs.take("job-9") is None
    assert ids(jobs.take_rest()) == ["job-1", "job-3"]
    assert ids(jobs.take_rest()) == []


def test_a_line_of_the_input_file_names_its_job() -> None:
    """Counted from 1, as OpenAI reports bad lines; a line that there is not names nobody, nor does one taken before."""
    jobs = roll(5, 4)
    assert [jobs.take_line(number) for number in (0, -1, 3)] == [None, None, None]
    taken = jobs.take_line(2)
    assert taken is not None
    assert (taken.job_id, jobs.take_line(2)) == ("job-4", None)
    assert ids(jobs.take_rest()) == ["job-5"]


def reported(state: ProviderState, **changes: Any) -> ProviderBatch:
    """Return a batch as OpenAI reports it."""
    return ProviderBatch("batch_abc", state, None, None, 0, changes.pop("problem", None), **changes)


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
    attempt = without_line(reported(state, problem="invalid_json: line 3"))
    assert attempt.error is not None
    assert (attempt.error.code, attempt.usage, attempt.retryable) == (code, None, True)
    assert ("line 3" in attempt.error.message) == (state is ProviderState.FAILED)


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
