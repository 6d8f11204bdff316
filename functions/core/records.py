"""The two kinds of data that cross the edge: records that we keep, and requests that a client sends."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from functions.core.errors import InvalidRequest

RequestId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
"""An idempotency key: the app makes a new one for every new request, and repeats it when it repeats the request."""

JobId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""The id of a job, as `classify_image` returned it."""

LanguageTag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]
"""A language as BCP 47 writes it."""

_UID = re.compile(r"(?!__.*__$)(?!\.{1,2}$)[^/\x00-\x1f\x7f\ud800-\udfff]{1,128}")


def is_uid(text: str) -> bool:
    """Tell whether this can be a user's id. It becomes a part of paths here, so it has to be fit for a document's id: a
    custom token may carry any text."""
    return _UID.fullmatch(text) is not None


def _require_uid(text: str) -> str:
    if not is_uid(text):
        raise ValueError("this is no user's id")
    return text


Uid = Annotated[str, AfterValidator(_require_uid)]
"""The id of a user, as an operator writes it."""

Fields = Mapping[str, Any]
"""Stored field names (camelCase) and the values to write: a change of a record that is stored."""

_E = TypeVar("_E", bound=StrEnum)

Open = Annotated[_E | str, Field(union_mode="left_to_right")]
"""A stored constant, as in `Open[Reason]`: one of ours, or the text that a newer release has put there. Functions are
rolled out one by one, so each reads what the next release of another one writes."""


class Record(BaseModel):
    """Something that we store or answer with: snake_case in Python, camelCase outside.

    Unknown fields are ignored, so that a newer version's documents stay readable by an older one during a deploy.
    """

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore", hide_input_in_errors=True
    )


class Kept(Record):
    """A record that is written back whole: what a newer release has put into it beside our fields stays in it."""

    model_config = ConfigDict(extra="allow")


class Request(BaseModel):
    """What a client sends: exact types and no unknown fields, so that a misspelt option is an error and not a
    default."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, extra="forbid", strict=True, hide_input_in_errors=True
    )


FIELD_CHARACTERS_MAX = 64
"""Of the name of a field that does not exist, which is the caller's and can be as long as the request."""


def first_problem(error: ValidationError, whole: str) -> InvalidRequest:
    """Return what a caller is told of data that does not fit: the first field that is wrong, or `whole`, and why.
    What was sent is not repeated."""
    name, why = problems(error)[0]
    field = name[:FIELD_CHARACTERS_MAX] or whole
    return InvalidRequest(f"{field}: {why}.", field=field)


def problems(error: ValidationError) -> list[tuple[str, str]]:
    """Return what is wrong with a record or a request: the dotted name of each field, empty for the whole, and why.
    What the field held is not told: it may be anybody's."""
    found = error.errors(include_url=False, include_input=False)
    return [(".".join(str(part) for part in each["loc"]), each["msg"]) for each in found]
