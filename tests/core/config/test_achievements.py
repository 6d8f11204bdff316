"""Achievements as an operator sets them."""

import pytest
from pydantic import ValidationError

from functions.core.config.achievements import Achievement, AchievementRules, Counter


def test_two_of_one_name_are_refused() -> None:
    """Only one of them could ever be unlocked."""
    each = Achievement(name="beginner", counter=Counter.SCANS, at_least=2)
    with pytest.raises(ValidationError):
        AchievementRules(rules=(each, each))
