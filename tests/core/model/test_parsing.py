"""From what models really send to an answer that can be trusted, or to the reason why not."""

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from functions.core.model.answer_text import ANSWER_CHARACTERS_MAX
from functions.core.model.classification import Answer, Category, DisposalMethod
from functions.core.model.parsing import Completion, Unusable, parse_answer
from tests.builders import USAGE, answer_json, answer_text, disposal_json


def parse(text: str | None) -> Answer:
    """Parse an answer that is this text."""
    return parse_answer(Completion(text, None, USAGE))


def reason_against(text: str) -> str:
    """Return why this text is no answer."""
    with pytest.raises(Unusable) as refused:
        parse(text)
    return str(refused.value)


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
