"""The two kinds of data that cross the edge: records that we keep, and requests that a client sends."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from functions.core.shared.errors import InvalidRequest


@dataclass(frozen=True)
class Form:
    """Form of a text in a request: a `pattern` for all of it, and `rule`, the same in words for the caller."""

    pattern: str
    rule: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        """Check after pydantic has."""
        return AfterValidator(self._checked).__get_pydantic_core_schema__(source, handler)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Describe it as pydantic describes a pattern."""
        return {**handler(schema), "pattern": f"^{self.pattern}$"}

    def _checked(self, text: str) -> str:
        if re.fullmatch(self.pattern, text) is None:
            raise ValueError(self.rule)
        return text


RequestId = Annotated[str, Form(r"[A-Za-z0-9_-]{8,64}", "must be 8 to 64 letters, digits, _ and -")]
"""An idempotency key: the app makes a new one for every new request, and repeats it when it repeats the request."""

NO_CURSOR = "must be the nextCursor of the page before"

JobId = Annotated[str, Form(r"[0-9a-f]{32}", "must be a jobId as we answer with it")]
"""The id of a job, as `classify_image` returned it."""

TeamId = Annotated[str, Form(r"[0-9a-f]{32}", "must be a teamId as we answer with it")]
"""The id of a team, as `create_team` returned it."""

UID = re.compile(r"(?!__.*__$)(?!\.{1,2}$)[^/\x00-\x1f\x7f\ud800-\udfff]{1,128}")
"""All of a user's id; read by Python and by the pages' JavaScript."""


def is_uid(text: str) -> bool:
    """Tell whether this can be a user's id: fit for paths and document ids, since a custom token may carry any text."""
    return UID.fullmatch(text) is not None


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
"""A stored constant, as in `Open[Reason]`: one of ours, or a newer release's text. Functions are rolled out one by
one."""


class Record(BaseModel):
    """What we store or answer with: snake_case in Python, camelCase outside. Unknown fields are ignored: during a
    deploy an older version reads a newer one's documents."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore", hide_input_in_errors=True
    )

    def as_json(self, include: set[str] | None = None) -> dict[str, Any]:
        """Return it, or these fields of it, as the app reads it: camelCase names, times as ISO 8601 text with Z."""
        return self.model_dump(by_alias=True, mode="json", include=include)


class Kept(Record):
    """A record that is written back whole: what a newer release has put into it beside our fields stays in it."""

    model_config = ConfigDict(extra="allow")


class Request(BaseModel):
    """What a client sends: exact types and no unknown fields, so that a misspelt option is an error. A `null` optional
    field counts as left out: Dart, Kotlin and Swift have no other way to say so in a map."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, extra="forbid", strict=True, hide_input_in_errors=True
    )

    @model_validator(mode="before")
    @classmethod
    def _leave_out_nulls(cls, sent: Any) -> Any:
        if not isinstance(sent, dict):
            return sent
        optional = {field.alias for field in cls.model_fields.values() if not field.is_required()}
        return {name: value for name, value in sent.items() if value is not None or name not in optional}


FIELD_CHARACTERS_MAX = 64
"""Of the name of a field that does not exist, which is the caller's and can be as long as the request."""


def first_problem(error: ValidationError, whole: str) -> InvalidRequest:
    """Return the refusal of data that does not fit: the first wrong field, or `whole`, and why. It never repeats what
    was sent."""
    name, why = problems(error)[0]
    field = name[:FIELD_CHARACTERS_MAX] or whole
    return InvalidRequest(f"{field}: {why}.", field=field)


SAID = {
    "missing": "is missing",
    "extra_forbidden": "there is no such field",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "enum": "must be one of {expected}",
    "literal_error": "must be one of {expected}",
    "finite_number": "must be a number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number",
    "int_type": "must be a whole number",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "string_type": "must be text",
    "string_unicode": "must be text in Unicode",
    "too_long": "must have at most {max_length} items",
    "too_short": "must have at least {min_length} items",
    "value_error": "{error}",
}
"""What is said of each kind of error: pydantic's own words are for those who know pydantic."""


def problems(error: ValidationError) -> list[tuple[str, str]]:
    """Return what is wrong, by dotted field name, empty for the whole; never the value, which may be anybody's."""
    found = error.errors(include_url=False, include_input=False)
    return [(".".join(str(part) for part in each["loc"]), _said(each["type"], each.get("ctx", {}))) for each in found]


def _said(kind: str, details: Mapping[str, Any]) -> str:
    if details.get("min_length") == 1:
        return "must not be empty"
    return SAID.get(kind, f"is not valid ({kind})").format(**details)
