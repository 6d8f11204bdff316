"""Anthropic's dialect, messages and batches of them: what is asked, what an answer comes to, and whose fault a refusal
is.

https://platform.claude.com/docs/en/api/messages and .../api/errors
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from functions.core.model.classification import answer_schema
from functions.core.model.parsing import Completion
from functions.core.model.prompts import OUTPUT_TOKENS_MAX, PROMPT_VERSION, PROMPTS, place_and_language
from functions.core.model.provider_errors import Trouble, trouble_of
from functions.core.model.refusals import THING_REFUSED_STATUS, ProviderError, error_in_success, refused
from functions.core.model.usage import Usage

REFUSED_KEYWORDS = frozenset({"minimum", "maximum", "maxItems"})
"""Of the schema's, a 400 at Anthropic wherever they stand. `Answer` checks these bounds anyway."""

NOT_BILLED_STATUS = frozenset({500, 503, 529})
"""What Anthropic itself says that it has not done; 529 is overloaded. A gateway's 502 or 504 leaves that open."""


def _without_bounds(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_bounds(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {key: _without_bounds(each) for key, each in node.items() if key not in REFUSED_KEYWORDS}


_OUTPUT = {"format": {"type": "json_schema", "schema": _without_bounds(answer_schema())}}


def completion_request(
    model: str,
    image_url: str,
    region: str,
    language: str,
    *,
    prompt: str = PROMPT_VERSION,
    identifier: str | None = None,
) -> dict[str, Any]:
    """Return the body of a message for one photo; see `dialects.openai.completion_request`.

    Thinking is on unless it is switched off, and would spend `max_tokens`. Where it is computed is said, since a
    workspace's own default may cost more. Sampling parameters are a 400.
    """
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": OUTPUT_TOKENS_MAX,
        "system": PROMPTS[prompt],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": place_and_language(region, language)},
                    {"type": "image", "source": _source(image_url)},
                ],
            }
        ],
        "output_config": _OUTPUT,
        "thinking": {"type": "disabled"},
        "inference_geo": "global",
    }
    if identifier is not None:
        body["metadata"] = {"user_id": identifier}
    return body


def _source(image_url: str) -> dict[str, str]:
    """Return where the image is: in the request itself, from a data URL, or behind a link."""
    if not image_url.startswith("data:"):
        return {"type": "url", "url": image_url}
    media_type, _, data = image_url.removeprefix("data:").partition(";base64,")
    return {"type": "base64", "media_type": media_type, "data": data}


BATCH_FRAME = (b'{"requests":[', b",\n", b"]}")
"""What stands before, between and after the lines of a batch's input file, which is the body of one request."""


def batch_line(custom_id: str, body: dict[str, Any]) -> bytes:
    """Return one request of a batch's input file."""
    return json.dumps({"custom_id": custom_id, "params": body}, ensure_ascii=False, separators=(",", ":")).encode()


def read_completion(body: object) -> Completion:
    """Reduce a message to its text. Raises ProviderError for an error, or anything else, that came with the status of a
    success."""
    if not isinstance(body, Mapping) or not isinstance(body.get("content"), list):
        reported = body if isinstance(body, Mapping) else {}
        raise error_in_success(reported.get("error"), billed=bool(reported.get("usage")))
    usage, ended = _usage(body.get("usage")), body.get("stop_reason")
    if ended == "refusal":
        return Completion(None, "the model refused", usage, refused=True)
    if str(ended) not in _ENDED_WELL:
        return Completion(None, _ENDED_BADLY.get(str(ended), "the answer ended in an unknown way"), usage)
    parts = [part for part in body["content"] if isinstance(part, Mapping) and part.get("type") == "text"]
    text = "".join(part["text"] for part in parts if isinstance(part.get("text"), str))
    return Completion(text, None, usage) if text.strip() else Completion(None, "the answer is empty", usage)


_ENDED_WELL = frozenset({"end_turn", "stop_sequence"})

_ENDED_BADLY = {
    "max_tokens": "the answer was cut at the token limit",
    "model_context_window_exceeded": "the answer was cut at the token limit",
    "tool_use": "the model called a tool",
    "pause_turn": "the model paused",
}
"""What is no answer, even if its text looks complete, by its `stop_reason`."""


