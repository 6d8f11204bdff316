"""From what a provider sent to an answer we can trust, or to the reason why not. Never an invented one.

Lenient where the meaning is certain (a code fence around the JSON, a comment in it, "yes" for true, "PET 1" for 1, a
list as comma text), strict everywhere else: a missing category, a refusal or a cut answer is an `Unusable`, which is
retried.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from functions.core.classification import Answer, Category, DisposalMethod
from functions.core.records import problems
from functions.core.usage import Usage

ANSWER_CHARACTERS_MAX = 20_000
"""No honest answer comes near; it bounds the work that a hostile or broken one can cause."""

_WORDS = {"true": True, "yes": True, "y": True, "false": False, "no": False, "n": False}

_JSON_TOKEN = re.compile(r'"(?>(?:[^"\\]|\\.)*)(?:"|\\?\Z)|//[^\n]*|/\*(?>(?:[^*]|\*(?!/))*)(?:\*/|\Z)|[{}]', re.DOTALL)
"""A string is one token, so that what looks like a comment or a brace inside it (`https://…`) is left alone. The groups
are atomic: a hostile answer costs one pass. Possessive quantifiers would say the same, and miss comments in 3.11.2."""


class Unusable(Exception):
    """The provider answered, and the answer cannot become a result. The message names the kind, never quotes the
    answer."""


@dataclass(frozen=True)
class Completion:
    """A chat completion reduced to what we act on: its text, or why there is none; and what it cost, which is owed
    anyway."""

    text: str | None
    problem: str | None
    usage: Usage | None


def read_completion(body: Mapping[str, Any]) -> Completion:
    """Reduce the body of a chat completion response. Shapes that are not documented are problems, not crashes."""
    usage = _usage(body.get("usage"))
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(choice, Mapping) or not isinstance(message, Mapping):
        return Completion(None, "the answer has no choices", usage)
    if message.get("refusal"):
        return Completion(None, "the model refused", usage)
    if choice.get("finish_reason") == "length":
        return Completion(None, "the answer was cut at the token limit", usage)
    if choice.get("finish_reason") == "content_filter":
        return Completion(None, "the provider's content filter stopped the answer", usage)
    text = message.get("content")
    if not isinstance(text, str) or not text.strip():
        return Completion(None, "the answer is empty", usage)
    return Completion(text, None, usage)


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
    """Return the answer in a completion.

    Raises:
        Unusable: there is none, it is not JSON, or a field that matters is missing or not certain.
    """
    if completion.text is None:
        raise Unusable(completion.problem or "the answer is empty")
    data = _json_object(completion.text)
    try:
        return Answer.model_validate(_repaired(data))
    except ValidationError as error:
        fields = sorted({field for field, _ in problems(error)})
        raise Unusable(f"the answer's fields are not usable: {', '.join(fields[:5])}") from error


def _json_object(text: str) -> dict[str, Any]:
    """Find the JSON object in a text that may hold chatter, a code fence or comments around and inside it."""
    if len(text) > ANSWER_CHARACTERS_MAX:
        raise Unusable(f"the answer is longer than {ANSWER_CHARACTERS_MAX} characters")
    start = text.find("{")
    if start < 0:
        raise Unusable("the answer holds no JSON")
    depth, position, kept = 0, start, []
    for token in _JSON_TOKEN.finditer(text, start):
        if token.group().startswith("/"):
            kept.append(text[position : token.start()])
            position = token.end()
        depth += {"{": 1, "}": -1}.get(token.group(), 0)
        if depth == 0 and token.group() == "}":
            kept.append(text[position : token.end()])
            break
    else:
        raise Unusable("the answer's JSON does not end")
    try:
        data: dict[str, Any] = json.loads("".join(kept))
    except (ValueError, RecursionError) as error:
        raise Unusable("the answer is not valid JSON") from error
    return data


def _repaired(data: Mapping[str, Any]) -> dict[str, Any]:
    """Put values whose meaning is certain into the type that the schema wants; leave the others for it to refuse."""
    disposal = data.get("disposal")
    alternatives = data.get("alternatives")
    return {
        **data,
        "category": _one_of(Category, data.get("category")),
        "confidence": _number(data.get("confidence")),
        "hazardLevel": _number(data.get("hazardLevel")),
        "recyclingCode": _recycling_code(data.get("recyclingCode")),
        "materials": _texts(data.get("materials")),
        **{
            name: _boolean(data.get(name))
            for name in ("needsReview", "isRecyclable", "isCompostable", "requiresSpecialDisposal")
        },
        "disposal": _repaired_disposal(disposal) if isinstance(disposal, Mapping) else disposal,
        "alternatives": [
            {**item, "category": _one_of(Category, item.get("category")), "confidence": _number(item.get("confidence"))}
            if isinstance(item, Mapping)
            else item
            for item in alternatives
        ]
        if isinstance(alternatives, list)
        else alternatives,
    }


def _repaired_disposal(disposal: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **disposal,
        "primaryMethod": _one_of(DisposalMethod, disposal.get("primaryMethod")),
        "steps": _steps(disposal.get("steps")),
        "warnings": _texts(disposal.get("warnings")),
        "tips": _texts(disposal.get("tips")),
        "urgent": _boolean(disposal.get("urgent")),
        "timeframe": disposal.get("timeframe") or None,
        "location": disposal.get("location") or None,
    }


def _one_of(options: type[Category] | type[DisposalMethod], value: object) -> object:
    """Match a closed set without regard to case and surrounding space."""
    if not isinstance(value, str):
        return value
    folded = value.strip().casefold()
    return next((option for option in options if option.value.casefold() == folded), value)


def _boolean(value: object) -> object:
    return _WORDS.get(value.strip().casefold(), value) if isinstance(value, str) else value


def _number(value: object) -> object:
    """Read a number written as text; "85%" is 0.85. A bare 85 could mean anything and is left to be refused."""
    if isinstance(value, bool):
        return str(value)  # true is no 1: as text it is refused
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*", value)
    if match is None:
        return value
    number = float(match[1])
    return number / 100 if match[2] else number


def _recycling_code(value: object) -> object:
    """Read "PET 1", "1" or "#1": text that holds exactly one digit from 1 to 7 and no other number."""
    if isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        return value
    if value.strip().casefold() in {"", "null", "none", "n/a"}:
        return None
    numbers = re.findall(r"\d+", value)
    return int(numbers[0]) if len(numbers) == 1 and len(numbers[0]) == 1 else value


def _texts(value: object) -> object:
    """Read a list given as comma text; no list at all is an empty one."""
    if value is None:
        return []
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]


def _steps(value: object) -> object:
    """Read steps given as one text: a line each, or numbered."""
    if not isinstance(value, str):
        return value
    parts = re.split(r"\n+|(?:^|\s)\d+[.)]\s+", value)
    return [part.strip(" -*•") for part in parts if part.strip(" -*•")]
