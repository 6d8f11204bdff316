"""Messages: what is answered, counted and refused, as the real client sees it."""

import json
from collections.abc import Callable
from typing import Any, get_type_hints

import anthropic
import jsonschema
import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming

from localcloud.anthropic.request import PARAMETERS
from localcloud.anthropic.tokens import find_model, image_tokens


def refused(world: Any, **changes: Any) -> str:
    """Return what the service says about a request that it refuses with a 400."""
    with pytest.raises(anthropic.BadRequestError) as refusal:
        world.ask(**changes)
    error: Any = refusal.value
    assert error.body["type"] == "error"
    assert error.body["error"]["type"] == "invalid_request_error"
    assert error.request_id == error.body["request_id"]
    return str(error.body["error"]["message"])


def test_the_stand_in_takes_what_the_installed_client_can_send() -> None:
    """An update of the client that sends something new is seen here."""
    assert set(get_type_hints(MessageCreateParamsNonStreaming)) == PARAMETERS


def test_an_answer_follows_the_requests_schema_and_the_projects_wish(make_world: Callable[..., Any], kit: Any) -> None:
    """Structured output is JSON that is valid by the schema, with the values that the project wants to say."""
    world = make_world(answers=lambda image: {"name": f"{image.width} wide", "kind": "plant"})
    schema = kit.item_schema()
    answer = world.ask(messages=kit.showing(kit.inline(kit.picture())), output_config=kit.strictly(schema))
    said = json.loads(answer.content[0].text)
    jsonschema.validate(said, schema)
    assert (said["name"], said["kind"]) == ("320 wide", "plant")
    assert (answer.stop_reason, answer.model, answer.usage.service_tier) == ("end_turn", kit.model, "standard")
    assert answer.id.startswith("msg_")


def test_a_tool_is_called_with_what_its_schema_takes(world: Any, kit: Any) -> None:
    """The answer is the call, valid by the input schema."""
    tool = {"name": "answer", "input_schema": kit.item_schema(), "strict": True}
    answer = world.ask(tools=[tool], tool_choice={"type": "tool", "name": "answer"})
    (block,) = answer.content
    jsonschema.validate(block.input, kit.item_schema())
    assert (answer.stop_reason, block.name, block.type) == ("tool_use", "answer", "tool_use")


@pytest.mark.parametrize(
    ("size", "tokens"),
    [((512, 384), 19 * 14), ((1024, 1024), 37 * 37), ((28, 29), 2), ((5152, 2576), 92 * 46), ((8000, 8000), 4_784)],
)
def test_an_image_counts_its_28_pixel_patches(size: tuple[int, int], tokens: int) -> None:
    """By hand: 28-pixel patches, after shrinking to 2,576 pixels, at most 4,784."""
    model = find_model("claude-haiku-5-5")
    assert model is not None
    assert image_tokens(model, *size) == tokens


def test_usage_counts_cached_input_beside_the_plain_one(make_world: Callable[..., Any], kit: Any) -> None:
    """`input_tokens` is without what was read from the cache and written to it: the sum is what was sent."""
    messages = kit.showing(kit.inline(kit.picture((512, 384))))
    plain = make_world().ask(messages=messages).usage
    cached = make_world(cache_read_tokens=100, cache_write_tokens=50).ask(messages=messages).usage
    assert plain.input_tokens > 19 * 14
    assert (plain.cache_read_input_tokens, plain.cache_creation_input_tokens) == (0, 0)
    assert cached.input_tokens + 150 == plain.input_tokens
    assert (cached.cache_read_input_tokens, cached.cache_creation_input_tokens) == (100, 50)
    assert cached.cache_creation.ephemeral_5m_input_tokens == 50


