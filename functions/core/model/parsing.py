"""From what a provider sent to an answer we can trust, or to the reason why not. Never an invented one.

Lenient where the meaning is certain (`answer_text` has what surrounds and disfigures JSON, `answer_fields` what stands
in its fields), strict everywhere else: a missing category, a cut answer, or two that differ are an `Unusable`, which is
retried; a refusal is one that is not.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from functions.core.model.answer_fields import answer_fields, folded, named
from functions.core.model.answer_text import ANSWER_CHARACTERS_MAX, objects
from functions.core.model.classification import Answer
from functions.core.model.usage import Usage
from functions.core.shared.records import problems


class Unusable(Exception):
    """The provider's answer cannot become a result. The message names the kind, never quotes the answer."""


@dataclass(frozen=True)
class Completion:
    """A chat completion reduced to its text, or why there is none and whether the model, or the provider's filter,
    refuses this photo; and its usage, which is owed anyway."""

    text: str | None
    problem: str | None
    usage: Usage | None
    refused: bool = False


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


def parse_answer(completion: Completion) -> Answer:
    """Return the model's last answer. Raises Unusable if there is none, an earlier one differs, it is not JSON, or an
    important field is missing or uncertain."""
    if completion.text is None:
        raise Unusable(completion.problem or "the answer is empty")
    if len(completion.text) > ANSWER_CHARACTERS_MAX:
        raise Unusable(f"the answer is longer than {ANSWER_CHARACTERS_MAX} characters")
    found = objects(completion.text)
    if not found:
        raise Unusable("the answer holds no JSON")
    # Chatter has braces of its own: what names no item is looked at only if nothing else is there.
    likely = [data for written, data in found if "itemname" in folded(written)]
    *drafts, last = likely or [data for _, data in found]
    answer = _read(last)
    for draft in drafts:
        with suppress(Unusable):
            if _read(draft) != answer:
                break
    else:
        return answer
    raise Unusable("there is more than one answer, and they differ")


def _read(data: dict[str, Any] | str) -> Answer:
    if isinstance(data, str):
        raise Unusable(data)
    try:
        return Answer.model_validate(answer_fields(_unwrapped(data)))
    except ValidationError as error:
        names = sorted({name for name, _ in problems(error)})
        raise Unusable(f"the answer's fields are not usable: {', '.join(names[:5])}") from error


def _unwrapped(data: dict[str, Any]) -> dict[str, Any]:
    """Return the answer in an object that holds nothing else, such as {"result": [answer]}."""
    inner = data
    while "itemName" not in named(Answer, inner):
        values = [part for value in inner.values() for part in (value if isinstance(value, list) else [value])]
        parts = [value for value in values if isinstance(value, dict)]
        if len(parts) != 1:
            return data
        inner = parts[0]
    return inner
