"""Faults: each does what it says, as often as it was told, the same way every time."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from localcloud.openai.faults import KINDS
from localcloud.serving import unhurried


def _chat(world: Any, **changes: Any) -> Any:
    return world.client.chat.completions.create(**world.body(**changes))


@pytest.fixture(params=["in process", "over a socket"])
def either(request: pytest.FixtureRequest, make_world: Callable[..., Any]) -> Any:
    """A stand-in in process and one behind a socket, in turn."""
    return make_world(socket=request.param == "over a socket")


@pytest.mark.parametrize(
    ("fault", "error", "status", "code"),
    [
        ({"kind": "rate_limited", "retry_after": 7}, openai.RateLimitError, 429, "rate_limit_exceeded"),
        ({"kind": "insufficient_quota"}, openai.RateLimitError, 429, "insufficient_quota"),
        ({"kind": "server_error"}, openai.InternalServerError, 500, None),
        ({"kind": "bad_gateway"}, openai.InternalServerError, 502, None),
        ({"kind": "unavailable"}, openai.InternalServerError, 503, "service_unavailable"),
        ({"kind": "not_found", "endpoint": "*"}, openai.NotFoundError, 404, None),
    ],
)
def test_refusals(either: Any, fault: dict[str, Any], error: type[Exception], status: int, code: str | None) -> None:
    """A refused request fails with the client's own exception once, and the next one succeeds."""
    either.standin.faults.add(**fault)
    with pytest.raises(error) as caught:
        _chat(either)
    assert isinstance(caught.value, openai.APIStatusError)
    assert (caught.value.status_code, caught.value.code) == (status, code)
    assert caught.value.response.headers.get("retry-after") == ("7" if fault["kind"] == "rate_limited" else None)
    assert _chat(either).choices


def test_the_clients_own_retry_heals_them(make_world: Callable[..., Any]) -> None:
    """With retries on, the client gets over a 429 by waiting as long as retry-after says, and over a reset."""
    world = make_world(socket=True)
    world.standin.faults.add(kind="rate_limited", retry_after=0.2)
    world.standin.faults.add(kind="connection_reset")
    begin = time.monotonic()
    assert world.client.with_options(max_retries=2).chat.completions.create(**world.body()).choices
    assert time.monotonic() - begin >= 0.2
    assert world.standin.requests["POST /v1/chat/completions"] == 3


def test_connection_reset(either: Any) -> None:
    """A cut connection is the client's connection error, and nothing was done."""
    either.standin.faults.add(kind="connection_reset", endpoint="POST /v1/files")
    with pytest.raises(openai.APIConnectionError):
        either.upload(b"x")
    assert either.client.files.list().data == []


def test_time_out(either: Any) -> None:
    """An answer that does not come is the client's time-out error, when the client gives up."""
    either.standin.faults.add(kind="timeout", seconds=30)
    begin = time.monotonic()
    with pytest.raises(openai.APITimeoutError):
        either.client.with_options(timeout=0.3).chat.completions.create(**either.body())
    assert time.monotonic() - begin < unhurried(5)
    assert _chat(either).choices


def test_time_out_is_bounded(wire: Any) -> None:
    """A hanging answer ends by itself after the seconds set, even if the client would wait longer."""
    wire.standin.faults.add(kind="timeout", seconds=0.3)
    begin = time.monotonic()
    with pytest.raises(openai.APIConnectionError):
        _chat(wire)
    assert 0.2 < time.monotonic() - begin < unhurried(5)


def test_malformed_json(either: Any) -> None:
    """A body cut in the middle is no completion, whatever the client makes of it."""
    either.standin.faults.add(kind="malformed_json")
    with pytest.raises((json.JSONDecodeError, openai.APIError)):
        _chat(either)


@pytest.mark.parametrize("create", ["file", "batch"])
def test_reply_lost_after_the_effect(either: Any, create: str) -> None:
    """A lost reply leaves the caller with an error and the service with the file or batch."""
    file = either.upload(either.lines(1))
    either.standin.faults.add(kind="reply_lost")
    request: Any = {
        "input_file_id": file.id,
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": {"batchId": "ours"},
    }
    calls: dict[str, Callable[[], Any]] = {
        "file": lambda: either.upload(b"x"),
        "batch": lambda: either.client.batches.create(**request),
    }
    with pytest.raises(openai.APIConnectionError):
        calls[create]()
    if create == "file":
        assert len(either.client.files.list().data) == 2
    else:
        assert [batch.metadata for batch in either.client.batches.list()] == [{"batchId": "ours"}]


