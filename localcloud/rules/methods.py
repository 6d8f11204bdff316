"""The methods of values, by type.

Reference: https://firebase.google.com/docs/reference/rules
"""

import base64
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from .comparisons import has_any
from .errors import EvaluationError
from .functions import Signature, text_of, to_bytes
from .operators import length_of_text
from .regex import compiled
from .values import (
    NANOS,
    Duration,
    Hole,
    LatLng,
    MapDiff,
    Path,
    Set,
    Timestamp,
    Value,
    loose_key,
    same,
    timestamp,
    type_of,
)

EARTH_RADIUS_METERS = 6_371_009.0  # the mean one
_ASCII_LOWER = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_ASCII_UPPER = {ord(lower): chr(upper) for upper, lower in _ASCII_LOWER.items()}
_SPACES = "".join(map(chr, range(0x21)))


def _has(items: list[Value], wanted: Value) -> bool:
    return any(same(item, wanted) for item in items)


def _join(items: list[Value], separator: str) -> str:
    return separator.join(map(text_of, items))


def _get(of: Mapping[str, Value], key: "str | list[Value]", default: Value) -> Value:
    found: Value = of
    for name in key if isinstance(key, list) else [key]:
        if not isinstance(name, str):
            raise EvaluationError("map.get takes a key, or a list of keys")
        if not isinstance(found, Mapping) or name not in found:
            return default
        found = found[name]
    return found


def _split(text: str, pattern: str) -> list[str]:
    """Split as Java does: without what is empty at the end."""
    pieces: list[str] = []
    last = 0
    for found in compiled(pattern).finditer(text):
        pieces.append(text[last : found.start()])
        last = found.end()
    pieces.append(text[last:])
    while len(pieces) > 1 and not pieces[-1]:
        pieces.pop()
    return pieces


def _replace(text: str, pattern: str, replacement: str) -> str:
    return compiled(pattern).sub(lambda found: _expanded(replacement, found), text)


def _expanded(replacement: str, found: Any) -> str:
    r"""Put groups into a replacement: `$1`, `${name}`; a backslash makes the next character plain."""
    out, offset = "", 0
    while offset < len(replacement):
        character, rest = replacement[offset], replacement[offset + 1 :]
        if character == "\\" and rest:
            out += rest[0]
            offset += 2
            continue
        name = rest[1:].partition("}")[0] if rest.startswith("{") and "}" in rest else ""
        if character == "$" and rest[:1].isascii() and rest[:1].isdigit():
            number, length = _group_number(rest, found.re.groups)
            out += found[number] or ""
            offset += 1 + length
        elif character == "$" and name:
            if name not in found.re.groupindex:
                raise EvaluationError(f"the pattern has no group {name!r}")
            out += found[name] or ""
            offset += len(name) + 3
        else:
            out += character
            offset += 1
    return out


def _group_number(digits: str, groups: int) -> tuple[int, int]:
    """Return the group that digits begin with, as long as there are so many, and how many digits it takes."""
    number, length = int(digits[0]), 1
    if number > groups:
        raise EvaluationError(f"the pattern has no group {number}")
    while length < len(digits) and digits[length].isascii() and digits[length].isdigit():
        longer = number * 10 + int(digits[length])
        if longer > groups:
            break
        number, length = longer, length + 1
    return number, length


def _bind(path: Path, values: Mapping[str, Value]) -> Path:
    names = {segment.name for segment in path.segments if isinstance(segment, Hole)}
    if unknown := values.keys() - names:
        raise EvaluationError(f"the path has no wildcard {', '.join(sorted(unknown))}")
    found: list[str | Hole] = []
    for segment in path.segments:
        if isinstance(segment, Hole) and segment.name in values:
            value = values[segment.name]
            if segment.glob and not isinstance(value, Path):
                raise EvaluationError(f"{segment.name} takes a path, not a {type_of(value)}")
            found.append(Hole(segment.name, segment.glob, value if segment.glob else text_of(value)))
        else:
            found.append(segment)
    return Path(tuple(found))


def _difference(diff: MapDiff, *, added: bool = False, removed: bool = False, changed: bool = False) -> Set:
    after, before = diff.after, diff.before
    keys = [key for key in after if (changed if key in before else added)]
    different = [key for key in keys if key not in before or loose_key(after[key]) != loose_key(before[key])]
    return Set([*different, *(key for key in before if removed and key not in after)])


def _unchanged(diff: MapDiff) -> Set:
    both = [key for key in diff.after if key in diff.before]
    return Set(key for key in both if loose_key(diff.after[key]) == loose_key(diff.before[key]))


def _distance(here: LatLng, there: LatLng) -> float:
    """Return meters on a sphere, by the haversine formula."""
    latitudes = math.radians(here.latitude), math.radians(there.latitude)
    half_latitude = (latitudes[1] - latitudes[0]) / 2
    half_longitude = math.radians(there.longitude - here.longitude) / 2
    chord = (
        math.sin(half_latitude) ** 2 + math.cos(latitudes[0]) * math.cos(latitudes[1]) * math.sin(half_longitude) ** 2
    )
    return 2 * EARTH_RADIUS_METERS * math.asin(min(1.0, math.sqrt(chord)))


