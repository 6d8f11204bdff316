"""OpenAI's dialect: the request that it takes, and what its answer comes to."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.core.model import prompts
from functions.core.model.classification import answer_schema
from functions.core.model.dialects.openai import (
    REASONING_EFFORT,
    batch_line,
    completion_request,
    error_of,
    read_completion,
)
from functions.core.model.parsing import Completion, Unusable, parse_answer
from functions.core.model.prompts import image_data_url
from functions.core.model.usage import Usage
from tests.builders import USAGE, USAGE_REPORTED, answer, answer_text, completion_body

IMAGE = image_data_url(b"\xff\xd8jpeg")


def test_a_request_is_worded_as_its_version_says() -> None:
    """The flag `prompt` changes the system prompt and nothing else."""
    old, new = (completion_request("m", IMAGE, "IN", "hi", prompt=version) for version in prompts.PROMPTS)
    assert [body["messages"][0]["content"] for body in (old, new)] == list(prompts.PROMPTS.values())
    assert {**old, "messages": old["messages"][1:]} == {**new, "messages": new["messages"][1:]}
    assert completion_request("m", IMAGE, "IN", "hi") == old


def test_the_request_says_what_to_answer_and_how_much() -> None:
    """Strict schema, a bound on the output, and one photo at a stated level of detail."""
    body = completion_request("gpt-test", IMAGE, "IN", "hi-IN")
    assert body["response_format"]["json_schema"]["strict"] is True
    assert body["response_format"]["json_schema"]["schema"] == answer_schema()
    assert body["max_completion_tokens"] == prompts.OUTPUT_TOKENS_MAX
    system, user = body["messages"]
    assert (system["role"], system["content"]) == ("system", prompts.SYSTEM_PROMPT)
    text, image = user["content"]
    assert text == {"type": "text", "text": "Region: IN. Language: hi-IN."}
    assert image == {"type": "image_url", "image_url": {"url": IMAGE, "detail": "high"}}


def test_what_is_the_same_for_every_photo_comes_first() -> None:
    """Two requests differ only after the system prompt, so that a provider can serve it from its cache."""
    one = completion_request("m", IMAGE, "IN", "hi")
    other = completion_request("m", image_data_url(b"other"), "DE", "de")
    assert one["messages"][0] == other["messages"][0]
    assert {**one, "messages": 0} == {**other, "messages": 0}


@pytest.mark.parametrize(("model", "effort"), [*REASONING_EFFORT.items(), ("gpt-4o-mini", None)])
def test_a_reasoning_model_is_asked_to_think_as_little_as_it_can(model: str, effort: str | None) -> None:
    """Thinking is billed as output; a model that does not reason must not be sent the option."""
    assert completion_request(model, IMAGE, "US", "en").get("reasoning_effort") == effort


def test_a_batch_line_is_what_openai_takes() -> None:
    """As in OpenAI's guide to batches, and with letters as letters: escapes would be bytes to upload."""
    assert batch_line("job-1", {"text": "Tüte\n"}) == (
        '{"custom_id":"job-1","method":"POST","url":"/v1/chat/completions","body":{"text":"Tüte\\n"}}\n'.encode()
    )


@given(custom_id=st.text(max_size=20), region=st.text(max_size=20))
def test_a_batch_line_is_one_line_of_json_whatever_is_in_it(custom_id: str, region: str) -> None:
    """Line ends and unicode in texts stay inside the JSON: one newline, at the end, and every value comes back."""
    body = completion_request("m", IMAGE, region, "en")
    line = batch_line(custom_id, body)
    assert line.endswith(b"\n")
    assert len(line.splitlines()) == 1
    assert json.loads(line) == {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": body,
    }


def test_a_completion_is_reduced_to_its_text_and_its_cost() -> None:
    """The first choice's content, and the usage as billed."""
    assert read_completion(completion_body("hello")) == Completion("hello", None, USAGE)


