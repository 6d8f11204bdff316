"""Reads and checks the body of a chat completion request."""

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from scripts.emulators.openai_standin.errors import invalid, missing_parameter, unknown_model, wrong_type
from scripts.emulators.openai_standin.strict_schema import StrictRules, check_name
from scripts.emulators.openai_standin.tokens import PatchModel, TileModel, find_model

# The parameters of openai.types.chat.CompletionCreateParams, version 3.52.
PARAMETERS = frozenset({
    "messages", "model", "audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs",
    "max_completion_tokens", "max_tokens", "metadata", "modalities", "moderation", "n", "parallel_tool_calls", "prediction",
    "presence_penalty", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning_effort",
    "response_format", "safety_identifier", "seed", "service_tier", "stop", "store", "stream", "stream_options",
    "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity", "web_search_options",
})  # fmt: skip
ROLES = ("developer", "system", "user", "assistant", "tool")
DETAILS = ("auto", "low", "high", "original")
REASONING_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
METADATA_PAIRS_MAX = 16
METADATA_KEY_MAX = 64
METADATA_VALUE_MAX = 512
_RANGES = {"temperature": (0, 2), "top_p": (0, 1), "frequency_penalty": (-2, 2), "presence_penalty": (-2, 2)}
_CHECKED_SCHEMAS_MAX = 64


@dataclass(frozen=True)
class ImageInput:
    """An image in a message: where it is, and the detail asked for."""

    url: str
    detail: str


@dataclass
class ChatRequest:
    """What the stand-in needs of a request that is in order."""

    model: str
    counting: TileModel | PatchModel
    messages: int = 0
    text_characters: int = 0
    images: list[ImageInput] = field(default_factory=list)
    format: str = "text"  # text, json_object or json_schema
    schema: dict[str, Any] | None = None
    schema_characters: int = 0
    tokens_max: int | None = None


_checked_schemas: OrderedDict[str, None] = OrderedDict()


def read(body: object) -> ChatRequest:
    """Return the request, checked.

    Raises:
        ApiError: 400 or 404 as the service answers it, for the first thing that is wrong.
    """
    if not isinstance(body, dict):
        raise invalid("We could not parse the JSON body of your request: expected an object.")
    if unknown := sorted(set(body) - PARAMETERS):
        raise invalid(f"Unknown parameter: '{unknown[0]}'.", param=unknown[0], code="unknown_parameter")
    model = body.get("model")
    if not model:
        raise invalid("you must provide a model parameter")
    if not isinstance(model, str):
        raise wrong_type("model", "a string")
    counting = find_model(model)
    if counting is None:
        raise unknown_model(model)
    request = ChatRequest(model, counting)
    _read_options(request, body)
    _read_messages(request, body)
    _read_format(request, body.get("response_format"))
    return request


def check_metadata(metadata: object) -> dict[str, str]:
    """Return metadata that keeps OpenAI's limits: 16 pairs, keys of 64 and values of 512 characters."""
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        raise wrong_type("metadata", "an object")
    if len(metadata) > METADATA_PAIRS_MAX:
        message = f"Invalid 'metadata': too many properties. Expected at most {METADATA_PAIRS_MAX}, got {len(metadata)}."
        raise invalid(message, param="metadata", code="object_above_max_properties")
    for key, value in metadata.items():
        if len(key) > METADATA_KEY_MAX:
            message = f"Invalid 'metadata': key '{key}' is longer than {METADATA_KEY_MAX} characters."
            raise invalid(message, param="metadata", code="string_above_max_length")
        if not isinstance(value, str):
            raise wrong_type(f"metadata.{key}", "a string")
        if len(value) > METADATA_VALUE_MAX:
            message = f"Invalid 'metadata.{key}': string too long. Expected at most {METADATA_VALUE_MAX} characters."
            raise invalid(message, param=f"metadata.{key}", code="string_above_max_length")
    return metadata


