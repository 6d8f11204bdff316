"""The result that the app understands, and the schema that the model is held to."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from functions.core.model.classification import (
    TEXT_CHARACTERS_MAX,
    Answer,
    Category,
    DisposalMethod,
    answer_schema,
    classify_as,
)
from localcloud.openai.strict_schema import check_schema
from tests.builders import answer, answer_json, classification, disposal_json


def test_the_closed_sets_are_the_apps() -> None:
    """Five categories and six methods, in the app's spelling."""
    assert [category.value for category in Category] == [
        "Wet Waste",
        "Dry Waste",
        "Hazardous Waste",
        "Medical Waste",
        "Non-Waste",
    ]
    assert [str(method) for method in DisposalMethod] == [
        "recycle",
        "compost",
        "hazardous",
        "landfill",
        "donate",
        "medical",
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"category": "Other Waste"},
        {"confidence": 1.01},
        {"confidence": -0.01},
        {"recyclingCode": 0},
        {"recyclingCode": 8},
        {"hazardLevel": 0},
        {"hazardLevel": 6},
        {"itemName": "  "},
        {"explanation": "x" * (TEXT_CHARACTERS_MAX + 1)},
        {"materials": ["x"] * 13},
        {"alternatives": answer_json()["alternatives"] * 4},
        {"disposal": disposal_json(primaryMethod="burn")},
        {"disposal": disposal_json(steps=[])},
        {"disposal": disposal_json(steps=["x"] * 7)},
    ],
    ids=lambda change: str(change)[:40],
)
def test_an_answer_out_of_bounds_is_refused(change: dict[str, Any]) -> None:
    """Nothing outside the closed sets and ranges becomes an answer."""
    with pytest.raises(ValidationError):
        Answer.model_validate(answer_json(**change))


def test_the_result_says_when_in_utc() -> None:
    """`classifiedAt` is ISO 8601 text in UTC, to the second."""
    moment = datetime(2026, 11, 21, 12, 0, 30, 999, tzinfo=UTC)
    result = classify_as(answer(), region="US", language="en", model="m", prompt_version="v", now=moment)
    assert result.classified_at == "2026-11-21T12:00:30Z"


def test_the_result_is_the_answer_and_what_the_function_knows() -> None:
    """Region and language echo the request, model and version say who answered, and the answer is unchanged."""
    written = classification().model_dump(by_alias=True, mode="json")
    ours = {
        "region": "IN",
        "language": "hi-IN",
        "provider": "openai",
        "model": "gpt-test",
        "promptVersion": "v1",
        "sideMax": 512,
        "classifiedAt": "2026-11-21T12:00:00Z",
    }
    assert written == {**answer_json(), **ours}


def test_openai_takes_the_schema_in_strict_mode() -> None:
    """Every object closed, every property required, no keyword that strict mode does not know."""
    check_schema("waste", answer_schema(), strict=True)


def test_the_schema_spells_out_the_closed_sets_and_ranges() -> None:
    """What strict mode can hold the model to is not left to be refused later."""
    properties = answer_schema()["properties"]
    assert properties["category"]["enum"] == list(Category)
    assert properties["disposal"]["properties"]["primaryMethod"]["enum"] == list(DisposalMethod)
    assert (properties["confidence"]["minimum"], properties["confidence"]["maximum"]) == (0, 1)
    code, missing = properties["recyclingCode"]["anyOf"]
    assert (code["minimum"], code["maximum"], missing) == (1, 7, {"type": "null"})
    steps = properties["disposal"]["properties"]["steps"]
    assert (steps["minItems"], steps["maxItems"]) == (1, 6)
    assert properties["alternatives"]["maxItems"] == 3


def test_the_schema_costs_no_words_that_the_model_does_not_need() -> None:
    """Titles, descriptions and definitions are billed as input with every photo, so there are none."""
    text = json.dumps(answer_schema())
    assert not any(f'"{word}"' in text for word in ("title", "description", "$defs", "$ref", "maxLength", "minLength"))


texts = st.text("abcé写 ", min_size=1, max_size=20).filter(str.strip)
lists = st.lists(texts, max_size=12)
shares = st.floats(0, 1)
answers = st.fixed_dictionaries(
    {
        "itemName": texts,
        "category": st.sampled_from([*Category]),
        "subcategory": texts,
        "explanation": texts,
        "confidence": shares,
        "needsReview": st.booleans(),
        "materials": lists,
        "recyclingCode": st.none() | st.integers(1, 7),
        "isRecyclable": st.booleans(),
        "isCompostable": st.booleans(),
        "requiresSpecialDisposal": st.booleans(),
        "hazardLevel": st.integers(1, 5),
        "disposal": st.fixed_dictionaries(
            {
                "primaryMethod": st.sampled_from([*DisposalMethod]),
                "steps": st.lists(texts, min_size=1, max_size=6),
                "timeframe": st.none() | texts,
                "location": st.none() | texts,
                "warnings": lists,
                "tips": lists,
                "urgent": st.booleans(),
            }
        ),
        "alternatives": st.lists(
            st.fixed_dictionaries(
                {
                    "category": st.sampled_from([*Category]),
                    "subcategory": texts,
                    "confidence": shares,
                    "reason": texts,
                }
            ),
            max_size=3,
        ),
    }
)


@given(written=answers)
def test_every_valid_answer_fits_the_schema(written: dict[str, Any]) -> None:
    """The schema that the model is held to admits every answer that we take."""
    checked = Answer.model_validate(written).model_dump(by_alias=True, mode="json")
    assert list(Draft202012Validator(answer_schema()).iter_errors(checked)) == []


@pytest.mark.parametrize(
    "change",
    [{"category": "Other Waste"}, {"hazardLevel": 9}, {"extra": 1}, {"disposal": disposal_json(steps=[])}],
    ids=lambda change: next(iter(change)),
)
def test_the_schema_refuses_what_we_would_refuse(change: dict[str, Any]) -> None:
    """A model held to the schema cannot write another category, level or field."""
    assert not Draft202012Validator(answer_schema()).is_valid(answer_json(**change))
