"""What is believed of a model's answer. A photo may show a sticker that tells the model what to write, and a model may
contradict itself: neither goes to a user under the app's name as if it were certain."""

import re
from collections.abc import Iterable

from functions.core.model.classification import Answer, Category, DisposalMethod
from functions.core.model.parsing import Unusable
from functions.core.shared.plain_text import cleaned, sends_away

_SPECIAL = frozenset({Category.HAZARDOUS, Category.MEDICAL})
_DANGEROUS_LEVEL = 4
_SENTENCE_END = re.compile("(?<=[.!?])\\s+|(?<=[\u3002\uff01\uff1f])\\s*")
"""A point in Chinese and Japanese is followed by no space."""


def trusted(answer: Answer) -> Answer:
    """Return an answer in plain text without sentences that have a link, an address or a phone number. Such an answer,
    and one that contradicts itself, is for review. Raises Unusable if its name or steps are left empty."""
    left_out = False

    def line(text: str) -> str:
        nonlocal left_out
        plain = cleaned(text)
        if not sends_away(plain):
            return plain
        left_out = True
        return " ".join(sentence for sentence in _SENTENCE_END.split(plain) if not sends_away(sentence)).strip()

    def lines(texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(filter(None, map(line, texts)))

    name, disposal = line(answer.item_name), answer.disposal
    steps = lines(disposal.steps)
    if not name or not steps:
        raise Unusable("the answer sends its reader elsewhere, or shows nothing")
    alternatives = [
        each.model_copy(update={"subcategory": line(each.subcategory), "reason": line(each.reason)})
        for each in answer.alternatives
    ]
    plain = {
        "item_name": name,
        "subcategory": line(answer.subcategory) or answer.category.value,
        "explanation": line(answer.explanation) or name,
        "materials": lines(answer.materials),
        "alternatives": tuple(each for each in alternatives if each.subcategory and each.reason),
        "disposal": disposal.model_copy(
            update={
                "steps": steps,
                "timeframe": line(disposal.timeframe or "") or None,
                "location": line(disposal.location or "") or None,
                "warnings": lines(disposal.warnings),
                "tips": lines(disposal.tips),
            }
        ),
    }
    needs_review = answer.needs_review or left_out or contradicts_itself(answer)
    return answer.model_copy(update={**plain, "needs_review": needs_review})


def contradicts_itself(answer: Answer) -> bool:
    """Whether an answer says two things of which one must be wrong, and the wrong one could do harm."""
    method, special = answer.disposal.primary_method, answer.category in _SPECIAL
    dangerous = special or answer.hazard_level >= _DANGEROUS_LEVEL
    return (
        _for_somebody_else(method, answer.category)
        or (dangerous and (answer.is_compostable or method in {DisposalMethod.COMPOST, DisposalMethod.DONATE}))
        or (special and not answer.requires_special_disposal)
        or (method is DisposalMethod.COMPOST and not answer.is_compostable)
        or (method is DisposalMethod.RECYCLE and not answer.is_recyclable)
        or (answer.category is Category.NON_WASTE and answer.hazard_level >= _DANGEROUS_LEVEL)
    )


def _for_somebody_else(method: DisposalMethod, category: Category) -> bool:
    """Whether a way of disposal is for another category's things."""
    meant = {DisposalMethod.HAZARDOUS: Category.HAZARDOUS, DisposalMethod.MEDICAL: Category.MEDICAL}.get(method)
    return meant is not None and category not in {meant, *_SPECIAL}
