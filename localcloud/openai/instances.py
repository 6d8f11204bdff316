"""Builds an instance of a JSON schema, using what we would like to say wherever the schema lets us say it."""

import math
from typing import Any

from localcloud.openai.errors import invalid
from localcloud.openai.strict_schema import resolve

_EXAMPLES = {
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "date": "2026-01-01",
    "duration": "P1D",
    "email": "standin@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_DEPTH_MAX = 12  # a schema that refers to itself takes its emptiest branches from here
_DEPTH_LIMIT = 100  # and one that has none is refused here


def fill(schema: dict[str, Any], wish: object = None, seed: int = 0) -> Any:
    """Return an instance that is valid against `schema` and as close to `wish` as it allows.

    `wish` is any JSON value; an object's members are handed down to the properties of the same name. An enum without a
    wish takes its value number `seed`, counted round. `pattern` is not honoured: the wish, or a generic text, is
    returned as it is.

    Raises:
        ApiError: 400; the schema refers to itself without an end.
    """
    return _Filler(schema, seed).value(schema, wish, 0)


class _Filler:
    def __init__(self, root: dict[str, Any], seed: int) -> None:
        self._root, self._seed = root, seed

    def value(self, schema: dict[str, Any], wish: object, depth: int) -> Any:
        if depth > _DEPTH_LIMIT:
            raise invalid("The schema of response_format has no finite instance.", param="response_format")
        if "$ref" in schema:
            return self.value(resolve(self._root, schema["$ref"]) or {}, wish, depth + 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return wish if wish in schema["enum"] else schema["enum"][self._seed % len(schema["enum"])]
        if "anyOf" in schema:
            return self.value(self._branch(schema["anyOf"], wish, depth), wish, depth)
        declared = schema.get("type", "string")
        types = [declared] if isinstance(declared, str) else list(declared)
        chosen = next((name for name in types if _is_a(wish, name)), types[0])
        if depth > _DEPTH_MAX and "null" in types:
            chosen = "null"
        return self._typed(chosen, schema, wish, depth)

    def _branch(self, branches: list[dict[str, Any]], wish: object, depth: int) -> dict[str, Any]:
        if depth > _DEPTH_MAX:
            return next((branch for branch in branches if branch.get("type") == "null"), branches[-1])
        return next((branch for branch in branches if self._takes(branch, wish)), branches[0])

    def _takes(self, branch: dict[str, Any], wish: object) -> bool:
        if "$ref" in branch:
            branch = resolve(self._root, branch["$ref"]) or {}
        if "const" in branch or "enum" in branch:
            return wish in branch.get("enum", [branch.get("const")])
        declared = branch.get("type", [])
        return any(_is_a(wish, name) for name in ([declared] if isinstance(declared, str) else declared))

    def _typed(self, name: str, schema: dict[str, Any], wish: object, depth: int) -> Any:
        match name:
            case "object":
                members = wish if isinstance(wish, dict) else {}
                properties = schema.get("properties", {})
                return {key: self.value(child, members.get(key), depth + 1) for key, child in properties.items()}
            case "array":
                return self._array(schema, wish, depth)
            case "string":
                return _text(schema, wish)
            case "integer" | "number":
                return _number(name, schema, wish)
            case "boolean":
                return bool(wish)
            case _:
                return None

    def _array(self, schema: dict[str, Any], wish: object, depth: int) -> list[Any]:
        wishes = list(wish) if isinstance(wish, list | tuple) else []
        least = schema.get("minItems", 0)
        most = schema.get("maxItems", max(least, len(wishes)))
        wishes = wishes[:most] + [None] * (least - len(wishes))
        return [self.value(schema.get("items", {}), item, depth + 1) for item in wishes]


def _is_a(value: object, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    expected: dict[str, type | tuple[type, ...]] = {
        "object": dict,
        "array": (list, tuple),
        "string": str,
        "integer": int,
        "number": (int, float),
        "null": type(None),
    }
    return isinstance(value, expected.get(name, ()))


def _text(schema: dict[str, Any], wish: object) -> str:
    if schema.get("format") in _EXAMPLES:
        return _EXAMPLES[schema["format"]]
    return wish if isinstance(wish, str) else "stand-in"


def _number(name: str, schema: dict[str, Any], wish: object) -> float:
    step: float | None = schema.get("multipleOf")
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    margin = step or (1 if name == "integer" else 1e-6)
    low = max(low, schema.get("exclusiveMinimum", -math.inf) + margin)
    high = min(high, schema.get("exclusiveMaximum", math.inf) - margin)
    number: float = float(wish) if isinstance(wish, int | float) else 0.0
    number = min(max(number, low), high)
    if step:
        number = (math.floor(number / step) if number > low else math.ceil(number / step)) * step
    return math.ceil(number) if name == "integer" else number
