"""What an operator may change of tokens."""

import pytest
from pydantic import ValidationError

from functions.core.config.tokens import TokenRules


def test_the_defaults_can_be_paid_for() -> None:
    """A new user can pay for two instant photos, or ten later ones."""
    rules = TokenRules()
    assert (rules.welcome // rules.instant_price, rules.welcome // rules.batch_price) == (2, 10)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"instant_price": 201}, "nobody could ever hold enough"),
        ({"welcome": 201}, "nobody could ever hold enough"),
        ({"instant_price": 2, "batch_price": 3}, "the slow lane is the cheap one"),
        ({"surge": [{"queued_above": 10, "percent": 99}]}, "greater than or equal to 100"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, object], says: str) -> None:
    """Each value may be in its range, and the whole be a mistake."""
    with pytest.raises(ValidationError, match=says):
        TokenRules.model_validate(changes)
