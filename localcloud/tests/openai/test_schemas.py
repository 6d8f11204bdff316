"""JSON schemas: what strict mode refuses, and that every accepted schema gets a valid instance."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import BadRequestError

from localcloud.openai.errors import ApiError
from localcloud.openai.instances import fill
from localcloud.openai.strict_schema import check_schema

TEXT = {"type": "string"}


def _closed(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        **more,
    }


def _nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = _closed({"leaf": TEXT})
    for _ in range(levels):
        schema = _closed({"inner": schema})
    return schema


@pytest.mark.parametrize(
    ("schema", "rule"),
    [
        ({"type": "object", "properties": {}, "required": []}, "'additionalProperties' is required"),
        (_closed({"a": TEXT}, additionalProperties=True), "'additionalProperties' is required"),
        (_closed({"a": TEXT}, required=[]), "Missing 'a'"),
        (_closed({"a": TEXT}, required=["a", "b"]), "Extra required key 'b'"),
        (_closed({"a": {**TEXT, "minLength": 3}}), "'minLength' is not permitted"),
        (_closed({"a": {**TEXT, "default": "x"}}), "'default' is not permitted"),
        (_closed({"a": {"oneOf": [TEXT]}}), "'oneOf' is not permitted"),
        (_closed({"a": {}}), "must have a 'type' key"),
        (_closed({"a": {"type": "array"}}), "array schema missing items"),
        (_closed({"a": {**TEXT, "format": "phone"}}), "'phone' is not a valid format"),
        (_closed({"a": {"$ref": "#/$defs/nowhere"}}), "which was not found"),
        (_closed({"a": {"$ref": "https://x.example/schema"}}), "which was not found"),
        (_closed({"a": {"anyOf": [{"type": "object", "properties": {}}, TEXT]}}), "('properties', 'a', 'anyOf', '0')"),
        (_closed({"a": TEXT}, **{"$defs": {"b": {"type": "object"}}}), "('$defs', 'b')"),
        ({"type": "array", "items": TEXT}, "must be a JSON Schema of 'type: \"object\"'"),
        ({"anyOf": [_closed({})], "type": "object"}, "must be a JSON Schema of 'type: \"object\"'"),
        (_nested(11), "nested deeper than 10 levels"),
        (_closed({"a": {"enum": [f"value {number}" for number in range(1001)]}}), "more than 1000"),
        (_closed({f"p{number}": TEXT for number in range(5001)}), "more than 5000"),
        (_closed({"a": {"const": "x" * 120_001}}), "longer than 120000"),
        ({"type": "object", "properties": 3}, "is not of type 'object'"),
        ({"type": "object", "required": "a"}, "is not of type 'array'"),
        (_closed({"a": 3}), "is not of type 'object', 'boolean'"),
        (_closed({"a": {"type": "text"}}), "is not valid under any of the given schemas"),
    ],
)
def test_strict_mode_refuses(world: Any, kit: Any, schema: dict[str, Any], rule: str) -> None:
    """A schema outside strict mode's rules is a 400 on response_format that says where and which rule."""
    with pytest.raises(BadRequestError) as caught:
        world.client.chat.completions.create(**world.body(response_format=kit.strictly(schema)))
    assert caught.value.param == "response_format"
    assert caught.value.message.count("Invalid schema for response_format 'answer': In context=(") == 1
    assert rule in caught.value.message


@pytest.mark.parametrize("name", ["", "has space", "x" * 65, 7])
def test_names_of_formats(world: Any, kit: Any, name: object) -> None:
    """A response format's name keeps to letters, digits, dashes and underscores, 64 at most."""
    with pytest.raises(BadRequestError) as caught:
        world.client.chat.completions.create(
            **world.body(response_format=kit.strictly(_closed({"a": TEXT}), name=name))
        )
    assert caught.value.param == "response_format.json_schema.name"


def test_without_strict_the_rules_do_not_apply(world: Any) -> None:
    """The same schema that strict mode refuses is followed without it."""
    schema = {"type": "object", "properties": {"a": {"type": "integer", "default": 3}}}
    body = world.body(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}})
    answer = world.client.chat.completions.create(**body).choices[0].message.content
    jsonschema.validate(json.loads(answer), schema)


def test_what_strict_mode_offers_is_accepted(kit: Any) -> None:
    """A schema of enums, limits, nulls, lists and objects obeys strict mode's rules."""
    check_schema("item", kit.item_schema(), strict=True)


def test_recursive_schemas_end() -> None:
    """A schema that may refer to itself gets a finite instance; one that must is refused."""
    tree = _closed({"name": TEXT, "children": {"type": "array", "items": {"$ref": "#"}, "minItems": 0}})
    chain = _closed({"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}})
    for schema in (tree, chain):
        check_schema("x", schema, strict=True)
        jsonschema.validate(fill(schema), schema)
    with pytest.raises(ApiError, match="no finite instance"):
        fill(_closed({"again": {"$ref": "#"}}))


def _schemas() -> st.SearchStrategy[dict[str, Any]]:
    bounds = st.tuples(st.integers(-50, 50), st.integers(0, 50))
    formats = ["date-time", "date", "time", "email", "uuid", "ipv4", "ipv6", "hostname", "duration"]
    leaves = st.one_of(
        st.just(TEXT),
        st.just({"type": "boolean"}),
        st.just({"type": "null"}),
        st.just({"type": ["integer", "null"]}),
        st.sampled_from(formats).map(lambda name: {"type": "string", "format": name}),
        bounds.map(lambda pair: {"type": "integer", "minimum": pair[0], "maximum": pair[0] + pair[1]}),
        bounds.map(lambda pair: {"type": "number", "exclusiveMinimum": pair[0], "maximum": pair[0] + pair[1] + 1}),
        bounds.map(lambda pair: {"type": "integer", "exclusiveMaximum": pair[0], "multipleOf": pair[1] + 1}),
        st.lists(st.text(max_size=5), min_size=1, max_size=4, unique=True).map(lambda words: {"enum": words}),
        st.text(max_size=5).map(lambda word: {"const": word}),
    )
    names = st.sampled_from(["itemName", "confidence", "materials", "disposal", "steps", "other", "x"])
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.dictionaries(names, inner, max_size=4).map(_closed),
            st.tuples(inner, st.integers(0, 3)).map(
                lambda pair: {"type": "array", "items": pair[0], "minItems": pair[1]}
            ),
            st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches}),
        ),
        max_leaves=8,
    )


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(["itemName", "confidence", "disposal", "other"]), _schemas()).map(_closed))
def test_any_strict_schema_gets_a_valid_instance(schema: dict[str, Any]) -> None:
    """Whatever schema strict mode accepts, the answer is valid against it, wishes or none."""
    # Not `time`: jsonschema's check knows no time zone, which RFC 3339 and so the keyword ask for.
    formats = jsonschema.FormatChecker(["date", "email", "ipv4", "ipv6", "uuid"])
    check_schema("x", schema, strict=True)
    for wish in (None, {"itemName": "can", "confidence": 0.3, "disposal": {"steps": ["a", "b"], "x": 3}}):
        jsonschema.validate(fill(schema, wish), schema, format_checker=formats)
