"""The words that no name contains, as an operator sets them."""

import pytest
from pydantic import ValidationError

from functions.core.config.leaderboard import LeaderboardRules


@pytest.mark.parametrize("word", ["gurke", "gurke*", "गाली", "ÄÖ"])
def test_a_word_of_any_language_is_taken(word: str) -> None:
    """With a star at its end it is a beginning."""
    assert LeaderboardRules(words=(word,)).words == (word,)


@pytest.mark.parametrize("word", ["", "a", "*", "a*b", "two words", "1234", "a_b", "*abc"])
def test_what_is_no_word_is_refused(word: str) -> None:
    """One letter would forbid half of all names."""
    with pytest.raises(ValidationError):
        LeaderboardRules(words=(word,))
