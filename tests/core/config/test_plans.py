"""What a wallet's plan allows."""

import pytest

from functions.core.config.plans import Plans


@pytest.mark.parametrize(("plan", "priority"), [("free", 0), ("plus", 1), ("pro", 2), ("gold", 0), ("of", 0), ("", 0)])
def test_a_plan_that_there_is_not_is_the_free_one(plan: str, priority: int) -> None:
    """A wallet may name any plan; what is not on the list gives nothing for free."""
    assert Plans().of(plan).priority == priority
