"""Documents that cannot be read, and what can be read of them all the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from functions.core.shared.records import Record, problems

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class DamagedDocument:
    """A damaged document: its path, the first bad field, empty for the whole, and why; never its value, which may be
    anybody's. `version` guards the write that sets it aside."""

    path: str
    field: str
    problem: str
    version: datetime | None = None

    def __str__(self) -> str:
        """Return it in one line, for operators."""
        return f"{self.path}: {self.field or 'the document'}: {self.problem}"


def mapping(stored: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """Return the map in a stored field; an empty one, if it is none."""
    value = stored.get(field)
    return value if isinstance(value, Mapping) else {}


def strings(stored: Mapping[str, Any], field: str) -> list[str]:
    """Return the texts in a stored list; none, if it is none."""
    value = stored.get(field)
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def salvaged(model: type[R], stored: Mapping[str, Any], path: str) -> tuple[R, tuple[DamagedDocument, ...]]:
    """Return the readable part of a record whose fields all have defaults, and what is wrong with the rest. For figures
    that are written anew, for which no call must fail."""
    try:
        return model.model_validate(stored), ()
    except ValidationError as error:
        wrong = {each["loc"][0] for each in error.errors(include_url=False, include_input=False)}
        told = tuple(DamagedDocument(path, field, problem) for field, problem in problems(error))
        return model.model_validate({name: value for name, value in stored.items() if name not in wrong}), told
