"""The JSON schemas that structured outputs take, which are fewer than those of a JSON schema validator.

https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations. Bounds of numbers and
lengths are refused with a 400, and so is an object that does not close itself.
"""

from typing import Any

from localcloud.anthropic.errors import ApiError, invalid
from localcloud.openai.strict_schema import resolve

TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})
REFUSED: dict[str, frozenset[str]] = {
    "integer": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}),
    "number": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}),
    "string": frozenset({"minLength", "maxLength"}),
    "array": frozenset({"maxItems", "uniqueItems", "contains", "minContains", "maxContains", "prefixItems"}),
    "object": frozenset({"minProperties", "maxProperties", "patternProperties", "propertyNames"}),
}
DEPTH_MAX = 50  # ours: a schema is not nested deeper, and one that refers to itself has ended before


def check_schema(where: str, schema: object) -> None:
    """Accept a schema of a structured output.

    Raises:
        ApiError: 400; a keyword or form that the service refuses, `where` it was sent.
    """
    if not isinstance(schema, dict):
        raise invalid(f"{where}: Input should be an object")
    _check(where, schema, schema, 0)


def _check(where: str, root: dict[str, Any], node: object, depth: int) -> None:
    if not isinstance(node, dict):
        raise invalid(f"{where}: Schema must be an object")
    if depth > DEPTH_MAX:
        raise invalid(f"{where}: Schema is nested too deeply")
    if "$ref" in node:
        if resolve(root, node["$ref"]) is None:
            raise invalid(f"{where}: Could not resolve reference {node['$ref']!r}")
        return
    for keyword in ("oneOf", "not", "if"):
        if keyword in node:
            raise invalid(f"{where}: Schema keyword '{keyword}' is not supported")
    for name in _types(where, node):
        _check_type(where, name, node)
    for child in _children(node):
        _check(where, root, child, depth + 1)


def _types(where: str, node: dict[str, Any]) -> list[str]:
    declared = node.get("type")
    if declared is None:
        if not node.keys() & {"anyOf", "allOf", "enum", "const"}:
            raise invalid(f"{where}: Schema must have a 'type', 'anyOf', 'allOf', 'enum', 'const' or '$ref'")
        return []
    names = [declared] if isinstance(declared, str) else list(declared)
    if unknown := [name for name in names if name not in TYPES]:
        raise invalid(f"{where}: '{unknown[0]}' is not a valid type")
    return names


def _check_type(where: str, name: str, node: dict[str, Any]) -> None:
    if refused := sorted(REFUSED.get(name, frozenset()) & node.keys()):
        raise _unsupported(where, name, refused)
    if name == "array" and node.get("minItems", 0) not in {0, 1}:
        raise invalid(f"{where}: For 'array' type, 'minItems' values other than 0 or 1 are not supported")
    if name == "object" and node.get("additionalProperties") is not False:
        raise invalid(f"{where}: For 'object' type, 'additionalProperties' must be explicitly set to false")


def _unsupported(where: str, name: str, refused: list[str]) -> ApiError:
    if len(refused) == 1:
        return invalid(f"{where}: For '{name}' type, property '{refused[0]}' is not supported")
    return invalid(f"{where}: For '{name}' type, properties {', '.join(refused)} are not supported")


def _children(node: dict[str, Any]) -> list[object]:
    groups = [node.get(name, {}).values() for name in ("properties", "$defs", "definitions")]
    lists = [node.get(name, []) for name in ("anyOf", "allOf")]
    items = [[node["items"]]] if "items" in node else []
    return [child for group in [*groups, *lists, *items] for child in group]
