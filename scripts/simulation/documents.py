"""Firestore's documents as plain values, decoded without the client library: the checks look with eyes of their own."""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from localcloud.firestore.store import EVERYWHERE, Database
from localcloud.firestore.wire import TICKS_PER_SECOND

Fields: TypeAlias = dict[str, Any]
Documents: TypeAlias = dict[str, Fields]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def written(database: Database) -> dict[str, int]:
    """Return in which order the documents that there are came, by path: two of one write are of one tick."""
    return {path: stored.created for path, stored in database.documents(EVERYWHERE)}


def moment(tick: int) -> datetime:
    """Return the time of a tick of the database."""
    return _EPOCH + timedelta(microseconds=tick * 1_000_000 // TICKS_PER_SECOND)


def decoded(document: Any) -> Fields:
    return {name: _value(value) for name, value in document.fields.items()}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value_type")
    match kind:
        case "null_value":
            return None
        case "timestamp_value":
            moment = value.timestamp_value
            return _EPOCH + timedelta(seconds=moment.seconds, microseconds=moment.nanos // 1000)
        case "array_value":
            return [_value(each) for each in value.array_value.values]
        case "map_value":
            return {name: _value(each) for name, each in sorted(value.map_value.fields.items())}
        case _:
            return getattr(value, kind)
