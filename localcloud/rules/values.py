"""The values of the language and their types.

null, booleans, integers, floats, strings, bytes, lists and maps are Python's; the rest is here. Strings are sequences
of UTF-16 units, as in Google's engine.
"""

import math
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from .errors import EvaluationError

Value: TypeAlias = Any

NANOS = 1_000_000_000
TIMESTAMP_SECONDS_MIN, TIMESTAMP_SECONDS_MAX = -62_135_596_800, 253_402_300_799  # years 1 to 9999
DURATION_SECONDS_MAX = 315_576_000_000  # about 10,000 years

TYPES = {
    *("bool", "bytes", "constraint", "duration", "float", "int", "latlng", "list", "map", "map_diff", "number", "path"),
    *("set", "string", "timestamp", "vector"),
}


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A time span in nanoseconds."""

    nanos: int


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """A moment, in nanoseconds since 1970."""

    nanos: int


@dataclass(frozen=True, slots=True)
class LatLng:
    """A place, in degrees."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Vector:
    """A vector of Firestore, which rules can only carry around."""

    parts: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Hole:
    """A wildcard in a path, with what `bind` has put in: a string, for a glob a path, or None."""

    name: str
    glob: bool
    bound: "str | Path | None" = None


@dataclass(frozen=True, slots=True)
class Path:
    """A path of segments."""

    segments: tuple[str | Hole, ...]

    def texts(self) -> tuple[str, ...] | None:
        """Return the segments as text, or None while a wildcard is not bound."""
        found: list[str] = []
        for segment in self.segments:
            part = segment.bound if isinstance(segment, Hole) else segment
            inner = part.texts() if isinstance(part, Path) else None if part is None else (part,)
            if inner is None:
                return None
            found += inner
        return tuple(found)

    def __str__(self) -> str:
        parts = (segment if isinstance(segment, str) else segment.bound or "" for segment in self.segments)
        return "/" + "/".join(str(part).removeprefix("/") if isinstance(part, Path) else part for part in parts)


class Set:
    """Unique values, in the order in which they came; 1 and 1.0 are one."""

    def __init__(self, items: Iterable[Value]) -> None:
        self.items: dict[Any, Value] = {}
        for item in items:
            self.items.setdefault(loose_key(item), item)

    def __contains__(self, item: Value) -> bool:
        return loose_key(item) in self.items


@dataclass(frozen=True, slots=True)
class MapDiff:
    """What `map.diff` gives."""

    after: Mapping[str, Value]
    before: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Constraint:
    """All that a query says about a field: comparisons that hold for every document it may return.

    Each fact is one of `!= < <= > >=`, `not-in` with a list, or `array-contains`, and a value.
    """

    facts: tuple[tuple[str, Value], ...]


def type_of(value: Value) -> str:
    """Return the name of a value's type."""
    for kind, name in _TYPE_NAMES.items():
        if isinstance(value, kind):
            return name
    return "null"


_TYPE_NAMES: dict[Any, str] = {
    bool: "bool",
    int: "int",
    float: "float",
    str: "string",
    bytes: "bytes",
    list: "list",
    Mapping: "map",
    Path: "path",
    Timestamp: "timestamp",
    Duration: "duration",
    LatLng: "latlng",
    Set: "set",
    Constraint: "constraint",
    MapDiff: "map_diff",
    Vector: "vector",
}


def is_type(value: Value, name: str) -> bool:
    """Tell whether a value is of a type. Nothing is a `set`: Google's engine says so of sets, too."""
    found = type_of(value)
    return found != "set" and (found == name or (name == "number" and found in {"int", "float"}))


def is_number(value: Value) -> bool:
    """Tell whether a value is an integer or a float."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(left: Value, right: Value) -> bool:
    """Tell whether two values are equal and of one type, through and through."""
    kind = type_of(left)
    return kind == type_of(right) and bool(_SAME.get(kind, _same_plain)(left, right))


def _same_plain(left: Value, right: Value) -> bool:
    return bool(left == right)


def _same_lists(left: list[Value], right: list[Value]) -> bool:
    return len(left) == len(right) and all(map(same, left, right))


def _same_maps(left: Mapping[str, Value], right: Mapping[str, Value]) -> bool:
    return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())


def _same_floats(left: float, right: float) -> bool:
    return struct.pack(">d", left) == struct.pack(">d", right) and not math.isnan(left)


def _same_places(left: LatLng, right: LatLng) -> bool:
    return _same_floats(left.latitude, right.latitude) and _same_floats(left.longitude, right.longitude)


def _same_paths(left: Path, right: Path) -> bool:
    texts = left.texts()
    return texts == right.texts() if texts is not None else left == right


_SAME: dict[str, Callable[[Any, Any], bool]] = {
    "constraint": lambda _, __: False,
    "float": _same_floats,
    "latlng": _same_places,
    "list": _same_lists,
    "map": _same_maps,
    "map_diff": lambda _, __: False,
    "path": _same_paths,
    "set": lambda left, right: left.items.keys() == right.items.keys(),
}


def loose_key(value: Value) -> Any:
    """Return what stands for a value in a set: the same for 1 and 1.0, and for lists and maps with such items.

    Raises:
        EvaluationError: it is a field that a query constrains, or a difference of maps.
    """
    kind = type_of(value)
    match kind:
        case "int" | "float":
            return "number", "nan" if math.isnan(value) else float(value)
        case "list":
            return kind, tuple(map(loose_key, value))
        case "map":
            return kind, frozenset((key, loose_key(item)) for key, item in value.items())
        case "set":
            return kind, frozenset(value.items)
        case "path":
            return kind, value.texts() or value
        case "constraint" | "map_diff":
            raise EvaluationError(f"a {kind} cannot be compared with the items of a set")
    return kind, value


def utf16(text: str) -> bytes:
    """Return the UTF-16 units of a string, which sort as the engine sorts strings."""
    return text.encode("utf-16-be", "surrogatepass")


def timestamp(nanos: int) -> Timestamp:
    """Return a moment; EvaluationError before the year 1 or after 9999."""
    if not TIMESTAMP_SECONDS_MIN <= nanos // NANOS <= TIMESTAMP_SECONDS_MAX:
        raise EvaluationError("the timestamp is not between the years 1 and 9999")
    return Timestamp(nanos)


def duration(nanos: int) -> Duration:
    """Return a span; EvaluationError beyond 10,000 years."""
    if abs(nanos) > DURATION_SECONDS_MAX * NANOS:
        raise EvaluationError("the duration is longer than 315,576,000,000 seconds")
    return Duration(nanos)
