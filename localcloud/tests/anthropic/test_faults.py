"""Faults on request: each as the real client meets it."""

import json
import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest

from localcloud.anthropic.__main__ import main
from localcloud.anthropic.faults import KINDS

REFUSALS = {
    "rate_limited": (429, "rate_limit_error"),
    "ramp_limit": (429, "rate_limit_error"),
    "spend_limit": (429, "rate_limit_error"),
    "usage_limit": (400, "invalid_request_error"),
    "bad_key": (401, "authentication_error"),
    "billing": (402, "billing_error"),
    "forbidden": (403, "permission_error"),
    "model_not_found": (404, "not_found_error"),
    "too_large": (413, "request_too_large"),
    "server_error": (500, "api_error"),
    "gateway_timeout": (504, "timeout_error"),
    "overloaded": (529, "overloaded_error"),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_has_its_status_its_type_and_a_request_id(world: Any, kind: str) -> None:
    """And it comes once: the next request is served."""
    world.standin.faults.add(kind)
    with pytest.raises(anthropic.APIStatusError) as refusal:
        world.ask()
    error: Any = refusal.value
    assert (error.status_code, error.body["error"]["type"]) == REFUSALS[kind]
    assert error.request_id == error.body["request_id"]
    assert world.ask().content


def test_a_rate_limit_says_when_to_come_back_and_a_spend_limit_does_not(world: Any) -> None:
    """The two 429 are told apart by `retry-after` and by the error's code."""
    world.standin.faults.add("rate_limited", retry_after=17)
    world.standin.faults.add("spend_limit")
    errors: list[Any] = []
    for _ in range(2):
        with pytest.raises(anthropic.RateLimitError) as refusal:
            world.ask()
        errors.append(refusal.value)
    rate, spend = errors
    assert rate.response.headers["retry-after"] == "17"
    assert rate.response.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert "retry-after" not in spend.response.headers
    assert (rate.error_code, spend.error_code) == (None, "enforced_spend_limit_reached")


@pytest.mark.parametrize(
    ("kind", "stop_reason", "text"),
    [
        ("refusal", "refusal", None),
        ("empty_content", "end_turn", None),
        ("cut_answer", "max_tokens", '{"name'),
        ("fenced_answer", "end_turn", "Here is the answer:\n```json"),
        ("answer_text", "end_turn", "I cannot say."),
    ],
)
def test_an_answer_can_be_spoilt(world: Any, kit: Any, kind: str, stop_reason: str, text: str | None) -> None:
    """It is a 200, and it is billed."""
    world.standin.faults.add(kind)
    answer = world.ask(output_config=kit.strictly(kit.item_schema()))
    assert answer.stop_reason == stop_reason
    assert [block.text.startswith(text) for block in answer.content] == ([True] if text else [])
    assert answer.usage.input_tokens > 0


def test_enums_can_come_in_capitals(world: Any, kit: Any) -> None:
    """The service does not guarantee their case."""
    world.standin.faults.add("enum_capitals")
    said = json.loads(world.ask(output_config=kit.strictly(kit.item_schema())).content[0].text)
    assert said["kind"] in {"ANIMAL", "PLANT", "THING"}
    assert said["name"] == "stand-in"


def test_a_lost_reply_leaves_a_batch_that_nobody_was_told_of(wire: Any) -> None:
    """The creation is done, the connection is reset, and the list is what is left."""
    wire.standin.faults.add("reply_lost")
    with pytest.raises(anthropic.APIConnectionError):
        wire.submit(3)
    (found,) = wire.client.messages.batches.list().data
    assert found.request_counts.processing == 3


def test_the_list_and_the_batch_can_lag_behind(world: Any) -> None:
    """A new batch is not in the list yet, and may be a 404 for a moment."""
    world.standin.faults.add("list_late", minutes=2)
    world.standin.faults.add("not_found")
    batch, batches = world.submit(1), world.client.messages.batches
    assert batches.list().data == []
    with pytest.raises(anthropic.NotFoundError):
        batches.retrieve(batch.id)
    world.clock.advance(minutes=2)
    assert [each.id for each in batches.list().data] == [batches.retrieve(batch.id).id]


def test_results_can_come_late(world: Any) -> None:
    """The batch has ended, and they are a 404 for a while."""
    world.standin.faults.add("batch_minutes", minutes=20)
    world.standin.faults.add("results_late", minutes=3)
    batch = world.later(world.submit(1), minutes=20)
    with pytest.raises(anthropic.NotFoundError):
        world.results(batch)
    world.clock.advance(minutes=3)
    assert len(world.results(batch)) == 1


def test_lines_can_be_missing_double_strange_or_errored(world: Any) -> None:
    """What a collector has to expect of a file of somebody else."""
    for kind, custom_id in (("missing_line", "job-0"), ("duplicate_line", "job-1"), ("unknown_line", "job-2")):
        world.standin.faults.add(kind, custom_id=custom_id)
    world.standin.faults.add("line_error", custom_id="job-3")
    results = world.results(world.later(world.submit(4), minutes=20))
    assert Counter(custom_id for custom_id, _ in results) == {"job-1": 2, "job-2": 1, "unknown-job-2": 1, "job-3": 1}
    assert dict(results)["job-3"].error.error.type == "api_error"


def test_a_stuck_batch_ends_by_its_expiry(world: Any) -> None:
    """With nothing done."""
    world.standin.faults.add("batch_stuck")
    assert world.later(world.submit(2), hours=24).request_counts.expired == 2


def test_an_answer_can_drip(wire: Any) -> None:
    """In pieces, each of which a timeout between bytes forgives; only a deadline of the whole ends it."""
    wire.standin.faults.add("slow_drip", seconds=2)
    begun = time.monotonic()
    with wire.client.messages.with_streaming_response.create(**wire.body()) as response:
        pieces = list(response.iter_bytes())
    assert len(pieces) >= 5
    assert time.monotonic() - begun >= 1.5
    assert json.loads(b"".join(pieces))["type"] == "message"


def test_a_hanging_answer_ends_when_the_caller_leaves(wire: Any) -> None:
    """The client's own timeout is what the caller sees."""
    wire.standin.faults.add("timeout")
    with pytest.raises(anthropic.APITimeoutError):
        wire.client.with_options(timeout=0.3).messages.create(**wire.body())


@pytest.mark.parametrize("kind", ["connection_reset", "malformed_json", "bad_gateway"])
def test_a_broken_answer_is_an_error_of_the_client(wire: Any, kind: str) -> None:
    """Cut before, cut within, or not of the service at all."""
    wire.standin.faults.add(kind)
    with pytest.raises((anthropic.APIError, json.JSONDecodeError)):
        wire.ask()


def test_an_admin_steers_the_stand_in_from_another_process(wire: Any) -> None:
    """Faults, counts and settings, as for OpenAI's; a kind that is not Anthropic's is refused."""
    admin = httpx2.Client(base_url=wire.standin.admin_url)
    with admin:
        assert admin.post("faults", json={"kind": "overloaded"}).status_code == 200
        assert admin.post("faults", json={"kind": "insufficient_quota"}).status_code == 400
        with pytest.raises(anthropic.APIStatusError):
            wire.ask()
        assert admin.get("requests").json() == {"POST /v1/messages": 1}
        assert admin.patch("settings", json={"batch_minutes": 1}).json()["batch_minutes"] == 1
        assert admin.patch("settings", json={"batch_minutes": -1}).status_code == 400


def test_every_kind_of_fault_is_documented_and_can_be_added(make_world: Callable[..., Any]) -> None:
    """The page has a row for each, and nothing that there is not."""
    faults = make_world().standin.faults
    page = (Path(__file__).parents[2] / "docs" / "anthropic.md").read_text(encoding="utf-8")
    rows = page.partition("## Faults")[2].partition("## How")[0].splitlines()
    listed = {kind for row in rows if row.startswith("| `") for kind in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert listed == KINDS.keys()
    assert all(faults.add(kind) for kind in KINDS)


def test_the_command_says_what_is_wrong_with_its_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m localcloud.anthropic --port many`."""
    with pytest.raises(SystemExit):
        main(["--port", "many"])
    assert "invalid int value: 'many'" in capsys.readouterr().err
