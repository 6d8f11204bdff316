"""Answers a message request: request in, message object out, with the usage a caller is billed for."""

import json
import math
from typing import Any

from localcloud.anthropic import request as requests
from localcloud.anthropic.images import open_image
from localcloud.anthropic.options import Thinking
from localcloud.anthropic.request import MessageRequest
from localcloud.anthropic.settings import Settings
from localcloud.anthropic.tokens import (
    CHARACTERS_PER_TOKEN,
    SCHEMA_PROMPT_TOKENS,
    TOKENS_PER_MESSAGE,
    TOOL_PROMPT_TOKENS,
    image_tokens,
    text_tokens,
)
from localcloud.openai import answers
from localcloud.openai.images import Gallery, Picture
from localcloud.openai.instances import fill
from localcloud.standins.faults import Fault

THOUGHT = "The picture is looked at from all sides before anything is said of it. " * 10


def complete(
    body: object,
    gallery: Gallery,
    *,
    message_id: str,
    tool_use_id: str,
    settings: Settings,
    tier: str = "standard",
    fault: Fault | None = None,
) -> dict[str, Any]:
    """Return a `message` object.

    Args:
        body: The request's JSON.
        gallery: Where the images of the request are opened.
        message_id: `msg_...`.
        tool_use_id: `toolu_...`, for an answer that calls a tool.
        settings: What `usage` is to report of the cache.
        tier: The `service_tier` of the answer: `standard` or `batch`.
        fault: What goes wrong with the answer, if anything.

    Raises:
        ApiError: the request is not in order, or an image is not.
    """
    request = requests.read(body)
    pictures = [open_image(gallery, where, source) for where, source in request.images]
    blocks, stop_reason = _content(request, pictures[0] if pictures else gallery.unseen(), tool_use_id)
    thinking = _thought() if request.thinking is Thinking.ADAPTIVE else None
    if fault is not None:
        blocks, stop_reason = _spoilt(fault, request, blocks, stop_reason)
    if thinking is not None:
        blocks = [thinking, *blocks]
    if _said(blocks) > request.tokens_max:
        blocks, stop_reason = _cut(blocks, request.tokens_max), "max_tokens"
    refused = {"type": "refusal", "category": None, "explanation": None} if stop_reason == "refusal" else None
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": request.name,
        "content": blocks,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "stop_details": refused,
        "container": None,
        "usage": _usage(input_tokens(request, pictures), _said(blocks), settings, tier),
    }


def input_tokens(request: MessageRequest, pictures: list[Picture]) -> int:
    """Return what the request counts: texts, the schema and the hidden prompt that explains it, images."""
    count = text_tokens(request.text_characters) + request.messages * TOKENS_PER_MESSAGE
    for schema, prompt in ((request.schema, SCHEMA_PROMPT_TOKENS), (request.tool, TOOL_PROMPT_TOKENS)):
        if schema is not None:
            count += text_tokens(len(json.dumps(schema, separators=(",", ":")))) + prompt
    return count + sum(image_tokens(request.model, picture.width, picture.height) for picture in pictures)


def _content(request: MessageRequest, picture: Picture, tool_use_id: str) -> tuple[list[dict[str, Any]], str]:
    if request.tool is not None:
        given = fill(request.tool["input_schema"], picture.wish, picture.seed)
        return [{"type": "tool_use", "id": tool_use_id, "name": request.tool["name"], "input": given}], "tool_use"
    if request.schema is not None:
        return [_text(answers.structured(request.schema, picture.wish, picture.seed))], "end_turn"
    return [_text(answers.as_prose(picture.wish))], "end_turn"


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text, "citations": None}


def _thought() -> dict[str, Any]:
    return {"type": "thinking", "thinking": THOUGHT, "signature": "c3RhbmQtaW4="}


def _spoilt(
    fault: Fault, request: MessageRequest, blocks: list[dict[str, Any]], stop_reason: str
) -> tuple[list[dict[str, Any]], str]:
    text = str(blocks[0].get("text", ""))
    match fault.kind:
        case "empty_content":
            return [], stop_reason
        case "refusal":
            return [], "refusal"
        case "cut_answer":
            return [_text(text[: len(text) // 2])], "max_tokens"
        case "fenced_answer":
            return [_text(f"Here is the answer:\n```json\n{text}\n```")], stop_reason
        case "answer_text":
            return [_text(fault.text)], stop_reason
        case "enum_capitals":
            return [
                _text(json.dumps(_capitals(json.loads(text), _enums(request.schema)), ensure_ascii=False))
            ], stop_reason
        case _:
            raise ValueError(f"{fault.kind} is not a fault of an answer")


def _enums(schema: object) -> set[str]:
    if isinstance(schema, dict):
        own = {value for value in schema.get("enum", []) if isinstance(value, str)}
        return own.union(*(_enums(child) for child in schema.values()))
    return set().union(*(_enums(child) for child in schema)) if isinstance(schema, list) else set()


def _capitals(value: object, enums: set[str]) -> object:
    if isinstance(value, dict):
        return {name: _capitals(child, enums) for name, child in value.items()}
    if isinstance(value, list):
        return [_capitals(child, enums) for child in value]
    return value.upper() if isinstance(value, str) and value in enums else value


def _cut(blocks: list[dict[str, Any]], tokens_max: int) -> list[dict[str, Any]]:
    kept, left = [], math.floor(tokens_max * CHARACTERS_PER_TOKEN)
    for block in blocks:
        field = "thinking" if block["type"] == "thinking" else "text"
        if left <= 0 or field not in block:
            break
        kept.append({**block, field: block[field][:left]})
        left -= len(block[field])
    return kept


def _said(blocks: list[dict[str, Any]]) -> int:
    characters = 0
    for block in blocks:
        given = json.dumps(block["input"]) if block["type"] == "tool_use" else ""
        characters += len(given) + len(block.get("text", "")) + len(block.get("thinking", ""))
    return text_tokens(characters)


def _usage(tokens: int, output: int, settings: Settings, tier: str) -> dict[str, Any]:
    read = min(settings.cache_read_tokens, tokens)
    written = min(settings.cache_write_tokens, tokens - read)
    return {
        "input_tokens": tokens - read - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "service_tier": tier,
        "inference_geo": "global",
        "server_tool_use": None,
    }
