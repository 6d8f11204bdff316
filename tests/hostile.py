"""What clients may send: requests made from each function's own schema, then damaged; and everything else that fits
into HTTP."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.sdks import INT64, SDKS

Json = Any
Schema = Mapping[str, Any]

TEXTS: list[str] = [
    "",
    " ",
    "\x00",
    "a\nb",
    "\ud800",
    "\u202eexe.jpg",
    "💥" * 200,
    "x" * 10_000,
    "../../etc/passwd",
    "..",
    "__name__",
    "users/bob/uploads/can.jpg",
    "gs://demo-bucket/users/bob/uploads/can.jpg",
    "https://169.254.169.254/computeMetadata/v1/",
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "%s%n",
    "$where",
    "null",
    "٣٣٣",
    "2026-11-21T12:00:00Z",
]
NUMBERS: list[float] = [0, -0.0, -1, 1, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 10**30, 0.1, 1e308, 5e-324, 1.0, 10**400]

junk: SearchStrategy[Json] = st.one_of(
    st.sampled_from(TEXTS),
    st.sampled_from(NUMBERS),
    st.sampled_from([None, True, False, [], {}, [[]], {"": None}, {"seconds": 1}, {"__proto__": {"admin": True}}]),
    st.sampled_from(["5", "", "-", "1e3", "9" * 19, "9" * 5_000, "٣", 5, None, [], {}]).map(
        lambda value: {"@type": INT64, "value": value}
    ),
    st.text(max_size=20),
    st.recursive(
        st.one_of(st.none(), st.integers(), st.text(max_size=4)),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
        max_leaves=6,
    ),
    st.sampled_from([nested for depth in (50, 400) for nested in ("[" * depth + "]" * depth,)]).map(json.loads),
)
"""Any value in any place: wrong types, wrong sizes, odd Unicode, numbers at the edge, deep nesting."""


@dataclass
class Known:
    """Values that mean something here, by the name of the field: ids, paths and keys that are in use."""

    values: dict[str, list[str]] = field(default_factory=dict)

    def of(self, name: str) -> list[str]:
        """Return what is known for a field of this name."""
        return self.values.setdefault(name, [])


def from_schema(
    schema: Schema, known: Known, name: str = "", definitions: Schema | None = None
) -> SearchStrategy[Json]:
    """Return values that fit a JSON Schema as pydantic writes it; in fields that we know, mostly known ones."""
    definitions = schema.get("$defs", {}) if definitions is None else definitions
    if reference := schema.get("$ref"):
        return from_schema(definitions[reference.removeprefix("#/$defs/")], known, name, definitions)
    if choices := schema.get("anyOf"):
        return st.one_of([from_schema(choice, known, name, definitions) for choice in choices])
    if values := schema.get("enum", [schema["const"]] if "const" in schema else None):
        return st.sampled_from(list(values))
    if schema["type"] == "object":
        return _object(schema, known, definitions)
    if schema["type"] == "array":
        item = from_schema(schema["items"], known, name, definitions)
        return st.lists(item, min_size=schema.get("minItems", 0), max_size=min(schema.get("maxItems", 5), 5))
    return _scalar(schema, known.of(name))


def _object(schema: Schema, known: Known, definitions: Schema) -> SearchStrategy[Json]:
    if "properties" not in schema:
        return st.dictionaries(st.text(max_size=4), junk, max_size=3)
    fields = {name: from_schema(part, known, name, definitions) for name, part in schema["properties"].items()}
    required = {name: fields.pop(name) for name in schema.get("required", [])}
    return st.fixed_dictionaries(required, optional=fields)


def _scalar(schema: Schema, known: Sequence[str]) -> SearchStrategy[Json]:
    least, most = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
    kinds: dict[str, Callable[[], SearchStrategy[Json]]] = {
        "integer": lambda: _whole(least, most, known),
        "number": lambda: st.floats(least, most, allow_nan=False),
        "boolean": st.booleans,
        "null": st.none,
        "string": lambda: _text(schema, known),
    }
    return kinds[schema["type"]]()


def _whole(least: int | None, most: int | None, known: Sequence[str]) -> SearchStrategy[Json]:
    free = st.one_of(st.integers(least, most), st.integers(0, 9).map(lambda more: (least or 0) + more))
    return st.one_of(st.sampled_from([int(each) for each in known]), free) if known else free


def _text(schema: Schema, known: Sequence[str]) -> SearchStrategy[Json]:
    shortest, longest = schema.get("minLength", 0), min(schema.get("maxLength", 64), 64)
    pattern = schema.get("pattern")
    free = st.from_regex(pattern, fullmatch=True) if pattern else st.text(min_size=shortest, max_size=longest)
    return st.one_of(st.sampled_from(known), free) if known else free


@st.composite
def damaged(draw: st.DrawFn, whole: SearchStrategy[Json]) -> Json:
    """A request with one to three places changed: another value, a field missing, one too many, one misspelt."""
    value = draw(whole)
    for _ in range(draw(st.integers(1, 3))):
        value = _hurt(draw, value)
    return value


def _hurt(draw: st.DrawFn, value: Json) -> Json:
    if isinstance(value, dict) and value and draw(st.integers(0, 9)):
        return _hurt_object(draw, value)
    if isinstance(value, list) and value and draw(st.booleans()):
        at = draw(st.integers(0, len(value) - 1))
        times = (
            1 if isinstance(value[at], list) else draw(st.sampled_from([1, 1, 1, 60]))
        )  # 60 per level fills any memory
        return [*value[:at], _hurt(draw, value[at]), *value[at + 1 :]] * times
    if isinstance(value, str) and draw(st.booleans()):
        near: list[Json] = [value + "\n", value[:-1], value * 40, value.upper(), " " + value, value + "/..", [value]]
        return draw(st.sampled_from(near))
    return draw(junk)


def _hurt_object(draw: st.DrawFn, value: dict[str, Json]) -> Json:
    name = draw(st.sampled_from(sorted(value)))
    rest = {key: part for key, part in value.items() if key != name}
    match draw(st.sampled_from(["inside", "replace", "drop", "add", "rename"])):
        case "inside":
            return {**rest, name: _hurt(draw, value[name])}
        case "replace":
            return {**rest, name: draw(junk)}
        case "add":
            return {**value, draw(st.sampled_from([*TEXTS, "uid", "admin", "tokensCost", "status"])): draw(junk)}
        case "rename":
            return {**rest, draw(st.sampled_from([name.upper(), name + " ", "_" + name, ""])): value[name]}
    return rest


@st.composite
def bodies(draw: st.DrawFn, good: SearchStrategy[Json]) -> bytes:
    """A call's body: in form, damaged, of any JSON, or of bytes that are none; its numbers as one of the SDKs writes
    them."""
    spelt = SDKS[draw(st.sampled_from(sorted(SDKS)))].encoded
    kind = draw(
        st.sampled_from(["good", "good", "damaged", "damaged", "damaged", "junk", "unwrapped", "broken", "bytes"])
    )
    match kind:
        case "good":
            return as_body({"data": spelt(draw(good))})
        case "damaged":
            return as_body({"data": spelt(draw(damaged(good)))})
        case "junk":
            return as_body({"data": draw(junk)})
        case "unwrapped":
            return as_body(draw(st.one_of(junk, good, st.builds(lambda data: {"data": data, "x": data}, good))))
        case "broken":
            text = as_body({"data": spelt(draw(good))})
            at = draw(st.integers(0, len(text)))
            return (
                text[:at]
                + draw(st.sampled_from([b"", b"\x00", b"\xff", b'"', b"{", b"1e999", b"NaN", b"\\ud800"]))
                + text[at + draw(st.integers(0, 3)) :]
            )
        case _:
            return draw(st.binary(max_size=60))


def as_body(value: Json) -> bytes:
    """Return JSON as some client might write it; numbers beyond a float's range stay as they are."""
    return json.dumps(value).encode()


