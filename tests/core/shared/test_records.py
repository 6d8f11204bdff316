"""The two manners at the edge: lenient with what we stored ourselves, exact with what a client sends."""

from datetime import datetime
from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError

from functions.core.shared.records import (
    FIELD_CHARACTERS_MAX,
    Record,
    Request,
    RequestId,
    Uid,
    first_problem,
    problems,
)


class Stored(Record):
    """Something kept."""

    tokens_cost: int
    opened_by: str = "nobody"


class Asked(Request):
    """Something asked for."""

    job_count: int
    is_urgent: bool = False


def test_names_are_snake_case_inside_and_camel_case_outside() -> None:
    """A record is read from, and written to, camelCase; in Python it can be made by its own names."""
    assert Stored.model_validate({"tokensCost": 1, "openedBy": "me"}) == Stored(tokens_cost=1, opened_by="me")
    assert Stored(tokens_cost=1).model_dump(by_alias=True) == {"tokensCost": 1, "openedBy": "nobody"}


def test_a_record_of_a_newer_version_can_be_read() -> None:
    """During a deploy two versions share the documents: a field that this one does not know is no error."""
    assert Stored.model_validate({"tokensCost": 1, "colour": "green"}) == Stored(tokens_cost=1)


@pytest.mark.parametrize("record", [Stored(tokens_cost=1), Asked.model_validate({"jobCount": 1})])
def test_neither_changes_once_it_is_made(record: Stored | Asked) -> None:
    """What was checked stays what it was: a change is a new record."""
    with pytest.raises(ValidationError, match="frozen"):
        setattr(record, next(iter(type(record).model_fields)), 2)


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "jobCount"),
        ({"jobCount": "1"}, "jobCount"),
        ({"jobCount": 1.0}, "jobCount"),
        ({"jobCount": True}, "jobCount"),
        ({"jobCount": None}, "jobCount"),
        ({"jobCount": 1, "isurgent": None}, "isurgent"),
        ({"jobCount": 1, "isUrgent": 1}, "isUrgent"),
        ({"jobCount": 1, "isUrgent": "yes"}, "isUrgent"),
        ({"jobCount": 1, "urgent": True}, "urgent"),
        ({"job_count": 1}, "jobCount"),
    ],
)
def test_a_request_is_exact(sent: dict[str, Any], field: str) -> None:
    """A missing, misspelt or mistyped option is an error that names it, never a default."""
    with pytest.raises(ValidationError) as refused:
        Asked.model_validate(sent)
    assert refused.value.errors()[0]["loc"] == (field,)


def test_null_in_a_field_that_may_be_left_out_means_left_out() -> None:
    """A map of Dart, Kotlin or Swift that is sent as it is has its empty fields in it."""
    assert Asked.model_validate({"jobCount": 1, "isUrgent": None}) == Asked.model_validate({"jobCount": 1})


@pytest.mark.parametrize("kind", [Stored, Asked])
def test_an_error_does_not_quote_the_value(kind: type[Stored | Asked]) -> None:
    """Tracebacks are logged, and what is stored or sent may be a push token: the error names the field alone."""
    with pytest.raises(ValidationError) as refused:
        kind.model_validate({"tokensCost": "a-push-token", "jobCount": "a-push-token"})
    assert "a-push-token" not in str(refused.value)


class AskedFor(Request):
    """Something about a user."""

    user: Uid


@pytest.mark.parametrize("uid", ["ann", "Ann_1-2:3@example.org", "_", "__", "a" * 128, "अन्न", "..."])
def test_a_uid_is_what_can_name_a_document(uid: str) -> None:
    """Firebase takes any text of up to 128 characters; nearly all of it can be a part of a path."""
    assert AskedFor(user=uid).user == uid


@pytest.mark.parametrize("uid", ["", ".", "..", "a/b", "__ann__", "a" * 129, "a\nb", "a\x00", "\ud800"])
def test_a_text_that_would_lead_elsewhere_is_no_uid(uid: str) -> None:
    """It would be another path, or none: refused by the name of the field, and not repeated."""
    with pytest.raises(ValidationError) as refused:
        AskedFor(user=uid)
    ((field, why),) = problems(refused.value)
    assert field == "user"
    assert "no user's id" in why or "Unicode" in why


def test_the_first_problem_is_told_by_its_field_or_as_the_whole() -> None:
    """A field's name may be the caller's own text, so it is cut; data that is no object has none."""
    with pytest.raises(ValidationError) as unknown:
        Asked.model_validate({"jobCount": 1, "x" * 1_000: 1})
    told = first_problem(unknown.value, "data")
    assert told.details == {"field": "x" * FIELD_CHARACTERS_MAX}
    with pytest.raises(ValidationError) as whole:
        Asked.model_validate("text")
    assert first_problem(whole.value, "data").details == {"field": "data"}


class Keyed(Request):
    """Something with a key, and at most two tags."""

    key: RequestId = "request-1"
    tags: Annotated[list[str], Field(min_length=1, max_length=2)] = Field(default_factory=list)
    names: Annotated[list[str], Field(min_length=2)] = Field(default_factory=list)


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ({"key": "x"}, "must be 8 to 64 letters, digits, _ and -"),
        ({"key": "request-1\n"}, "must be 8 to 64 letters, digits, _ and -"),
        ({"key": 1}, "must be text"),
        ({"tags": []}, "must not be empty"),
        ({"tags": ["a"] * 3}, "must have at most 2 items"),
        ({"names": ["a"]}, "must have at least 2 items"),
        ({"other": 1}, "there is no such field"),
    ],
)
def test_what_is_wrong_is_said_in_words(sent: dict[str, Any], why: str) -> None:
    """Neither a regular expression nor pydantic's own voice: the rule, so that it can be followed."""
    with pytest.raises(ValidationError) as refused:
        Keyed.model_validate(sent)
    assert [text for _, text in problems(refused.value)] == [why]


def test_the_form_of_a_text_is_in_the_schema() -> None:
    """The fuzz test draws requests from it."""
    assert Keyed.model_json_schema()["properties"]["key"]["pattern"] == "^[A-Za-z0-9_-]{8,64}$"
    assert Keyed.model_validate({"key": "request-2"}).key == "request-2"


def test_a_kind_of_error_without_words_is_named() -> None:
    """There are a hundred; what no request and no config can have is told by its name."""

    class Timed(Record):
        at: datetime

    with pytest.raises(ValidationError) as refused:
        Timed.model_validate({"at": "soon"})
    assert problems(refused.value) == [("at", "is not valid (datetime_from_date_parsing)")]
