"""From what models really send to an answer that can be trusted, or to the reason why not."""

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from functions.core.model.answer_text import ANSWER_CHARACTERS_MAX
from functions.core.model.classification import Answer, Category, DisposalMethod
from functions.core.model.parsing import (
    Completion,
    Unusable,
    error_of,
    parse_answer,
    read_completion,
)
from functions.core.model.usage import Usage
from tests.builders import USAGE, USAGE_REPORTED, answer, answer_json, answer_text, completion_body, disposal_json


def parse(text: str | None) -> Answer:
    """Parse an answer that is this text."""
    return parse_answer(Completion(text, None, USAGE))


def reason_against(text: str) -> str:
    """Return why this text is no answer."""
    with pytest.raises(Unusable) as refused:
        parse(text)
    return str(refused.value)


# The envelope


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


# The text


def test_a_well_behaved_answer_is_taken_as_it_is() -> None:
    """Every field comes through unchanged."""
    assert parse(answer_text()).model_dump(by_alias=True, mode="json") == answer_json()


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/a//b /* not a comment */",
        'He said "{" // and "}"',
        "back\\slash \\",
        "line\nline\ttab",
        "Flasche für Öl, 水のボトル, बोतल, 🍾",
        "\u2028\u2029",
    ],
)
def test_text_that_only_looks_like_syntax_is_kept(text: str) -> None:
    """What stands in a string is text: URLs, comment marks, braces, escapes and any script."""
    assert parse(answer_text(explanation=f"x{text}x")).explanation == f"x{text}x"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("This is a plastic bottle; recycle it.", "no JSON"),
        ("[]", "no JSON"),
        ("null", "no JSON"),
        (answer_text()[:200], "does not end"),
        ('{"itemName": "a', "does not end"),
        ("{'itemName': 'a'}", "not usable"),
        ("{itemName: 1}", "not usable"),
        ("{'itemName': 'it's'}", "not valid JSON|does not end"),
        ('{"itemName" "a"}', "not valid JSON"),
        ("{} {}", "not usable"),
        ('{"a":' * 5_000 + "1" + "}" * 5_000, "longer than|not valid JSON"),
        ('{"a":' * 3_000 + "1" + "}" * 3_000, "not valid JSON|not usable"),  # how deep is too deep depends on Python
        (answer_text() + " " * ANSWER_CHARACTERS_MAX, "longer than"),
        ('{"confidence": ' + "9" * 5_000 + "}", "not valid JSON"),
    ],
    ids=lambda text: text[:24],
)
def test_what_is_no_json_object_is_no_answer(text: str, reason: str) -> None:
    """Prose, fragments, other dialects, too deep or too long: a reason for another attempt, never a result."""
    with pytest.raises(Unusable, match=reason):
        parse(text)


def test_of_a_key_that_is_there_twice_the_last_one_counts() -> None:
    """Duplicate keys are read as every JSON parser reads them."""
    twice = '{"category": "Wet Waste", ' + answer_text().removeprefix("{")
    assert parse(twice).category is Category.DRY


@pytest.mark.parametrize("text", ["{" + '"\\' * 9_900, "{" + "/* " * 6_600, "{" * 19_999], ids=lambda text: text[:5])
def test_a_hostile_answer_costs_little_time(text: str) -> None:
    """The longest text that we look at takes well below a second, however it is built: no reader of ours is quadratic.
    Measuring coverage on a busy machine takes ten times as long as the reading."""
    began = time.process_time()
    reason_against(text)
    assert time.process_time() - began < 1


# The fields