HEADERS: list[dict[str, str]] = [
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/x-www-form-urlencoded"},
    {"Content-Type": "multipart/form-data; boundary=x"},
    {"Content-Type": "application/json; charset=utf-16"},
    {"Content-Type": ""},
    {"Content-Type": "\x7f;;="},
    {"Content-Encoding": "gzip"},
    {"Content-Length": "3"},
    {"Content-Length": "nonsense"},
    {"Transfer-Encoding": "chunked"},
    {"Origin": "null"},
    {"Origin": "https://evil.example\t"},
    {"Cookie": "session=" + "x" * 4_000},
    {"X-Firebase-AppCheck": "a.b.c"},
    {"Firebase-Instance-ID-Token": "\xff" * 100},
    {"X-Cloud-Trace-Context": "f" * 32 + "/" + "9" * 30 + ";o=7"},
    {"traceparent": "00-" + "f" * 32 + "-" + "0" * 16 + "-zz"},
    {"Function-Execution-Id": "\xff"},
    {"X-HTTP-Method-Override": "GET"},
    {"X-Forwarded-For": "127.0.0.1", "X-Original-URL": "/admin_stats"},
    {"Accept": "text/html", "Accept-Language": "\xff", "Range": "bytes=0-1"},
    {"X-CloudScheduler": "true", "X-CloudScheduler-JobName": "x"},
]
"""Headers that are wrong, odd or somebody else's."""

headers: SearchStrategy[dict[str, str]] = st.one_of(
    st.just({}), st.just({}), st.just({}), st.just({}), st.sampled_from(HEADERS)
)
methods: SearchStrategy[str] = st.sampled_from(["POST"] * 30 + ["GET", "PUT", "OPTIONS", "HEAD", "DELETE", "BREW"])