def _utc(moment: Timestamp) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=moment.nanos // NANOS)


def _seconds(span: Duration) -> int:
    return int(math.copysign(abs(span.nanos) // NANOS, span.nanos))


def _members(of: "list[Value] | Set") -> list[Value]:
    return [*of.items.values()] if isinstance(of, Set) else of


METHODS: dict[str, dict[str, Signature]] = {
    "bytes": {
        "size": Signature((), len),
        "toBase64": Signature((), lambda data: base64.urlsafe_b64encode(data).decode()),
        "toHexString": Signature((), lambda data: data.hex().upper()),
    },
    "constraint": {"hasAny": Signature(("list",), has_any)},
    "duration": {
        "nanos": Signature((), lambda span: span.nanos - _seconds(span) * NANOS),
        "seconds": Signature((), _seconds),
    },
    "latlng": {
        "distance": Signature(("latlng",), _distance),
        "latitude": Signature((), lambda place: place.latitude),
        "longitude": Signature((), lambda place: place.longitude),
    },
    "list": {
        "concat": Signature(("list",), lambda items, more: items + more),
        "hasAll": Signature(("list",), lambda items, wanted: all(_has(items, each) for each in wanted)),
        "hasAny": Signature(("list",), lambda items, wanted: any(_has(items, each) for each in wanted)),
        "hasOnly": Signature(("list",), lambda items, wanted: all(_has(wanted, each) for each in items)),
        "join": Signature(("string",), _join),
        "removeAll": Signature(("list",), lambda items, gone: [each for each in items if not _has(gone, each)]),
        "size": Signature((), len),
        "toSet": Signature((), Set),
    },
    "map": {
        "diff": Signature(("map",), MapDiff),
        "get": Signature(("string|list", "any"), _get),
        "keys": Signature((), sorted),
        "size": Signature((), len),
        "values": Signature((), lambda entries: [*entries.values()]),
    },
    "map_diff": {
        "addedKeys": Signature((), lambda diff: _difference(diff, added=True)),
        "affectedKeys": Signature((), lambda diff: _difference(diff, added=True, removed=True, changed=True)),
        "changedKeys": Signature((), lambda diff: _difference(diff, changed=True)),
        "removedKeys": Signature((), lambda diff: _difference(diff, removed=True)),
        "unchangedKeys": Signature((), _unchanged),
    },
    "path": {"bind": Signature(("map",), _bind)},
    "set": {
        "difference": Signature(("set",), lambda one, other: Set(each for each in _members(one) if each not in other)),
        "hasAll": Signature(("list|set",), lambda items, wanted: all(each in items for each in _members(wanted))),
        "hasAny": Signature(("list|set",), lambda items, wanted: any(each in items for each in _members(wanted))),
        "hasOnly": Signature(
            ("list|set",), lambda items, wanted: items.items.keys() <= Set(_members(wanted)).items.keys()
        ),
        "intersection": Signature(("set",), lambda one, other: Set(each for each in _members(one) if each in other)),
        "size": Signature((), lambda items: len(items.items)),
        "union": Signature(("set",), lambda one, other: Set([*_members(one), *_members(other)])),
    },
    "string": {
        "lower": Signature((), lambda text: text.translate(_ASCII_LOWER)),
        "matches": Signature(("string",), lambda text, pattern: compiled(pattern).fullmatch(text) is not None),
        "replace": Signature(("string", "string"), _replace),
        "size": Signature((), length_of_text),
        "split": Signature(("string",), _split),
        "toUtf8": Signature((), to_bytes),
        "trim": Signature((), lambda text: text.strip(_SPACES)),
        "upper": Signature((), lambda text: text.translate(_ASCII_UPPER)),
    },
    "timestamp": {
        "date": Signature((), lambda moment: timestamp(moment.nanos // (86_400 * NANOS) * 86_400 * NANOS)),
        "day": Signature((), lambda moment: _utc(moment).day),
        "dayOfWeek": Signature((), lambda moment: _utc(moment).isoweekday()),
        "dayOfYear": Signature((), lambda moment: _utc(moment).timetuple().tm_yday),
        "hours": Signature((), lambda moment: _utc(moment).hour),
        "minutes": Signature((), lambda moment: _utc(moment).minute),
        "month": Signature((), lambda moment: _utc(moment).month),
        "nanos": Signature((), lambda moment: moment.nanos % NANOS),
        "seconds": Signature((), lambda moment: _utc(moment).second),
        "time": Signature((), lambda moment: Duration(moment.nanos % (86_400 * NANOS))),
        "toMillis": Signature((), lambda moment: moment.nanos // 1_000_000),
        "year": Signature((), lambda moment: _utc(moment).year),
    },
}
ARGUMENTS = {
    name: {len(kind[name].parameters) for kind in METHODS.values() if name in kind}
    for kind in METHODS.values()
    for name in kind
}
"""How many arguments methods of a name take."""