@pytest.mark.parametrize(
    ("field", "written"),
    [
        ("category", "Plastic"),
        ("category", "Wet"),
        ("category", ["Wet Waste"]),
        ("category", None),
        ("confidence", "85"),
        ("confidence", 85),
        ("confidence", "high"),
        ("confidence", "-0.5"),
        ("confidence", True),
        ("confidence", float("nan")),
        ("confidence", float("inf")),
        ("hazardLevel", "low"),
        ("hazardLevel", 2.5),
        ("hazardLevel", True),
        ("hazardLevel", float("inf")),
        ("recyclingCode", "PET 1 or 2"),
        ("recyclingCode", "PET"),
        ("recyclingCode", "8"),
        ("recyclingCode", 0),
        ("recyclingCode", True),
        ("recyclingCode", "1" * 5_000),
        ("needsReview", "maybe"),
        ("needsReview", None),
        ("isRecyclable", "partly"),
        ("isRecyclable", 2),
        ("materials", {"a": 1}),
        ("materials", [1]),
        ("itemName", ""),
        ("itemName", None),
        ("itemName", 7),
        ("itemName", "\ud83d"),
        ("disposal", None),
        ("disposal", "recycle it"),
        ("alternatives", ["Wet Waste"]),
        ("alternatives", "Wet Waste"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_field_that_is_not_certain_is_refused_by_name(field: str, written: object) -> None:
    """What could mean anything is not guessed: the answer is unusable, and the reason names the field."""
    assert field in reason_against(answer_text(**{field: written}))


@pytest.mark.parametrize("field", sorted(set(answer_json()) - {"materials", "recyclingCode", "alternatives"}))
def test_a_missing_field_is_refused_by_name(field: str) -> None:
    """Nothing that matters is filled in with a default."""
    assert field in reason_against(json.dumps({name: v for name, v in answer_json().items() if name != field}))


@pytest.mark.parametrize(
    ("field", "written"),
    [
        ("primaryMethod", "burn"),
        ("steps", None),
        ("steps", ""),
        ("steps", " - \n * "),
        ("steps", [""]),
        ("steps", "\n".join("abcdefg")),
        ("urgent", "soon"),
    ],
)
def test_a_disposal_that_is_not_certain_is_refused_by_name(field: str, written: object) -> None:
    """No method outside the six, and no result without steps to follow."""
    assert f"disposal.{field}" in reason_against(answer_text(disposal=disposal_json(**{field: written})))


def test_the_reason_never_quotes_the_answer() -> None:
    """A model's words may be anything; they do not reach the logs by way of an error."""
    secret = "CONFIDENTIAL"
    for text in (secret, f"{{{secret}}}", answer_text(category=secret), answer_text(**{secret: 1}, itemName=None)):
        assert secret not in reason_against(text)


def test_many_faults_are_summed_up() -> None:
    """An answer in which nothing is right has a short reason."""
    assert len(reason_against("{}")) < 200


# Anything at all

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["yes", "PET 1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
changed_answers = st.builds(
    lambda changes: json.dumps({**answer_json(), **changes}),
    st.dictionaries(st.sampled_from(sorted(answer_json())), values, max_size=3),
)
scraps = st.sampled_from(
    ['"', "{", "}", "//", "/*", "*/", "\\", ",", ":", "[", "]", "\n", "```", "1e999", "NaN", "a", "\ud83d"]
)
cut_answers = st.builds(
    lambda at, to, scrap: answer_text()[:at] + scrap + answer_text()[to:],
    st.integers(0, 600),
    st.integers(0, 600),
    st.text(max_size=5) | scraps,
)
soups = st.lists(scraps, max_size=40).map("".join)


@given(text=st.text(max_size=200) | soups | changed_answers | cut_answers)
@example(text='{"recyclingCode": "' + "1" * 5_000 + '"}')
def test_any_text_is_a_sound_answer_or_unusable(text: str) -> None:
    """Whatever a model writes: no other error, and no answer outside the closed sets and ranges."""
    try:
        parsed = parse(text)
    except Unusable:
        return
    assert parsed.category in Category
    assert parsed.disposal.primary_method in DisposalMethod
    assert 0 <= parsed.confidence <= 1
    assert 1 <= parsed.hazard_level <= 5
    assert parsed.recycling_code is None or 1 <= parsed.recycling_code <= 7
    assert 1 <= len(parsed.disposal.steps) <= 6
    assert Answer.model_validate(parsed.model_dump()) == parsed
    parsed.model_dump_json().encode()


@given(body=st.dictionaries(st.sampled_from(["choices", "usage", "id"]), values, max_size=3))
def test_any_body_is_read_without_a_crash(body: dict[str, Any]) -> None:
    """Whatever a provider sends: a text or a problem, never both and never neither."""
    completion = read_completion(body)
    assert (completion.text is None) != (completion.problem is None)
