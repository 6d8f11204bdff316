"""Anthropic's dialect: what is asked, what an answer comes to and costs, and whose fault a refusal is."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.core.model.dialects import anthropic, openai
from functions.core.model.parsing import Completion
from functions.core.model.prompts import OUTPUT_TOKENS_MAX, PROMPT_NEXT, PROMPTS, SYSTEM_PROMPT, image_data_url
from functions.core.model.provider_errors import Trouble
from functions.core.model.refusals import ProviderDownError, ProviderError, ProviderRejectedError
from functions.core.model.usage import Usage

IMAGE = image_data_url(b"jpeg")
REPORTED = {"input_tokens": 700, "output_tokens": 230, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
USAGE = Usage(input_tokens=700, output_tokens=230)


def message(text: str = "hello", stop_reason: str = "end_turn", **changes: Any) -> dict[str, Any]:
    """Return a message as the service sends it."""
    content = [{"type": "text", "text": text, "citations": None}]
    return {"type": "message", "content": content, "stop_reason": stop_reason, "usage": REPORTED, **changes}


def keywords(node: object) -> set[str]:
    """Return every keyword of a schema."""
    if isinstance(node, list):
        return set().union(*map(keywords, node))
    if not isinstance(node, dict):
        return set()
    inner = node.get("properties", {}).values() if "properties" in node else ()
    return {*node} | keywords([*inner]) | keywords([node[key] for key in ("items", "anyOf") if key in node])


def test_the_request_says_what_openais_says() -> None:
    """The same wording, place, language, photo and bound; thinking is off, it is computed where that costs what is
    booked, and nothing that sampling takes is sent."""
    body = anthropic.completion_request("claude-haiku-5-5", IMAGE, "IN", "hi", identifier="user-1")
    ours = openai.completion_request("m", IMAGE, "IN", "hi")
    text, image = body["messages"][0]["content"]
    assert body["system"] == SYSTEM_PROMPT == ours["messages"][0]["content"]
    assert text == ours["messages"][1]["content"][0]
    assert image["source"] == {"type": "base64", "media_type": "image/jpeg", "data": IMAGE.partition("base64,")[2]}
    assert (body["model"], body["max_tokens"]) == ("claude-haiku-5-5", OUTPUT_TOKENS_MAX)
    assert (body["thinking"], body["metadata"]) == ({"type": "disabled"}, {"user_id": "user-1"})
    assert body["inference_geo"] == "global"
    assert {"temperature", "top_p", "top_k"} & body.keys() == set()


def test_the_schema_has_no_bounds_and_loses_nothing_else() -> None:
    """What is a 400 there is left out, wherever it stands; fields and closed sets are OpenAI's."""
    body = anthropic.completion_request("m", IMAGE, "IN", "hi", prompt=PROMPT_NEXT)
    schema = body["output_config"]["format"]["schema"]
    theirs = openai.completion_request("m", IMAGE, "IN", "hi")["response_format"]["json_schema"]["schema"]
    assert keywords(theirs) - keywords(schema) == {"minimum", "maximum", "maxItems"}
    assert [*schema["properties"]] == [*theirs["properties"]]
    assert schema["properties"]["category"] == theirs["properties"]["category"]
    assert body["system"] == PROMPTS[PROMPT_NEXT]
    assert "metadata" not in body


def test_an_image_can_be_behind_a_link() -> None:
    """As in batches whose photos are too large."""
    (_, image) = anthropic.completion_request("m", "https://photos.example/1", "IN", "hi")["messages"][0]["content"]
    assert image["source"] == {"type": "url", "url": "https://photos.example/1"}


def test_lines_in_their_frame_are_one_request() -> None:
    """The whole input file is the body that creates a batch."""
    body = anthropic.completion_request("m", IMAGE, "Perú", "fr")
    head, between, tail = anthropic.BATCH_FRAME
    file = head + between.join(anthropic.batch_line(name, body) for name in ("one", "two")) + tail
    assert json.loads(file) == {"requests": [{"custom_id": name, "params": body} for name in ("one", "two")]}
    assert "Perú".encode() in file


def test_a_batch_that_is_not_there_is_refused_for_itself() -> None:
    """In the API's own words; a page of a server in between says nothing of the batch."""
    said = {"type": "error", "error": {"type": "not_found_error", "message": "no"}}
    assert isinstance(anthropic.refusal(404, said, about_a_thing=True), ProviderRejectedError)
    assert isinstance(anthropic.refusal(404, said), ProviderDownError)
    assert isinstance(anthropic.refusal(404, "<html>", about_a_thing=True), ProviderDownError)


def test_a_message_is_its_text_without_its_thoughts() -> None:
    """All text blocks in their order, and the usage as billed."""
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}, "c"]
    assert anthropic.read_completion(message()) == Completion("hello", None, USAGE)
    assert anthropic.read_completion(message(content=parts)).text == "ab"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (message(stop_reason="refusal", content=[]), "the model refused"),
        (message(stop_reason="max_tokens"), "the answer was cut at the token limit"),
        (message(stop_reason="model_context_window_exceeded"), "the answer was cut at the token limit"),
        (message(stop_reason="tool_use"), "the model called a tool"),
        (message(stop_reason="pause_turn"), "the model paused"),
        (message(stop_reason="something_new"), "the answer ended in an unknown way"),
        (message(content=[]), "the answer is empty"),
        (message(content=[{"type": "text", "text": None}]), "the answer is empty"),
    ],
)
def test_a_message_without_an_answer_says_why_and_is_owed(body: dict[str, Any], problem: str) -> None:
    """Whatever its text looks like; only a refusal is the model's."""
    completion = anthropic.read_completion(body)
    assert (completion.text, completion.problem, completion.usage) == (None, problem, USAGE)
    assert completion.refused is (problem == "the model refused")


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        (REPORTED, USAGE),
        (
            {**REPORTED, "cache_read_input_tokens": 400, "cache_creation_input_tokens": 100},
            Usage(input_tokens=1_200, cached_tokens=400, cache_write_tokens=100, output_tokens=230),
        ),
        ({"input_tokens": 700, "output_tokens": 230, "cache_read_input_tokens": None}, USAGE),
        (None, None),
        ({}, None),
        ({**REPORTED, "output_tokens": None}, None),
        ({**REPORTED, "input_tokens": -1}, None),
        ({**REPORTED, "cache_read_input_tokens": "many"}, None),
    ],
)
def test_input_is_the_sum_of_its_three_parts(reported: object, usage: Usage | None) -> None:
    """`input_tokens` is without what the cache gave or took; a report that cannot be read is none, never free."""
    assert anthropic.read_completion(message(usage=reported)).usage == usage