NO_CHOICES = "the answer has no choices"
EMPTY = "the answer is empty"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, NO_CHOICES),
        ({"choices": None}, NO_CHOICES),
        ({"choices": []}, NO_CHOICES),
        ({"choices": {}}, NO_CHOICES),
        ({"choices": "none"}, NO_CHOICES),
        ({"choices": ["text"]}, NO_CHOICES),
        ({"choices": [{}]}, NO_CHOICES),
        ({"choices": [{"message": None}]}, NO_CHOICES),
        ({"choices": [{"message": "text"}]}, NO_CHOICES),
        ({"choices": [{"message": {}}]}, EMPTY),
        ({"choices": [{"message": {"content": ""}}]}, EMPTY),
        ({"choices": [{"message": {"content": " \n"}}]}, EMPTY),
        ({"choices": [{"message": {"content": [{"type": "text"}]}}]}, EMPTY),
        (completion_body(refusal="I cannot help with that."), "the model refused"),
        (completion_body(finish_reason="length"), "the answer was cut at the token limit"),
        (completion_body(finish_reason="content_filter"), "the provider's content filter stopped the answer"),
    ],
)
def test_a_completion_without_an_answer_says_why(body: dict[str, Any], problem: str) -> None:
    """An answer that is empty, refused, filtered or cut is a named problem, also where its text looks complete."""
    completion = read_completion(body)
    assert (completion.text, completion.problem) == (None, problem)
    with pytest.raises(Unusable, match=problem):
        parse_answer(completion)


@pytest.mark.parametrize(
    "body", [completion_body(finish_reason="length"), {"usage": USAGE_REPORTED}, completion_body(refusal="No.")]
)
def test_a_useless_answer_still_has_its_cost(body: dict[str, Any]) -> None:
    """What the provider bills is known also when there is nothing to show for it."""
    assert read_completion(body).usage == USAGE


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 2}, Usage(input_tokens=9, output_tokens=2)),
        (
            {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": None},
            Usage(input_tokens=9, output_tokens=2),
        ),
        (
            {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": None}},
            Usage(input_tokens=9, output_tokens=2),
        ),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 2,
                "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 4},
            },
            Usage(input_tokens=9, cached_tokens=5, cache_write_tokens=4, output_tokens=2),
        ),
    ],
)
def test_usage_is_read_with_its_cached_parts(reported: dict[str, Any], usage: Usage) -> None:
    """Cached and cache-writing tokens are told apart, and are zero where they are not reported."""
    assert read_completion(completion_body(usage=reported)).usage == usage


@pytest.mark.parametrize(
    "reported",
    [
        "free",
        [],
        {},
        {"prompt_tokens": 9},
        {"prompt_tokens": -1, "completion_tokens": 2},
        {"prompt_tokens": "many", "completion_tokens": 2},
        {"prompt_tokens": 9.5, "completion_tokens": 2},
        {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": "5"},
        {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 10}},
        {"prompt_tokens": 10**30, "completion_tokens": 2},
    ],
    ids=str,
)
def test_an_absurd_usage_is_none_and_never_free(reported: object) -> None:
    """What cannot be a bill is not taken for one: the caller books the safe side. Nor can it be too large to store."""
    assert read_completion(completion_body(usage=reported)).usage is None


def test_an_answer_in_parts_is_put_together_without_its_thoughts() -> None:
    """Mistral's reasoning models send a list of parts."""
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": answer_text(itemName="Banana")}]},
        {"type": "text", "text": answer_text()[:50]},
        {"type": "text", "text": answer_text()[50:]},
        {"type": "text", "text": None},
        "stray",
    ]
    body = completion_body()
    body["choices"][0]["message"]["content"] = parts
    assert parse_answer(read_completion(body)) == answer()


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"error": {"code": 429, "message": "busy"}}, {"code": 429, "message": "busy"}),
        ({"error": {"code": 429}, "choices": None, "usage": None}, {"code": 429}),
        ({"error": "overloaded", "choices": None}, "overloaded"),
        ({"id": None, "choices": None, "usage": None, "model": None}, {}),
        ({"choices": None}, {}),
        ({}, {}),
        ("<html>", {}),
        ([], {}),
        ({"choices": None, "usage": USAGE_REPORTED}, None),
        ({"choices": []}, None),
        (completion_body(), None),
        ({**completion_body(), "error": None}, None),
    ],
)
def test_a_success_that_is_an_error_is_told(body: object, error: object) -> None:
    """An error object, or nothing at all, in the place of choices: no model was asked. With choices or a usage, one
    was."""
    assert error_of(body) == error


def test_an_answer_that_was_broken_off_is_none_and_is_owed() -> None:
    """OpenRouter says so in the choice, when the model had begun to answer."""
    body = completion_body()
    body["choices"][0] |= {"finish_reason": "error", "error": {"code": 502, "message": "upstream"}}
    completion = read_completion(body)
    assert (completion.text, completion.problem, completion.usage) == (None, "the provider broke off the answer", USAGE)


values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(body=st.dictionaries(st.sampled_from(["choices", "usage", "id"]), values, max_size=3))
def test_any_body_is_read_without_a_crash(body: dict[str, Any]) -> None:
    """Whatever a provider sends: a text or a problem, never both and never neither."""
    completion = read_completion(body)
    assert (completion.text is None) != (completion.problem is None)
