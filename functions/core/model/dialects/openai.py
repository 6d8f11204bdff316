"""OpenAI's dialect, chat completions, which many other servers speak: what is asked, and what an answer comes to."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from functions.core.model.classification import answer_schema
from functions.core.model.parsing import Completion
from functions.core.model.prompts import OUTPUT_TOKENS_MAX, PROMPT_VERSION, PROMPTS, place_and_language
from functions.core.model.usage import Usage

REASONING_EFFORT = {
    "gpt-6-luna": "none",
    "gpt-5.6-luna": "none",
    "gpt-5.4-nano": "none",
    "gpt-5.4-mini": "none",
    "gpt-5-nano": "minimal",
    "gpt-5-mini": "minimal",
}
"""The least reasoning a model can be asked for: sorting a photo needs none, and it is billed as output."""

_RESPONSE_FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "waste", "strict": True, "schema": answer_schema()},
}


def completion_request(
    model: str,
    image_url: str,
    region: str,
    language: str,
    *,
    prompt: str = PROMPT_VERSION,
    identifier: str | None = None,
) -> dict[str, Any]:
    """Return the body of a chat completion for one photo, sent at once or as a line of a batch file. Fixed parts come
    first, for providers' prompt caches. `prompt` is a version of PROMPTS, `identifier` the `safety_identifier`, None
    for a server without that field."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [
            {"role": "system", "content": PROMPTS[prompt]},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": place_and_language(region, language)},
                    {"type": "image_url", "image_url": {"url": image_url, "detail": "high"}},
                ],
            },
        ],
        "response_format": _RESPONSE_FORMAT,
        "max_completion_tokens": OUTPUT_TOKENS_MAX,
    }
    if identifier is not None:
        body["safety_identifier"] = identifier
    if model in REASONING_EFFORT:
        body["reasoning_effort"] = REASONING_EFFORT[model]
    return body


BATCH_FRAME = (b"", b"", b"")
"""What stands before, between and after the lines of a batch's input file."""


def batch_line(custom_id: str, body: dict[str, Any]) -> bytes:
    """Return one line of a batch input file, newline included."""
    line = {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def error_of(body: object) -> object:
    """Return the error in what was sent with a success's status; None if there is none. OpenRouter, proxies and vLLM
    answer 200 with an error object, or with an empty completion, if they asked no model. Without choices and usage no
    model answered, and nobody bills."""
    if not isinstance(body, Mapping):
        return {}
    if body.get("choices") is not None:
        return None
    return body.get("error") or (None if body.get("usage") else {})


def read_completion(body: Mapping[str, Any]) -> Completion:
    """Reduce the body of a chat completion response. Shapes that are not documented are problems, not crashes."""
    usage = _usage(body.get("usage"))
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(choice, Mapping) or not isinstance(message, Mapping):
        return Completion(None, "the answer has no choices", usage)
    if message.get("refusal"):
        return Completion(None, "the model refused", usage, refused=True)
    ended = "error" if choice.get("error") else choice.get("finish_reason")
    if isinstance(ended, str) and ended in _ENDED_BADLY:
        return Completion(None, _ENDED_BADLY[ended], usage, refused=ended == "content_filter")
    text = _content(message.get("content"))
    if not text.strip():
        return Completion(None, "the answer is empty", usage)
    return Completion(text, None, usage)


_ENDED_BADLY = {
    "length": "the answer was cut at the token limit",
    "content_filter": "the provider's content filter stopped the answer",
    "error": "the provider broke off the answer",
}
"""What is not an answer, even if its text looks complete, by its `finish_reason`; the last one is OpenRouter's."""


def _content(content: object) -> str:
    """Return a message's text; of one in parts those that are text, without those that are thought."""
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, Mapping) and part.get("type") == "text"]
        return "".join(part["text"] for part in parts if isinstance(part.get("text"), str))
    return content if isinstance(content, str) else ""


def _usage(usage: object) -> Usage | None:
    """Read a usage block; None if it is absent or absurd, which the caller must not take for free."""
    if not isinstance(usage, Mapping):
        return None
    details = usage.get("prompt_tokens_details") or {}
    try:
        read = Usage(
            input_tokens=usage.get("prompt_tokens"),
            cached_tokens=details.get("cached_tokens") or 0,
            cache_write_tokens=details.get("cache_write_tokens") or 0,
            output_tokens=usage.get("completion_tokens"),
        )
    except (ValidationError, AttributeError):
        return None
    return read if read.cached_tokens + read.cache_write_tokens <= read.input_tokens else None
