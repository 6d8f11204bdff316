"""Reads and checks the body of a message request: `POST /v1/messages`, and `params` of a request in a batch."""

from dataclasses import dataclass, field
from typing import Any

from localcloud.anthropic.errors import invalid, not_found, required
from localcloud.anthropic.options import Thinking, check_options, output_schema, thinking_of, tool_of
from localcloud.anthropic.tokens import Model, find_model

PARAMETERS = frozenset(
    {
        "model",
        "max_tokens",
        "messages",
        "cache_control",
        "container",
        "diagnostics",
        "inference_geo",
        "metadata",
        "output_config",
        "service_tier",
        "speed",
        "stop_sequences",
        "stream",
        "system",
        "thinking",
        "tool_choice",
        "tools",
        "user_profile_id",
        "workspace_id",
    }
)
"""Those of the installed client: tests/anthropic/test_messages.py compares them."""
SAMPLING = ("temperature", "top_p", "top_k")
"""What older models took, and the API version 2026-10-21 refuses."""
CONTENT_TYPES = ("text", "image")


@dataclass
class MessageRequest:
    """What the stand-in needs of a request that is in order."""

    name: str
    model: Model
    tokens_max: int
    thinking: Thinking
    schema: dict[str, Any] | None
    tool: dict[str, Any] | None
    messages: int = 0
    text_characters: int = 0
    images: list[tuple[str, object]] = field(default_factory=list)  # where in the request, and the source


def read(body: object) -> MessageRequest:
    """Return the request, checked.

    Raises:
        ApiError: 400 or 404 as the service answers it, for the first thing that is wrong.
    """
    if not isinstance(body, dict):
        raise invalid("The request body is not valid JSON: expected an object")
    for name in SAMPLING:
        if name in body:
            raise invalid(f"`{name}` is deprecated for this model.")
    if unknown := sorted(body.keys() - PARAMETERS):
        raise invalid(f"{unknown[0]}: Extra inputs are not permitted")
    for name in ("model", "max_tokens", "messages"):
        if name not in body:
            raise required(name)
    name, tokens_max = body["model"], body["max_tokens"]
    model = find_model(name) if isinstance(name, str) else None
    if model is None:
        raise not_found(f"model: {name}")
    _check_bound(name, model, tokens_max)
    check_options(body)
    request = MessageRequest(name, model, tokens_max, thinking_of(body), output_schema(body), tool_of(body))
    request.text_characters += _system(body.get("system"))
    _read_messages(request, body["messages"])
    return request


def _check_bound(name: str, model: Model, tokens_max: object) -> None:
    if not isinstance(tokens_max, int) or isinstance(tokens_max, bool):
        raise invalid("max_tokens: Input should be a valid integer")
    if tokens_max < 1:
        raise invalid("max_tokens: must be greater than or equal to 1")
    if tokens_max > model.output_max:
        limit = f"which is the maximum allowed number of output tokens for {name}"
        raise invalid(f"max_tokens: {tokens_max} > {model.output_max}, {limit}")


def _system(system: object) -> int:
    if system is None:
        return 0
    if isinstance(system, str):
        return len(system)
    if not isinstance(system, list):
        raise invalid("system: Input should be a valid string or list")
    return sum(_text(block, f"system.{number}") for number, block in enumerate(system))


def _read_messages(request: MessageRequest, messages: object) -> None:
    if not isinstance(messages, list):
        raise invalid("messages: Input should be a valid list")
    if not messages:
        raise invalid("messages: at least one message is required")
    for number, message in enumerate(messages):
        _read_message(request, message, f"messages.{number}")
    if messages[-1]["role"] == "assistant":
        raise invalid(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    request.messages = len(messages)


def _read_message(request: MessageRequest, message: object, where: str) -> None:
    if not isinstance(message, dict):
        raise invalid(f"{where}: Input should be an object")
    if message.get("role") not in {"user", "assistant"}:
        raise invalid(f"{where}.role: Input should be 'user' or 'assistant'")
    content = message.get("content")
    if isinstance(content, str) and content:
        request.text_characters += len(content)
    elif isinstance(content, list) and content:
        for number, block in enumerate(content):
            _read_block(request, block, f"{where}.content.{number}")
    else:
        raise invalid(f"{where}: all messages must have non-empty content")


def _read_block(request: MessageRequest, block: object, where: str) -> None:
    kind = block.get("type") if isinstance(block, dict) else None
    if not isinstance(block, dict) or kind not in CONTENT_TYPES:
        expected = "does not match any of the expected tags that the stand-in serves: 'text', 'image'"
        raise invalid(f"{where}: Input tag '{kind}' found using 'type' {expected}")
    if kind == "text":
        request.text_characters += _text(block, where)
    else:
        request.images.append((f"{where}.image", block.get("source")))


def _text(block: object, where: str) -> int:
    text = block.get("text") if isinstance(block, dict) else None
    if not isinstance(text, str):
        raise required(f"{where}.text")
    if not text:
        raise invalid(f"{where}: text content blocks must be non-empty")
    return len(text)
