"""What a section comes to that cannot be read as a whole."""

import pytest

from functions.core.config.reading import readable
from functions.core.config.runtime import BudgetRules
from functions.core.config.tokens import TokenRules

LAST = TokenRules(instant_price=7, welcome=4)


def test_what_is_in_range_is_read() -> None:
    """And what is not there has its default, whatever it was before."""
    assert readable({"instantPrice": 9}, LAST) == (TokenRules(instant_price=9), [])


def test_a_field_that_is_out_of_range_stays_as_it_was() -> None:
    """It alone, and it is named from the section on."""
    read, wrong = readable({"instantPrice": 0, "welcome": 3}, LAST, "tokens.")
    assert (read.instant_price, read.welcome) == (7, 3)
    assert wrong == ["tokens.instantPrice: must be at least 1"]


@pytest.mark.parametrize(("section", "field"), [("cheap", "tokens"), ({"batchPrice": 9, "instantPrice": 8}, "tokens")])
def test_a_section_that_makes_no_sense_stays_as_it_was(section: object, field: str) -> None:
    """As a whole: nobody can tell which of its fields were meant."""
    read, (wrong,) = readable(section, LAST, "tokens.")
    assert read == LAST
    assert wrong.startswith(f"{field}: ")


def test_half_an_override_is_left_out() -> None:
    """The limits beside it count."""
    read, _ = readable({"dailyLimitMicros": 5, "overrideMode": "closed"}, BudgetRules())
    assert (read.daily_limit_micros, read.override_mode) == (5, None)
