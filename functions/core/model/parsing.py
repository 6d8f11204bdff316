"""From what a provider sent to an answer we can trust, or to the reason why not. Never an invented one.

Lenient where the meaning is certain (`answer_text` has what surrounds and disfigures JSON, `answer_fields` what stands
in its fields), strict everywhere else: a missing category, a cut answer, or two that differ are an `Unusable`, which is
retried; a refusal is one that is not.
"""

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
