"""Values and documents in Firestore's own messages (`google.firestore.v1`), and back.

The messages are protobuf's, changed in place. The client library's wrappers around them take ten times as long.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud.firestore_v1.field_path import FieldPath
from google.cloud.firestore_v1.types import Value

Message = Any
"""A message of protobuf's own, which has no types."""

_Value = Value.pb()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN = {str: "string_value", bool: "boolean_value", int: "integer_value", float: "double_value", bytes: "bytes_value"}
_PLAIN_KINDS = frozenset(_PLAIN.values())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is at a path below the database, such as `aiJobs/1`: if it `exists`, its `fields` and version."""

    path: str
    fields: dict[str, Any] = field(default_factory=dict)
    update_time: datetime = _EPOCH
    exists: bool = False

    @property
    def id(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


def snapshot(document: Message) -> Snapshot:
    """Return a document that was read."""
    return Snapshot(
        path_of(document.name), decoded_fields(document.fields), decoded_time(document.update_time), exists=True
    )


def path_of(name: str) -> str:
    """Return a document's path below its database, `projects/{project}/databases/{database}/documents`."""
    return name.split("/", 5)[5]


def decoded(value: Message) -> Any:
    """Return a stored value. One of a kind that we do not store stays a message, and is written back as it was."""
    kind = value.WhichOneof("value_type")
    if kind in _PLAIN_KINDS:
        return getattr(value, kind)
    match kind:
        case "timestamp_value":
            return decoded_time(value.timestamp_value)
        case "map_value":
            return decoded_fields(value.map_value.fields)
        case "array_value":
            return [decoded(each) for each in value.array_value.values]
        case "null_value":
            return None
    return value


def decoded_fields(fields: Message) -> dict[str, Any]:
    """Return a map of stored values. To iterate over protobuf's `items` takes longer."""
    return {name: decoded(fields[name]) for name in fields}


def encode(value: Any, into: Message) -> None:
    """Put a value into a message. Raises TypeError for one that cannot be stored, ValueError for a whole number beyond
    64 bits."""
    if plain := _PLAIN.get(type(value)):
        setattr(into, plain, value)
        return
    match value:
        case None:
            into.null_value = 0
        case str():  # a constant of ours
            into.string_value = value
        case datetime():
            encode_time(value, into.timestamp_value)
        case dict():
            into.map_value.SetInParent()
            encode_fields(value, into.map_value.fields)
        case list() | tuple() | set() | frozenset():
            into.array_value.SetInParent()
            for each in value:
                encode(each, into.array_value.values.add())
        case _Value():
            into.CopyFrom(value)
        case _:
            raise TypeError(f"Firestore cannot store a {type(value).__name__}")


def encode_fields(fields: Mapping[str, Any], into: Message) -> None:
    """Put fields into a map of messages."""
    for name, value in fields.items():
        encode(value, into[name])


def decoded_time(stored: Message) -> datetime:
    """Return a stored time. Firestore keeps microseconds, and gives its own times in them."""
    return _EPOCH + timedelta(seconds=stored.seconds, microseconds=stored.nanos // 1000)


def encode_time(time: datetime, into: Message) -> None:
    """Put a time, which names its zone, into a message."""
    since = time - _EPOCH
    into.seconds, into.nanos = since.days * 86_400 + since.seconds, since.microseconds * 1000


def field_path(*names: str) -> str:
    """Return the path of a field in maps, quoted where Firestore wants it."""
    return FieldPath(*names).to_api_repr()


def leaves(fields: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the fields that are no maps, or empty ones, each with the names that lead to it, in their order."""
    for name, value in sorted(fields.items()):
        if isinstance(value, dict) and value:
            yield from leaves(value, (*above, name))
        else:
            yield (*above, name), value
