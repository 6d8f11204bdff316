"""The rules that a JSON schema must obey to be used with `strict: true`.

Source: https://developers.openai.com/api/docs/guides/structured-outputs#supported-schemas. Messages follow the
service's ("In context=('properties', 'x'), 'additionalProperties' is required to be supplied and to be false.").
"""

import re
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from localcloud.openai.errors import ApiError, invalid

PROPERTIES_MAX = 5000
NESTING_MAX = 10
ENUM_VALUES_MAX = 1000
STRINGS_LENGTH_MAX = 120_000  # names of properties and definitions, enum and const values together
FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
TYPES = {"string", "number", "integer", "boolean", "object", "array", "null"}

_ANYWHERE = {"type", "enum", "const", "anyOf", "$ref", "$defs", "definitions", "title", "description"}
_BY_TYPE = {
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "minItems", "maxItems"},
    "string": {"pattern", "format"},
    "number": {"multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
}
_KEYWORDS = _ANYWHERE.union(*_BY_TYPE.values())
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

_Path = tuple[str, ...]


def check_name(name: object) -> str:
    """Return the name of a response format, or raise the 400 that says what names may be."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        message = (
            "Invalid 'response_format.json_schema.name': expected 1 to 64 of a-z, A-Z, 0-9, underscores and dashes."
        )
        raise invalid(message, param="response_format.json_schema.name", code="invalid_value")
    return name


def check_schema(name: str, schema: dict[str, Any], *, strict: bool) -> None:
    """Check that a response format's schema is a JSON schema and, with `strict`, that it obeys the rules above.

    Raises:
        ApiError: 400 with `param` response_format.
    """
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = tuple(str(part) for part in error.absolute_path)
        raise _broken(name, where, f"{error.message}.") from error
    except RecursionError as error:
        raise _broken(name, (), f"the schema is nested deeper than {NESTING_MAX} levels.") from error
    if strict:
        _StrictRules(name, schema).check()


class _StrictRules:
    """Checks one schema; `name` is the response format's and appears in every message."""

    def __init__(self, name: str, schema: dict[str, Any]) -> None:
        """Take the schema; nothing is checked yet."""
        self._name = name
        self._schema = schema
        self._properties = 0
        self._enum_values = 0
        self._strings_length = 0

    def check(self) -> None:
        """Walk the whole schema.

        Raises:
            ApiError: 400 with `param` response_format, for the first rule that is broken.
        """
        if self._schema.get("type") != "object" or "anyOf" in self._schema:
            raise self._broken(
                (), f"schema must be a JSON Schema of 'type: \"object\"', got 'type: {self._schema.get('type')!r}'."
            )
        self._visit(self._schema, (), 0)
        if self._properties > PROPERTIES_MAX:
            raise self._broken((), f"the schema has {self._properties} properties, more than {PROPERTIES_MAX}.")
        if self._enum_values > ENUM_VALUES_MAX:
            raise self._broken((), f"the schema has {self._enum_values} enum values, more than {ENUM_VALUES_MAX}.")
        if self._strings_length > STRINGS_LENGTH_MAX:
            raise self._broken((), f"the schema's strings are longer than {STRINGS_LENGTH_MAX} characters together.")

    def _visit(self, node: object, path: _Path, depth: int) -> None:
        if not isinstance(node, dict):
            raise self._broken(path, f"{node!r} is not of type 'object'.")
        if depth > NESTING_MAX:
            raise self._broken(path, f"the schema is nested deeper than {NESTING_MAX} levels.")
        if unknown := sorted(set(node) - _KEYWORDS):
            raise self._broken(path, f"'{unknown[0]}' is not permitted.")
        if not node.keys() & {"type", "enum", "const", "anyOf", "$ref"}:
            raise self._broken(path, "schema must have a 'type' key.")
        self._check_reference(node, path)
        self._count_values(node)
        types = self._types(node, path)
        if "object" in types or "properties" in node:
            self._visit_object(node, path, depth)
        if "array" in types:
            if "items" not in node:
                raise self._broken(path, "array schema missing items.")
            self._visit(node["items"], (*path, "items"), depth + 1)
        self._visit_parts(node, path, depth)

    def _visit_parts(self, node: dict[str, Any], path: _Path, depth: int) -> None:
        for number, branch in enumerate(node.get("anyOf", [])):
            self._visit(branch, (*path, "anyOf", str(number)), depth)
        for group in ("$defs", "definitions"):
            for name, definition in node.get(group, {}).items():
                self._strings_length += len(name)
                self._visit(definition, (*path, group, name), depth)

    def _visit_object(self, node: dict[str, Any], path: _Path, depth: int) -> None:
        if node.get("additionalProperties") is not False:
            raise self._broken(path, "'additionalProperties' is required to be supplied and to be false.")
        properties = node.get("properties", {})
        required = node.get("required", [])
        missing = [name for name in properties if name not in required]
        if missing or len(required) != len(properties):
            extra = [name for name in required if name not in properties]
            hint = f"Missing '{missing[0]}'." if missing else f"Extra required key '{(extra or required)[0]}' supplied."
            raise self._broken(
                path,
                f"'required' is required to be supplied and to be an array including every key in properties. {hint}",
            )
        self._properties += len(properties)
        for name, child in properties.items():
            self._strings_length += len(name)
            self._visit(child, (*path, "properties", name), depth + 1)

    def _types(self, node: dict[str, Any], path: _Path) -> set[str]:
        declared = node.get("type", [])
        types = {declared} if isinstance(declared, str) else set(declared)
        if wrong := types - TYPES:
            raise self._broken(path, f"{min(wrong)!r} is not a valid type.")
        if node.get("format", "date") not in FORMATS:
            raise self._broken(path, f"'{node['format']}' is not a valid format.")
        return types

    def _check_reference(self, node: dict[str, Any], path: _Path) -> None:
        if "$ref" in node and resolve(self._schema, node["$ref"]) is None:
            raise self._broken(path, f"reference to component '{node['$ref']}' which was not found in the schema.")

    def _count_values(self, node: dict[str, Any]) -> None:
        values = node.get("enum", [])
        self._enum_values += len(values)
        self._strings_length += sum(len(value) for value in [*values, node.get("const")] if isinstance(value, str))

    def _broken(self, path: _Path, rule: str) -> ApiError:
        return _broken(self._name, path, rule)


def _broken(name: str, path: _Path, rule: str) -> ApiError:
    return invalid(f"Invalid schema for response_format '{name}': In context={path}, {rule}", param="response_format")


def resolve(root: dict[str, Any], reference: object) -> dict[str, Any] | None:
    """Return what a local reference (`#`, `#/$defs/name`) points at in the schema, or None."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    node: Any = root
    for part in reference.removeprefix("#").split("/")[1:]:
        if not isinstance(node, dict) or part not in node:
            return None
        node = node[part]
    return node if isinstance(node, dict) else None
