"""Fields of an answer, put into the schema's types where their meaning is certain; the schema refuses the others."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from functions.core.model.classification import Alternative, Answer, Category, Disposal, DisposalMethod
from functions.core.shared.records import Record

Fields = dict[str, Any]

ALTERNATIVES_MAX = 3

_YES = ("true", "yes", "y", "ja", "oui", "sí", "si", "sim", "sì", "да", "evet", "tak", "はい", "是", "예", "हाँ", "نعم")
_NO = ("false", "no", "n", "nein", "nee", "non", "não", "нет", "hayır", "nie", "いいえ", "否", "아니요", "नहीं", "لا")  # noqa: RUF001
_WORDS = {**dict.fromkeys(_YES, True), **dict.fromkeys(_NO, False)}
"""Models that write their texts in the user's language write yes and no in it, too."""

_NOTHING = frozenset({"", "null", "none", "nil", "n/a", "not applicable", "-", "–", "—"})  # noqa: RUF001


def named(model: type[Record], data: Mapping[str, Any]) -> Fields:
    """Return the fields of an object under their own names, however these are written: `item_name`, `Item Name`."""
    names = _names(model)
    return {names.get(folded(name), name): value for name, value in data.items()}


@cache
def _names(model: type[Record]) -> Mapping[str, str]:
    """Return a model's field names by their folded forms."""
    return {folded(field.alias or name): field.alias or name for name, field in model.model_fields.items()}


def answer_fields(data: Mapping[str, Any]) -> Fields:
    """Return the fields of an answer as its schema wants them, as far as their meaning is certain."""
    fields = named(Answer, data)
    disposal, alternatives = fields.get("disposal"), fields.get("alternatives")
    return {
        **fields,
        **{name: _text(fields.get(name)) for name in ("itemName", "subcategory", "explanation")},
        "category": _one_of(Category, fields.get("category")),
        "confidence": _number(fields.get("confidence")),
        "hazardLevel": _number(fields.get("hazardLevel")),
        "recyclingCode": _recycling_code(fields.get("recyclingCode")),
        "materials": _texts(fields.get("materials")),
        **{
            name: _boolean(fields.get(name))
            for name in ("needsReview", "isRecyclable", "isCompostable", "requiresSpecialDisposal")
        },
        "disposal": _disposal(disposal) if isinstance(disposal, Mapping) else disposal,
        "alternatives": _alternatives(alternatives),
    }


def _disposal(data: Mapping[str, Any]) -> Fields:
    fields = named(Disposal, data)
    return {
        **fields,
        "primaryMethod": _one_of(DisposalMethod, fields.get("primaryMethod")),
        "steps": _steps(fields.get("steps")),
        "warnings": _texts(fields.get("warnings")),
        "tips": _texts(fields.get("tips")),
        "urgent": _boolean(fields.get("urgent")),
        "timeframe": _text_or_none(fields.get("timeframe")),
        "location": _text_or_none(fields.get("location")),
    }


def _alternatives(value: object) -> object:
    """Read what else it might be: no list is an empty one, and beyond the first three nobody reads on."""
    if _is_nothing(value):
        return []
    if not isinstance(value, list):
        return value
    return [_alternative(item) for item in value if not _is_nothing(item)][:ALTERNATIVES_MAX]


def _alternative(item: object) -> object:
    if not isinstance(item, Mapping):
        return item
    fields = named(Alternative, item)
    return {
        **fields,
        **{name: _text(fields.get(name)) for name in ("subcategory", "reason")},
        "category": _one_of(Category, fields.get("category")),
        "confidence": _number(fields.get("confidence")),
    }


def folded(text: str) -> str:
    """Return a text without what separates words, and without case."""
    return re.sub(r"[\W_]", "", text).casefold()


def _one_of(options: type[Category] | type[DisposalMethod], value: object) -> object:
    """Match a closed set without regard to case, spaces and what joins words."""
    if not isinstance(value, str):
        return value
    return next((option for option in options if folded(option.value) == folded(value)), value)


def _boolean(value: object) -> object:
    return _WORDS.get(value.strip(" .\n").casefold(), value) if isinstance(value, str) else value


def _number(value: object) -> object:
    """Read a number written as text; "85%" and "0,85" are 0.85. A bare 85 is ambiguous: it stays, and is refused."""
    if isinstance(value, bool):
        return str(value)  # true is no 1: as text it is refused
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+(?:[.,]\d+)?)\s*(%?)\s*", value)
    if match is None:
        return value
    number = float(match[1].replace(",", "."))
    return number / 100 if match[2] else number


def _recycling_code(value: object) -> object:
    """Read "PET 1", "1" or "#1": text that holds exactly one digit from 1 to 7 and no other number."""
    if isinstance(value, bool):
        return str(value)
    if _is_nothing(value):
        return None
    if not isinstance(value, str):
        return value
    numbers = re.findall(r"\d+", value)
    return int(numbers[0]) if len(numbers) == 1 and len(numbers[0]) == 1 else value


def _is_nothing(value: object) -> bool:
    """Whether this says that there is nothing: no value, an empty one, or a word for none."""
    return value in (None, [], {}) or (isinstance(value, str) and value.strip().casefold() in _NOTHING)


def _text(value: object) -> object:
    """Read a text that is given in parts."""
    parts = _without_nothing(value) if isinstance(value, list) else value
    if isinstance(parts, list) and parts and all(isinstance(part, str) for part in parts):
        return " ".join(part.strip() for part in parts)
    return value


def _text_or_none(value: object) -> object:
    return None if _is_nothing(value) else _text(value)


def _texts(value: object) -> object:
    """Read a list without its empty items. A missing one is empty; a text is split at commas, or as steps are."""
    if _is_nothing(value):
        return []
    if isinstance(value, str):
        return _steps(value) if re.search(r"[\n.!?。]", value) else _without_nothing(value.split(","))
    return _without_nothing(value)


def _steps(value: object) -> object:
    """Read steps, without what is empty among them; those given as one text: a line each, or numbered."""
    if not isinstance(value, str):
        return _without_nothing(value)
    parts = re.split(r"\n+|(?:^|\s)\d+[.)]\s+", value)
    return _without_nothing([part.strip(" -*•") for part in parts])


def _without_nothing(value: object) -> object:
    if not isinstance(value, list):
        return value
    return [item.strip() if isinstance(item, str) else item for item in value if not _is_nothing(item)]
