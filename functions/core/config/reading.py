"""What a stored section of the config comes to when not all of it can be read."""

from collections.abc import Mapping
from typing import TypeVar

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from functions.core.shared.records import Record, problems

OVERRIDE = ("overrideMode", "overrideUntil")
"""Half of one, or one that cannot be read, counts for none: it never lifted a limit."""

R = TypeVar("R", bound=Record)


def readable(stored: object, last: R, where: str = "") -> tuple[R, list[str]]:
    """Return a section, or the whole document, as far as it is valid, and what is wrong, by dotted field. A field out
    of range keeps its value of `last`; fields that disagree all do."""
    model, found = type(last), _errors(type(last), stored)
    if not found:
        return model.model_validate(stored), []
    told = [f"{where}{field}: {why}" if field else f"{where.rstrip('.')}: {why}" for field, why in found]
    if not isinstance(stored, Mapping):
        return last, told
    wrong, kept = {field.split(".")[0] for field, _ in found}, dict(stored)
    for name in model.model_fields:
        field, before = to_camel(name), getattr(last, name)
        if field in wrong:
            inner = readable(stored.get(field), before, f"{where}{field}.")[0] if isinstance(before, Record) else before
            kept[field] = inner
    for left_out in ((), OVERRIDE):
        rest = {field: value for field, value in kept.items() if field not in left_out}
        if not _errors(model, rest):
            return model.model_validate(rest), told
    return last, told


def _errors(model: type[Record], stored: object) -> list[tuple[str, str]]:
    try:
        model.model_validate(stored)
    except ValidationError as error:
        return problems(error)
    return []