def test_file_not_ready(world: Any) -> None:
    """A download can fail as often as told, by 404 and 502, before it succeeds."""
    file = world.upload(b"content")
    world.standin.faults.add(kind="not_found", endpoint="GET /v1/files/*/content", count=2)
    world.standin.faults.add(kind="bad_gateway", endpoint="GET /v1/files/*/content")
    statuses = []
    for _ in range(3):
        with pytest.raises(openai.APIStatusError) as caught:
            world.client.files.content(file.id)
        statuses.append(caught.value.status_code)
    assert statuses == [404, 404, 502]
    assert world.client.files.content(file.id).read() == b"content"
    world.standin.faults.add(kind="malformed_json", endpoint="GET /v1/files/*/content")
    assert world.client.files.content(file.id).read() == b"con"


def test_answers_that_are_none(world: Any) -> None:
    """A refusal, no choices, a cut answer, a fenced answer and any text come as models send them."""
    faults = world.standin.faults
    wanted = {"response_format": {"type": "json_object"}}
    faults.add(kind="refusal")
    message = _chat(world, **wanted).choices[0].message
    assert (message.content, message.refusal) == (None, "I'm sorry, but I can't help with that.")
    faults.add(kind="empty_choices")
    empty = _chat(world, **wanted)
    assert (empty.choices, empty.usage.completion_tokens) == ([], 0)
    faults.add(kind="cut_answer")
    choice = _chat(world, **wanted).choices[0]
    assert choice.finish_reason == "length"
    with pytest.raises(json.JSONDecodeError):
        json.loads(choice.message.content)
    faults.add(kind="fenced_answer")
    content = _chat(world, **wanted).choices[0].message.content
    assert json.loads(content.split("```json\n")[1].split("\n```")[0])
    assert content.startswith("Sure!")
    faults.add(kind="answer_text", text="It is PET 1, yes.")
    assert _chat(world, **wanted).choices[0].message.content == "It is PET 1, yes."
    assert json.loads(_chat(world, **wanted).choices[0].message.content)


def test_answers_in_batches_and_outside_are_told_apart(world: Any) -> None:
    """An answer's fault can be kept to batch lines, to one of them, or to single calls."""
    world.standin.faults.add(kind="refusal", endpoint="BATCH *", custom_id="job-1", count=None)
    world.standin.faults.add(kind="empty_choices", endpoint="POST *", count=None)
    assert _chat(world).choices == []
    batch = world.finished(world.lines(3))
    messages = {
        line["custom_id"]: line["response"]["body"]["choices"][0]["message"]
        for line in world.output(batch.output_file_id)
    }
    assert {name for name, message in messages.items() if message["refusal"]} == {"job-1"}


def test_lines_that_go_wrong(world: Any) -> None:
    """Lines are missing, doubled, made up or failed exactly where told."""
    faults = world.standin.faults
    faults.add(kind="missing_line", custom_id="job-0")
    faults.add(kind="duplicate_line", custom_id="job-1")
    faults.add(kind="unknown_line", custom_id="job-2")
    faults.add(kind="line_error", custom_id="job-3", status=429)
    faults.add(kind="line_error", custom_id="job-4", status=500, in_output=True)
    batch = world.finished(world.lines(6))
    output = world.output(batch.output_file_id)
    [failed] = world.output(batch.error_file_id)
    assert sorted(line["custom_id"] for line in output) == [
        "job-1", "job-1", "job-2", "job-4", "job-5", "unknown-job-2",
    ]  # fmt: skip
    assert (failed["custom_id"], failed["response"]["status_code"]) == ("job-3", 429)
    assert [line["response"]["status_code"] for line in output if line["custom_id"] == "job-4"] == [500]
    assert batch.request_counts.model_dump() == {"completed": 4, "failed": 2, "total": 6}


def test_one_bad_line_fails_the_batch(world: Any) -> None:
    """Validation can be made to find a bad line in a good input."""
    world.standin.faults.add(kind="batch_invalid_line", line=2)
    batch = world.finished(world.lines(3))
    [error] = batch.errors.data
    assert (batch.status, error.code, error.line) == ("failed", "invalid_json_line", 2)
    assert world.finished(world.lines(3)).status == "completed"


def test_token_limit_on_request(world: Any) -> None:
    """A batch can be made to fail for enqueued tokens without a limit being set."""
    world.standin.faults.add(kind="batch_token_limit")
    assert world.finished(world.lines(1)).errors.data[0].code == "token_limit_exceeded"