def _usage(usage: object) -> Usage | None:
    """Read a usage block; None if it is absent or absurd. `input_tokens` is without what was read from the cache or
    written to it; `output_tokens` contains thoughts. A refusal before any output reports tokens that may not be billed,
    by its category: they are booked, which errs on the safe side."""
    if not isinstance(usage, Mapping):
        return None
    read, written = usage.get("cache_read_input_tokens") or 0, usage.get("cache_creation_input_tokens") or 0
    try:
        return Usage(
            input_tokens=usage["input_tokens"] + read + written,
            cached_tokens=read,
            cache_write_tokens=written,
            output_tokens=usage.get("output_tokens"),
        )
    except (ValidationError, KeyError, TypeError):
        return None


def refusal(status: int, body: object, retry_after: str = "", *, about_a_thing: bool = False) -> ProviderError:
    """Return what a refusal comes to: whose fault it is, whether it may be billed, and when another try makes sense.
    `body` is the answer's JSON, anything else if it was none. With `about_a_thing`, a batch, "not found" is a refusal
    of that alone."""
    code, trouble = _cause(_error_in(body))
    if trouble is None:
        # A page of somebody's in between. Its 413 is about our request: photos are made small before they are sent.
        trouble = Trouble.CONFIGURATION if status == 413 else trouble_of(status)
    thing = about_a_thing and status in THING_REFUSED_STATUS and trouble is Trouble.CONFIGURATION and code is not None
    billed = status >= 500 and status not in NOT_BILLED_STATUS
    return refused(status, trouble, code, retry_after, billed=billed, itself=thing)


def trouble_in(body: object) -> tuple[Trouble, str | None]:
    """Return what the error of a batch's request means, and the word to look it up by: it comes without a status."""
    code, trouble = _cause(_error_in(body))
    return trouble or Trouble.OVERLOADED, code


def _error_in(body: object) -> Mapping[str, Any]:
    error = body.get("error") if isinstance(body, Mapping) else None
    return error if isinstance(error, Mapping) else {}


def _cause(error: Mapping[str, Any]) -> tuple[str | None, Trouble | None]:
    """Return the word to look an error up by, and what it means: `details.error_code` before the message, whose text
    may change, and that before the type."""
    details, kind = error.get("details"), error.get("type")
    code = details.get("error_code") if isinstance(details, Mapping) else None
    if isinstance(code, str) and code in _CODES:
        return code, _CODES[code]
    if not isinstance(kind, str) or kind not in _TYPES:
        return None, None
    if kind == "invalid_request_error":
        message = str(error.get("message"))
        return kind, next((trouble for words, trouble in _MESSAGES if words.search(message)), _TYPES[kind])
    return kind, _TYPES[kind]


_CODES: Mapping[str, Trouble] = {
    "image_dimensions_too_large": Trouble.PHOTO,
    "enforced_spend_limit_reached": Trouble.QUOTA,
    "ramp_limit_exceeded": Trouble.OVERLOADED,
}

_TYPES: Mapping[str, Trouble] = {
    "invalid_request_error": Trouble.CONFIGURATION,
    "authentication_error": Trouble.KEY_REFUSED,
    "permission_error": Trouble.KEY_REFUSED,
    "billing_error": Trouble.QUOTA,
    "not_found_error": Trouble.CONFIGURATION,
    "request_too_large": Trouble.CONFIGURATION,
    "rate_limit_error": Trouble.OVERLOADED,
    "api_error": Trouble.OVERLOADED,
    "timeout_error": Trouble.OVERLOADED,
    "overloaded_error": Trouble.OVERLOADED,
}

_MESSAGES = (
    (re.compile(r"usage limits|credit balance", re.IGNORECASE), Trouble.QUOTA),
    (
        re.compile(r"could not process image|image exceeds|image dimensions|image does not match", re.IGNORECASE),
        Trouble.PHOTO,
    ),
)
"""What an `invalid_request_error` is about: a photo only in words about a photo."""
