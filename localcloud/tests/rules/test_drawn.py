"""Conditions drawn at random are decided as by Google's engine. `python -m localcloud.tests.rules.drawn` draws more."""

import pytest

from localcloud.tests.rules.drawn import differences
from localcloud.tests.rules.google import google_rules


@pytest.mark.parametrize("seed", [1, 2])
def test_both_engines_decide_alike(seed: int) -> None:
    """Allowed, denied, without a value or refused: each of 200 files of rules is the same to both."""
    with google_rules() as google:
        found = [f"{here}, Google: {there}\n{asked.rules}" for asked, here, there in differences(google, seed, 200)]
    assert found == []
