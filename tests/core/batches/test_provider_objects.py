"""Reading what the provider says of files and batches: its words are kept only where they are of the form."""

from datetime import UTC, datetime
from typing import Any

import pytest

from functions.core.batches.provider_objects import (
    UnreadableError,
    carries,
    id_in,
    is_before,
    read_batch,
    read_listed,
    read_message_batch,
    read_page,
)
from functions.core.batches.reports import ProviderBatch, ProviderState

HOSTILE: list[Any] = [None, True, 7, 1.5, "", "x", "../x", "a b", "\x1b[2J", "x" * 201, [], [1], {}, {"id": {}}]


def batch(**changes: Any) -> dict[str, Any]:
    """Return a batch as the provider shows it."""
    return {"id": "batch_1", "status": "completed", "output_file_id": "file-1", "error_file_id": None, **changes}


@pytest.mark.parametrize("body", [each for each in HOSTILE if each != "x"] + [{"id": each} for each in HOSTILE[:3]])
def test_what_names_nothing_is_unreadable(body: object) -> None:
    """An answer without an id, or that is no object at all, is no file and no batch."""
    with pytest.raises(UnreadableError):
        id_in(body)
    with pytest.raises(UnreadableError):
        read_batch(body)


@pytest.mark.parametrize("name", ["id", "output_file_id", "error_file_id"])
@pytest.mark.parametrize("value", [each for each in HOSTILE if each not in (None, "", "x")], ids=repr)
def test_an_id_that_is_none_makes_a_batch_unreadable(name: str, value: object) -> None:
    """It would get into addresses and documents; and a file that cannot be fetched is not taken for none."""
    with pytest.raises(UnreadableError):
        read_batch(batch(**{name: value}))


@pytest.mark.parametrize("absent", [None, ""])
def test_a_file_that_there_is_not_is_none(absent: object) -> None:
    """OpenAI writes null, nothing at all, or an empty text."""
    without = {name: value for name, value in batch(error_file_id=absent).items() if name != "output_file_id"}
    found = read_batch(without)
    assert (found.output_file_id, found.error_file_id) == (None, None)


def test_another_batch_is_no_answer() -> None:
    """Whoever asks about one batch does not take what is said of another."""
    assert read_batch(batch(), "batch_1").provider_batch_id == "batch_1"
    with pytest.raises(UnreadableError):
        read_batch(batch(), "batch_2")


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
@pytest.mark.parametrize("name", ["status", "request_counts", "errors"])
def test_other_fields_that_are_none_say_nothing(name: str, value: object) -> None:
    """A batch is waited for then: no count, no problem, no line is made up."""
    found = read_batch(batch(**{name: value}))
    assert (found.answered, found.refused, found.problem, found.bad_lines) == (0, 0, None, frozenset())
    assert found.status in {"unreadable", "completed", "x"}


def test_problems_are_read_one_by_one() -> None:
    """Those that are none are left out, lines that cannot be are no lines, and a problem of a model is no line's."""
    data: list[Any] = [
        None,
        "x",
        {"code": ["a"], "line": 4},
        {"code": "invalid_json_line", "line": 2},
        {"code": "model_not_found", "line": 3},
        {"code": "invalid_json_line", "line": -1},
        {"code": "invalid_json_line", "line": 10**12},
        {"code": "token_limit_exceeded", "line": "5"},
    ]
    counts = {"completed": 3, "failed": -1}
    found = read_batch(batch(status="failed", errors={"data": data}, request_counts=counts))
    assert found == ProviderBatch(
        "batch_1",
        ProviderState.FAILED,
        output_file_id="file-1",
        problem="None, invalid_json_line, model_not_found, token_limit_exceeded",
        bad_lines=frozenset({2, 4}),
        over_limit=True,
        answered=3,
        status="failed",
    )


@pytest.mark.parametrize("body", HOSTILE, ids=repr)
def test_a_list_that_is_none_is_unreadable(body: object) -> None:
    """Rather than empty: a batch that is not found is created again."""
    with pytest.raises(UnreadableError):
        read_page(body)


def test_a_page_ends_where_there_is_nothing_more() -> None:
    """An empty page has no next one, whatever it says."""
    assert read_page({"data": [1], "has_more": True}) == ([1], True)
    assert read_page({"data": [], "has_more": True}) == ([], False)
    assert read_page({"data": [1]}) == ([1], False)


def test_a_batch_of_a_list_is_looked_at_as_far_as_it_can_be_read() -> None:
    """One without a time may be ours; one that is no object makes the list unreadable."""
    moment = datetime(2026, 11, 21, tzinfo=UTC)
    assert is_before({"created_at": 0}, moment)
    assert not is_before({"created_at": 10**12}, moment)
    assert not is_before({"created_at": "0"}, moment)
    assert carries({"metadata": {"batchId": "a"}}, "a")
    assert not carries({"metadata": ["a"]}, "a")
    with pytest.raises(UnreadableError):
        is_before(None, moment)
    with pytest.raises(UnreadableError):
        carries(None, "a")


COUNTS = {"processing": 0, "succeeded": 3, "errored": 0, "canceled": 0, "expired": 0}


def message_batch(counts: dict[str, int] | None = None, **changes: Any) -> dict[str, Any]:
    """Return a batch as Anthropic shows it."""
    return {
        "id": "msgbatch_1",
        "processing_status": "ended",
        "request_counts": {**COUNTS, **(counts or {})},
        "created_at": "2026-11-21T12:00:00.123456Z",
        "results_url": "https://api.anthropic.com/v1/messages/batches/msgbatch_1/results",
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, ProviderState.COMPLETED),
        ({"counts": {"expired": 1}}, ProviderState.EXPIRED),
        ({"counts": {"canceled": 1}}, ProviderState.CANCELLED),
        ({"processing_status": "in_progress"}, ProviderState.IN_PROGRESS),
        ({"processing_status": "canceling"}, ProviderState.CANCELLING),
        ({"processing_status": "pausing"}, ProviderState.UNKNOWN),
        ({"processing_status": None}, ProviderState.UNKNOWN),
    ],
)
def test_anthropics_states_are_translated(changes: dict[str, Any], state: ProviderState) -> None:
    """One that is not known is waited for, as OpenAI's."""
    found = read_message_batch(message_batch(**changes), "msgbatch_1")
    assert (found.state, found.one_file, found.output_file_id) == (state, True, "msgbatch_1")


def test_anthropics_counts_say_what_the_results_have() -> None:
    """Answers, and all that came to nothing; no results, no file."""
    counts = {"succeeded": 3, "errored": 1, "canceled": 2, "expired": 4}
    found = read_message_batch(message_batch(counts, results_url=None))
    assert (found.answered, found.refused, found.output_file_id, found.status) == (3, 7, None, "ended")
    with pytest.raises(UnreadableError):
        read_message_batch(message_batch(), "msgbatch_2")


def test_a_listed_batch_has_its_time_and_its_size() -> None:
    """By which it is found again."""
    found = read_listed(message_batch({"processing": 7}))
    assert (found.created_at, found.lines) == (datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC), 10)


@pytest.mark.parametrize("created", [None, 7, "", "yesterday", "2026-11-21T12:00:00"])
def test_a_list_without_times_is_unreadable(created: object) -> None:
    """What cannot be placed may be ours: the list proves nothing then."""
    with pytest.raises(UnreadableError):
        read_listed(message_batch(created_at=created))