def test_a_model_thinks_unless_it_is_told_not_to_and_that_spends_the_bound(world: Any) -> None:
    """Whoever leaves thinking out pays for it, and loses the answer if the bound is small."""
    quiet = world.ask()
    thinking = world.ask(thinking=anthropic.omit)
    cut = world.ask(thinking=anthropic.omit, max_tokens=100)
    assert [block.type for block in quiet.content] == ["text"]
    assert [block.type for block in thinking.content] == ["thinking", "text"]
    assert thinking.usage.output_tokens > quiet.usage.output_tokens + 100
    assert ([block.type for block in cut.content], cut.stop_reason) == (["thinking"], "max_tokens")
    assert cut.usage.output_tokens == 100


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"minimum": 0}, "For 'integer' type, property 'minimum' is not supported"),
        ({"minimum": 0, "maximum": 1}, "For 'integer' type, properties maximum, minimum are not supported"),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 5}, "For 'array' type, property 'maxItems'"),
        ({"type": "array", "items": {"type": "string"}, "minItems": 2}, "'minItems' values other than 0 or 1"),
        ({"type": "string", "maxLength": 5}, "For 'string' type, property 'maxLength' is not supported"),
        ({"type": "object", "properties": {}}, "'additionalProperties' must be explicitly set to false"),
        ({"$ref": "#/$defs/none"}, "Could not resolve reference"),
        ({"type": "text"}, "'text' is not a valid type"),
        ({"oneOf": []}, "keyword 'oneOf' is not supported"),
    ],
    ids=str,
)
def test_a_schema_with_bounds_is_refused(world: Any, kit: Any, changed: dict[str, Any], message: str) -> None:
    """What OpenAI's strict mode takes is a 400 here, wherever in the schema it stands."""
    schema = kit.item_schema()
    schema["properties"]["legs"]["anyOf"][0] = {"type": "integer"} | changed
    said = refused(world, output_config=kit.strictly(schema))
    assert said.startswith("output_config.format.schema: ")
    assert message in said


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_tokens": 0}, "max_tokens: must be greater than or equal to 1"),
        ({"max_tokens": 64_001, "timeout": 5}, "max_tokens: 64001 > 64000"),
        ({"messages": []}, "messages: at least one message is required"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages.0: all messages must have non-empty content"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages.0.role: Input should be 'user' or 'assistant'"),
        (
            {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "{"}]},
            "does not support assistant message prefill",
        ),
        ({"extra_body": {"temperature": 0.2}}, "`temperature` is deprecated for this model."),
        ({"extra_body": {"response_format": {}}}, "response_format: Extra inputs are not permitted"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1_024}}, '"thinking.type.enabled" is not supported'),
        ({"output_config": {"effort": "max"}}, "'disabled' is not supported with effort 'max'"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort: Input should be 'low'"),
        ({"tool_choice": {"type": "any"}}, "tool_choice may only be specified while providing tools."),
        ({"system": [{"type": "text", "text": ""}]}, "system.0: text content blocks must be non-empty"),
        ({"metadata": {"user_id": "u" * 257}}, "metadata.user_id: String should have at most 256 characters"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_request_that_is_not_in_order_is_refused(world: Any, changes: dict[str, Any], message: str) -> None:
    """With a 400 that names the field."""
    assert message in refused(world, **changes)


def test_a_tool_that_is_forced_wants_no_thinking(world: Any, kit: Any) -> None:
    """Thinking and a forced tool exclude each other."""
    tools, choice = [{"name": "answer", "input_schema": kit.item_schema()}], {"type": "any"}
    said = refused(world, tools=tools, tool_choice=choice, thinking=anthropic.omit)
    assert said == "Thinking may not be enabled when tool_choice forces tool use."


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"media_type": "image/bmp"}, "media_type: Input should be 'image/jpeg', 'image/png'"),
        ({"media_type": "image/png"}, "data: Image does not match the provided media type image/png"),
        ({"data": "%%%"}, "invalid base64 data"),
        ({"data": "/9j/4AAQSkZJRg=="}, "Could not process image"),
        ({"data": "A" * (10 * 1024 * 1024 + 4)}, "image exceeds 10 MB maximum: 10485764 bytes > 10485760 bytes"),
        ({"type": "file"}, "Input tag 'file' found using 'type' does not match: 'base64', 'url'"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_an_image_that_is_not_in_order_is_refused(world: Any, kit: Any, source: dict[str, Any], message: str) -> None:
    """A 400 that names the image: the photo's fault, and nobody else's."""
    said = refused(world, messages=kit.showing(kit.inline(kit.picture()) | source))
    assert message in said
    assert "image" in said


def test_an_image_of_more_than_8000_pixels_is_refused(world: Any, kit: Any) -> None:
    """One side is enough; the error's code and details say which image it is."""
    with pytest.raises(anthropic.BadRequestError) as refusal:
        world.ask(messages=kit.showing(kit.inline(kit.picture((8_001, 2)))))
    details: Any = refusal.value.details
    assert refusal.value.error_code == "image_dimensions_too_large"
    assert (details.max_side_length_pixels, details.paths) == (8_000, ["messages.0.content.0"])


def test_an_image_may_be_an_address_if_it_is_https(make_world: Callable[..., Any], kit: Any) -> None:
    """Which the service fetches itself; http is refused, and what cannot be fetched is the request's fault."""
    world = make_world(fetch=lambda url: kit.picture() if url.endswith("a.jpg") else b"")
    assert world.ask(messages=kit.showing({"type": "url", "url": "https://photos.example/a.jpg"})).content
    http = kit.showing({"type": "url", "url": "http://photos.example/a.jpg"})
    assert "Only HTTPS URLs are supported." in refused(world, messages=http)
    empty = kit.showing({"type": "url", "url": "https://photos.example/b.jpg"})
    assert refused(world, messages=empty) == "Could not process image"


def test_the_key_the_version_and_the_model_are_looked_at(world: Any) -> None:
    """401, 400 and 404, each with its type."""
    with pytest.raises(anthropic.AuthenticationError, match="x-api-key header is required"):
        world.client.with_options(api_key=" ").messages.create(**world.body())
    with pytest.raises(anthropic.BadRequestError, match="not a valid version"):
        world.ask(extra_headers={"anthropic-version": "2020-01-01"})
    with pytest.raises(anthropic.NotFoundError, match="model: claude-nobody"):
        world.ask(model="claude-nobody")
    with pytest.raises(anthropic.NotFoundError, match="model: claude-nobody"):
        world.client.models.retrieve("claude-nobody")
    assert world.client.models.retrieve("claude-haiku-5-5").id == "claude-haiku-5-5"
    with pytest.raises(anthropic.NotFoundError):
        world.client.post("/v1/complete", cast_to=object, body={})


def test_a_request_of_more_than_32_megabytes_is_refused(world: Any) -> None:
    """413, before anything is read."""
    with pytest.raises(anthropic.RequestTooLargeError, match="Request exceeds the maximum size"):
        world.ask(system="x" * (32 * 1024 * 1024))
