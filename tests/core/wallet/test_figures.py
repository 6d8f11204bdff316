"""What counts and dates of a wallet can be."""

import pytest
from pydantic import TypeAdapter, ValidationError

from functions.core.wallet.figures import COUNT_MAX, Change, Count, Day


@pytest.mark.parametrize("text", ["2026-11-21", "2026-11", "1970-01-01"])
def test_a_period_is_a_day_or_a_month(text: str) -> None:
    """As it is written."""
    assert TypeAdapter(Day).validate_python(text) == text


@pytest.mark.parametrize("text", ["2026-02-30", "2026-13", "2026", "", "yesterday"])
def test_what_no_calendar_has_is_no_period(text: str) -> None:
    """It would be compared with real ones for ever."""
    with pytest.raises(ValidationError):
        TypeAdapter(Day).validate_python(text)


def test_counts_end_where_the_store_could_not_add_to_them() -> None:
    """And none is negative; a change can be."""
    assert TypeAdapter(Count).validate_python(COUNT_MAX) == COUNT_MAX
    assert TypeAdapter(Change).validate_python(-COUNT_MAX) == -COUNT_MAX
    for beyond in (-1, COUNT_MAX + 1):
        with pytest.raises(ValidationError):
            TypeAdapter(Count).validate_python(beyond)