@pytest.mark.parametrize("state", ["validating", "in_progress", "finalizing"])
def test_stuck_batches(world: Any, state: str) -> None:
    """A batch stays in the state told for the minutes told, or until it expires; finished lines are kept."""
    world.standin.faults.add(kind="batch_stuck", state=state, minutes=300)
    world.standin.faults.add(kind="batch_stuck", state=state, skip=1)
    slow, never = world.submit(world.lines(4)), world.submit(world.lines(4))
    assert world.later(slow, minutes=299).status == state
    assert world.later(slow, minutes=21).status == "completed"
    assert world.client.batches.retrieve(never.id).status == state
    never = world.later(never, hours=24)
    assert never.status == "expired"
    if state == "validating":
        assert (never.output_file_id, never.error_file_id, never.request_counts.total) == (None, None, 0)
    else:
        assert len(world.output(never.output_file_id)) == 4


def test_cancelled_by_the_other_side(world: Any) -> None:
    """OpenAI may cancel a batch itself; what was done until then is kept."""
    world.standin.faults.add(kind="batch_cancelled", share=0.5)
    batch = world.later(world.submit(world.lines(10)), minutes=40)
    assert batch.status == "cancelled"
    assert batch.in_progress_at < batch.cancelling_at < batch.cancelled_at
    assert len(world.output(batch.output_file_id)) == 5


def test_a_batch_with_its_own_duration(world: Any) -> None:
    """One batch can be given another duration than the rest."""
    world.standin.faults.add(kind="batch_minutes", minutes=120)
    long, short = world.submit(world.lines(1)), world.submit(world.lines(1))
    world.clock.advance(minutes=119)
    assert world.client.batches.retrieve(long.id).status != "completed"
    assert world.client.batches.retrieve(short.id).status == "completed"
    assert world.later(long, minutes=1).status == "completed"


def test_skip_and_count(world: Any) -> None:
    """A fault lets `skip` requests pass, strikes `count` times, and is over."""
    world.standin.faults.add(kind="server_error", endpoint="POST /v1/chat/completions", skip=2, count=2)
    world.client.files.list()
    assert _outcomes(world, 6) == "..xx.."
    [fault] = world.standin.faults.list()
    assert (fault["matched"], fault["fired"]) == (4, 2)


def test_probability_is_thrown_from_the_seed(make_world: Callable[..., Any]) -> None:
    """A probable fault strikes about as often as said, in the same places for the same seed."""
    seen = []
    for seed in (3, 3, 4):
        world = make_world(seed=seed)
        world.standin.faults.add(kind="server_error", count=None, probability=0.5)
        seen.append(_outcomes(world, 60))
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]
    assert all(15 <= outcome.count("x") <= 45 for outcome in seen)


def _outcomes(world: Any, count: int) -> str:
    outcomes = ""
    for _ in range(count):
        try:
            _chat(world)
            outcomes += "."
        except openai.InternalServerError:
            outcomes += "x"
    return outcomes


def test_faults_can_be_taken_back(world: Any) -> None:
    """A removed fault does not strike, nor does any after clearing."""
    fault = world.standin.faults.add(kind="server_error", count=None)
    assert world.standin.faults.remove(fault)
    assert not world.standin.faults.remove(fault)
    assert _outcomes(world, 1) == "."
    world.standin.faults.add(kind="server_error", count=None)
    world.standin.faults.clear()
    assert _outcomes(world, 1) == "."


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "earthquake"},
        {"kind": "refusal", "colour": "red"},
        {"kind": "refusal", "probability": 2},
        {"kind": "refusal", "fired": 1},
        {"kind": "batch_expires", "share": -1},
        {"kind": "batch_stuck", "state": "completed"},
        {"kind": "timeout", "seconds": 1e9},
    ],
)
def test_faults_that_make_no_sense(world: Any, wrong: dict[str, Any]) -> None:
    """An unknown kind or selector, or a value out of range, is refused when it is added."""
    with pytest.raises(ValueError, match=r"unknown|between|stuck"):
        world.standin.faults.add(**wrong)
    assert world.standin.faults.list() == []


def test_every_kind_is_described_in_the_readme() -> None:
    """The documentation lists every kind of fault."""
    readme = (Path(__file__).parents[2] / "docs" / "openai.md").read_text()
    assert [kind for kind in KINDS if f"`{kind}`" not in readme] == []


def test_two_clients_one_fault(wire: Any) -> None:
    """A fault that strikes once strikes one of several clients."""
    wire.standin.faults.add(kind="server_error")
    with OpenAI(api_key="x", base_url=wire.standin.base_url, max_retries=0) as other:
        with pytest.raises(openai.InternalServerError):
            other.files.list()
        assert wire.client.files.list().data == []