@pytest.mark.parametrize(
    ("body", "billed"), [(None, False), ([], False), ({}, False), ({"content": "x", "usage": REPORTED}, True)]
)
def test_a_success_that_is_no_message_is_an_error(body: object, *, billed: bool) -> None:
    """A proxy's 200: it may be billed if it reports tokens."""
    with pytest.raises(ProviderDownError) as down:
        anthropic.read_completion(body)
    assert down.value.may_be_billed is billed


def error(kind: str, words: str = "", **more: Any) -> dict[str, Any]:
    """Return an error as the service sends it."""
    return {"type": "error", "error": {"type": kind, "message": words, **more}, "request_id": "req_1"}


INVALID = "invalid_request_error"


@pytest.mark.parametrize(
    ("status", "body", "trouble"),
    [
        (400, error(INVALID, "messages.0.content.1.image.source.base64: Could not process image"), Trouble.PHOTO),
        (400, error(INVALID, "image exceeds 10 MB maximum: 1 bytes > 0 bytes"), Trouble.PHOTO),
        (400, error(INVALID, "Image does not match the provided media type image/png"), Trouble.PHOTO),
        (400, error(INVALID, "At least one of the image dimensions exceed max allowed size"), Trouble.PHOTO),
        (400, error(INVALID, "?", details={"error_code": "image_dimensions_too_large"}), Trouble.PHOTO),
        (400, error(INVALID, "output_config.format.schema: 'maxItems' is not supported"), Trouble.CONFIGURATION),
        (400, error(INVALID, "You have reached your specified API usage limits."), Trouble.QUOTA),
        (400, error(INVALID, "Your credit balance is too low to access the API."), Trouble.QUOTA),
        (401, error("authentication_error", "invalid x-api-key"), Trouble.KEY_REFUSED),
        (402, error("billing_error"), Trouble.QUOTA),
        (403, error("permission_error"), Trouble.KEY_REFUSED),
        (404, error("not_found_error", "model: claude-1"), Trouble.CONFIGURATION),
        (413, error("request_too_large"), Trouble.CONFIGURATION),
        (413, None, Trouble.CONFIGURATION),
        (429, error("rate_limit_error"), Trouble.OVERLOADED),
        (429, error("rate_limit_error", details={"error_code": "ramp_limit_exceeded"}), Trouble.OVERLOADED),
        (429, error("rate_limit_error", details={"error_code": "enforced_spend_limit_reached"}), Trouble.QUOTA),
        (500, error("api_error"), Trouble.OVERLOADED),
        (504, error("timeout_error"), Trouble.OVERLOADED),
        (529, error("overloaded_error", "Could not process image"), Trouble.OVERLOADED),
        (502, None, Trouble.OVERLOADED),
        (404, {"error": "no"}, Trouble.CONFIGURATION),
        (401, error("a_new_error"), Trouble.KEY_REFUSED),
    ],
)
def test_whose_fault_a_refusal_is(status: int, body: object, trouble: Trouble) -> None:
    """The photo's only in words about a photo; ours by code, words or type; the rest is theirs."""
    found = anthropic.refusal(status, body)
    assert found.trouble is trouble
    assert isinstance(found, ProviderRejectedError if trouble is Trouble.PHOTO else ProviderDownError)


@pytest.mark.parametrize(("status", "billed"), [(400, 0), (429, 0), (500, 0), (503, 0), (529, 0), (502, 1), (504, 1)])
def test_what_the_service_says_that_it_has_not_done_is_not_billed(status: int, billed: int) -> None:
    """529 is its own; after a gateway's 502 or 504 it may have answered."""
    down = anthropic.refusal(status, None, "7")
    assert isinstance(down, ProviderDownError)
    assert (down.may_be_billed, down.retry_after_seconds) == (bool(billed), 7)


def test_an_error_is_told_by_its_code_and_never_quoted() -> None:
    """What operators see names the type, or the code that says more."""
    assert str(anthropic.refusal(400, error(INVALID, "key sk-ant-1"))) == f"status 400, code {INVALID}"
    spent = error("rate_limit_error", details={"error_code": "enforced_spend_limit_reached"})
    assert str(anthropic.refusal(429, spent)) == "status 429, code enforced_spend_limit_reached"
    assert str(anthropic.refusal(400, error("<script>"))) == "status 400, code None"


json_like: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(message())), inner, max_size=4),
    max_leaves=8,
)


@given(body=json_like)
def test_any_body_is_read_without_a_crash(body: Any) -> None:
    """It is a completion, or an error that a caller can act on."""
    with suppress(ProviderError):
        anthropic.read_completion(body)
    assert isinstance(anthropic.refusal(400, body), ProviderError)
