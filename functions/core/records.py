"""The two kinds of data that cross the edge: records that we keep, and requests that a client sends."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

RequestId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
"""An idempotency key: the app makes a new one for every new request, and repeats it when it repeats the request."""

JobId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""The id of a job, as `classify_image` returned it."""

LanguageTag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]
"""A language as BCP 47 writes it."""

Fields = Mapping[str, Any]
"""Stored field names (camelCase) and the values to write: a change of a record that is stored."""


class Record(BaseModel):
    """Something that we store or answer with: snake_case in Python, camelCase outside.

    Unknown fields are ignored, so that a newer version's documents stay readable by an older one during a deploy.
    """

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore", hide_input_in_errors=True
    )


class Request(BaseModel):
    """What a client sends: exact types and no unknown fields, so that a misspelt option is an error and not a
    default."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, extra="forbid", strict=True, hide_input_in_errors=True
    )
