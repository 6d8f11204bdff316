"""What holds of every answer of every callable."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.answers import every_answer

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
TIMES = re.compile(r".+(At|Until)|estimatedCompletion|ts|since|until")
"""Fields that hold a time."""


def leaves(value: Any, field: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what is not made of parts, with the name of the field that it is in."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from leaves(part, name)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part, field)
    else:
        yield field, value


def looks_like_a_time(value: Any) -> bool:
    """Tell whether this is a moment in some form of ISO 8601; a day is none."""
    try:
        return isinstance(value, str) and len(value) > len("2026-11-21") and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed"])
def test_times_have_one_form(monkeypatch: pytest.MonkeyPatch, *, closed: bool) -> None:
    """ISO 8601 in UTC with a Z, in answers and in the details of refusals, whoever makes the text of it."""
    seen = set()
    for name, answer in every_answer(monkeypatch, closed=closed).items():
        for field, value in leaves(answer):
            if looks_like_a_time(value) or (TIMES.fullmatch(field) and value is not None):
                assert isinstance(value, str), f"{name}: {field} is {value!r}"
                assert TIME.fullmatch(value), f"{name}: {field} is {value!r}; see iso_text in core/shared/utc_days.py"
                seen.add(field)
    expected = {"createdAt", "estimatedCompletion", "nextRefreshAt", "ts"}
    assert seen >= expected | ({"opensAt", "pausedUntil", "resetsAt", "until"} if closed else {"classifiedAt"})
