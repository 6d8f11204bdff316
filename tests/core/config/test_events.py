"""The operators' calendar."""

from datetime import date

import pytest
from pydantic import ValidationError

from functions.core.config.events import Event


def test_an_event_lasts_a_day_at_least() -> None:
    """The last day is no earlier than the first."""
    day, before = date(2026, 12, 24), date(2026, 12, 23)
    assert Event(name="sale", since=day, until=day, percent=200).percent == 200
    with pytest.raises(ValidationError, match="an event ends before it begins"):
        Event(name="sale", since=day, until=before, percent=200)