def _read_options(request: ChatRequest, body: dict[str, Any]) -> None:
    if body.get("stream"):
        raise invalid("The stand-in does not stream: leave 'stream' out.", param="stream", code="unsupported_value")
    if body.get("n") not in {None, 1}:
        raise invalid("The stand-in gives one choice: leave 'n' at 1.", param="n", code="unsupported_value")
    for name, (low, high) in _RANGES.items():
        value = body.get(name)
        if value is None:
            continue
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise wrong_type(name, "a decimal")
        if not low <= value <= high:
            message = f"Invalid '{name}': expected a value between {low} and {high}, but got {value} instead."
            raise invalid(message, param=name, code="decimal_out_of_range")
    if body.get("reasoning_effort") not in {None, *REASONING_EFFORTS}:
        message = f"Invalid value: '{body['reasoning_effort']}'. Supported values are: {', '.join(REASONING_EFFORTS)}."
        raise invalid(message, param="reasoning_effort", code="invalid_value")
    check_metadata(body.get("metadata"))
    for name in ("max_tokens", "max_completion_tokens"):
        value = body.get(name)
        if value is None:
            continue
        if name == "max_tokens" and request.model.startswith(("o1", "o3", "o4", "gpt-5", "gpt-6")):
            message = f"Unsupported parameter: '{name}' is not supported with this model. Use 'max_completion_tokens' instead."
            raise invalid(message, param=name, code="unsupported_parameter")
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong_type(name, "an integer")
        if value < 1:
            message = f"Invalid '{name}': integer below minimum value. Expected a value >= 1, but got {value} instead."
            raise invalid(message, param=name, code="integer_below_min_value")
        request.tokens_max = value


def _read_messages(request: ChatRequest, body: dict[str, Any]) -> None:
    messages = body.get("messages")
    if messages is None:
        raise missing_parameter("messages")
    if not isinstance(messages, list):
        raise wrong_type("messages", "an array of objects")
    if not messages:
        raise invalid("Invalid 'messages': empty array. Expected at least 1.", param="messages", code="empty_array")
    for number, message in enumerate(messages):
        where = f"messages[{number}]"
        if not isinstance(message, dict):
            raise wrong_type(where, "an object")
        if message.get("role") not in ROLES:
            text = f"Invalid value: '{message.get('role')}'. Supported values are: {', '.join(ROLES)}."
            raise invalid(text, param=f"{where}.role", code="invalid_value")
        content = message.get("content")
        if isinstance(content, str):
            request.text_characters += len(content)
        elif isinstance(content, list):
            for index, part in enumerate(content):
                _read_part(request, part, f"{where}.content[{index}]")
        elif content is not None or message["role"] != "assistant":
            raise wrong_type(f"{where}.content", "a string or an array of objects")
    request.messages = len(messages)


def _read_part(request: ChatRequest, part: object, where: str) -> None:
    if not isinstance(part, dict):
        raise wrong_type(where, "an object")
    kind = part.get("type")
    if kind == "text":
        if not isinstance(part.get("text"), str):
            raise missing_parameter(f"{where}.text")
        request.text_characters += len(part["text"])
        return
    if kind != "image_url":
        message = f"Invalid value: '{kind}'. Supported values are: 'text' and 'image_url'."
        raise invalid(message, param=f"{where}.type", code="invalid_value")
    image = part.get("image_url")
    if not isinstance(image, dict) or not isinstance(image.get("url"), str):
        raise wrong_type(f"{where}.image_url", "an object with a url")
    detail = image.get("detail", "auto")
    if detail not in DETAILS:
        message = f"Invalid value: '{detail}'. Supported values are: {', '.join(DETAILS)}."
        raise invalid(message, param=f"{where}.image_url.detail", code="invalid_value")
    request.images.append(ImageInput(image["url"], detail))


def _read_format(request: ChatRequest, wanted: object) -> None:
    if wanted is None:
        return
    if not isinstance(wanted, dict) or wanted.get("type") not in {"text", "json_object", "json_schema"}:
        message = "Invalid value. Supported values are: 'text', 'json_object' and 'json_schema'."
        raise invalid(message, param="response_format.type", code="invalid_value")
    request.format = wanted["type"]
    if request.format != "json_schema":
        return
    details = wanted.get("json_schema")
    if not isinstance(details, dict):
        raise missing_parameter("response_format.json_schema")
    name = check_name(details.get("name"))
    schema = details.get("schema")
    if not isinstance(schema, dict):
        raise missing_parameter("response_format.json_schema.schema")
    text = json.dumps(schema, separators=(",", ":"))
    if details.get("strict"):
        _check_once(name, schema, text)
    request.schema = schema
    request.schema_characters = len(text)


def _check_once(name: str, schema: dict[str, Any], text: str) -> None:
    # Every line of a batch carries the same schema: it is walked the first time only.
    key = f"{name}:{text}"
    if key in _checked_schemas:
        return
    StrictRules(name, schema).check()
    _checked_schemas[key] = None
    if len(_checked_schemas) > _CHECKED_SCHEMAS_MAX:
        _checked_schemas.popitem(last=False)
