"""Documents and field values as security rules see them."""

from collections.abc import Callable, Mapping
from typing import Any

from localcloud.rules.values import NANOS, LatLng, Path, Timestamp, Value, Vector

from .paths import split_name
from .protos import Message, ValuePb
from .values import vector_of
from .wire import TICKS_PER_SECOND

_NANOS_PER_TICK = NANOS // TICKS_PER_SECOND


def path_of(database: str, path: str) -> Path:
    """Return a document's or collection's path: `/databases/(default)/documents/users/ann`."""
    return Path(("databases", database.rpartition("/")[2], "documents", *path.split("/")))


def document_value(database: str, path: str, document: Message) -> dict[str, Value]:
    """Return a document as `resource`: its fields in `data`, its `id`, and its path in `__name__`."""
    return {
        "data": fields_value(document.fields),
        "id": path.rpartition("/")[2],
        "__name__": path_of(database, path),
    }


def fields_value(fields: Mapping[str, ValuePb]) -> dict[str, Value]:
    """Return fields as a map of the rules."""
    return {name: field_value(value) for name, value in fields.items()}


def field_value(value: ValuePb) -> Value:
    """Return a field's value."""
    kind = value.WhichOneof("value_type") or "null_value"
    return _CONVERTED[kind](value) if kind in _CONVERTED else getattr(value, kind)


def _map_value(value: ValuePb) -> Value:
    vector = vector_of(value)
    return fields_value(value.map_value.fields) if vector is None else Vector(tuple(vector))


_CONVERTED: dict[str, Callable[[ValuePb], Value]] = {
    "null_value": lambda _: None,
    "timestamp_value": lambda value: Timestamp(value.timestamp_value.seconds * NANOS + value.timestamp_value.nanos),
    "reference_value": lambda value: path_of(*split_name(value.reference_value)),
    "geo_point_value": lambda value: LatLng(value.geo_point_value.latitude, value.geo_point_value.longitude),
    "array_value": lambda value: [field_value(item) for item in value.array_value.values],
    "map_value": _map_value,
}


def time_value(tick: int) -> Timestamp:
    """Return a tick as `request.time`."""
    return Timestamp(tick * _NANOS_PER_TICK)


def auth_value(token: Mapping[str, Any] | None) -> dict[str, Value] | None:
    """Return the claims of an ID token as `request.auth`; None for nobody."""
    return None if token is None else {"uid": token["sub"], "token": dict(token)}
