"""Answers a chat completion: request in, completion object out, with the usage a caller is billed for."""

from typing import Any

from localcloud.openai import answers, chat_request
from localcloud.openai.chat_request import ChatRequest
from localcloud.openai.images import Gallery, Picture
from localcloud.openai.tokens import (
    CHARACTERS_PER_TOKEN,
    TOKENS_OF_REPLY_PRIMING,
    TOKENS_PER_MESSAGE,
    image_tokens,
    text_tokens,
)
from localcloud.standins.faults import Fault

FINGERPRINT = "fp_standin"
REFUSAL = "I'm sorry, but I can't help with that."


def complete(
    body: object,
    gallery: Gallery,
    *,
    completion_id: str,
    created: int,
    cached_tokens: int = 0,
    fault: Fault | None = None,
) -> dict[str, Any]:
    """Return a `chat.completion` object.

    Args:
        body: The request's JSON.
        gallery: Where the images of the request are opened.
        completion_id: `chatcmpl-...`.
        created: Seconds since 1970.
        cached_tokens: How many prompt tokens to report as read from the cache, at most.
        fault: What goes wrong with the answer, if anything.

    Raises:
        ApiError: the request is not in order, or an image is not.
    """
    request = chat_request.read(body)
    pictures = [gallery.open(image.url) for image in request.images]
    content = _content(request, pictures[0] if pictures else gallery.unseen())
    finish_reason = "stop"
    if request.tokens_max is not None and text_tokens(len(content)) > request.tokens_max:
        content, finish_reason = content[: request.tokens_max * CHARACTERS_PER_TOKEN], "length"
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None, "annotations": []}
    choices: list[dict[str, Any]] = [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}]
    if fault is not None:
        choices = _spoilt(fault, choices)
    said = "".join(choice["message"]["content"] or choice["message"]["refusal"] or "" for choice in choices)
    return {
        "id": completion_id,
        "object": "chat.completion",
        "created": created,
        "model": request.model,
        "choices": choices,
        "usage": _usage(prompt_tokens(request, pictures), text_tokens(len(said)), cached_tokens),
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }


def prompt_tokens(request: ChatRequest, pictures: list[Picture]) -> int:
    """Return what the request counts: its texts, the schema it carries, and its images by the model's formula."""
    count = text_tokens(request.text_characters) + text_tokens(request.schema_characters)
    count += request.messages * TOKENS_PER_MESSAGE + TOKENS_OF_REPLY_PRIMING
    for image, picture in zip(request.images, pictures, strict=True):
        count += image_tokens(request.counting, picture.width, picture.height, image.detail)
    return count


def _content(request: ChatRequest, picture: Picture) -> str:
    if request.schema is not None:
        return answers.structured(request.schema, picture.wish, picture.seed)
    return answers.as_json(picture.wish) if request.format == "json_object" else answers.as_prose(picture.wish)


def _spoilt(fault: Fault, choices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    choice = choices[0]
    message = choice["message"]
    content: str = message["content"]
    match fault.kind:
        case "empty_choices":
            return []
        case "refusal":
            message["content"], message["refusal"] = None, REFUSAL
        case "cut_answer":
            message["content"], choice["finish_reason"] = content[: len(content) // 2], "length"
        case "fenced_answer":
            message["content"] = f"Sure! Here is the answer:\n```json\n{content}\n```\nLet me know if it helps."
        case "answer_text":
            message["content"] = fault.text
        case _:
            raise ValueError(f"{fault.kind} is not a fault of an answer")
    return choices


def _usage(prompt: int, completion: int, cached: int) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": min(cached, prompt), "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
