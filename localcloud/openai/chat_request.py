"""Reads and checks the body of a chat completion request."""

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming

from localcloud.openai import chat_options
from localcloud.openai.errors import invalid, missing_parameter, unknown_model, wrong_type
from localcloud.openai.strict_schema import check_name, check_schema
from localcloud.openai.tokens import PatchModel, TileModel, find_model

# What the installed client can send is what exists: its types are generated from OpenAI's specification.
PARAMETERS = frozenset(get_type_hints(CompletionCreateParamsNonStreaming)) | {"stream"}
ROLES = ("developer", "system", "user", "assistant", "tool")
DETAILS = ("auto", "low", "high", "original")
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
    tokens_max: int | None
    messages: int = 0
    text_characters: int = 0
    images: list[ImageInput] = field(default_factory=list)
    format: str = "text"  # text, json_object or json_schema
    schema: dict[str, Any] | None = None
    schema_characters: int = 0


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
    chat_options.check(body)
    request = ChatRequest(model, counting, chat_options.tokens_max(body, model))
    _read_messages(request, body.get("messages"))
    _read_format(request, body.get("response_format"))
    return request


def _read_messages(request: ChatRequest, messages: object) -> None:
    if messages is None:
        raise missing_parameter("messages")
    if not isinstance(messages, list):
        raise wrong_type("messages", "an array of objects")
    if not messages:
        raise invalid("Invalid 'messages': empty array. Expected at least 1.", param="messages", code="empty_array")
    for number, message in enumerate(messages):
        _read_message(request, message, f"messages[{number}]")
    request.messages = len(messages)


def _read_message(request: ChatRequest, message: object, where: str) -> None:
    if not isinstance(message, dict):
        raise wrong_type(where, "an object")
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        text = f"Invalid value: '{role}'. Supported values are: {', '.join(ROLES)}."
        raise invalid(text, param=f"{where}.role", code="invalid_value")
    if isinstance(content, str):
        request.text_characters += len(content)
    elif isinstance(content, list):
        for index, part in enumerate(content):
            _read_part(request, part, f"{where}.content[{index}]")
    elif content is not None or role != "assistant":
        raise wrong_type(f"{where}.content", "a string or an array of objects")


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
    _check_once(name, schema, text, strict=bool(details.get("strict")))
    request.schema = schema
    request.schema_characters = len(text)


def _check_once(name: str, schema: dict[str, Any], text: str, *, strict: bool) -> None:
    # Every line of a batch carries the same schema: it is walked the first time only.
    key = f"{name}:{strict}:{text}"
    if key in _checked_schemas:
        return
    check_schema(name, schema, strict=strict)
    _checked_schemas[key] = None
    if len(_checked_schemas) > _CHECKED_SCHEMAS_MAX:
        _checked_schemas.popitem(last=False)
