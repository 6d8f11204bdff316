"""Queries and commits drawn at random are allowed and denied as by Google's emulator; see `drawn_requests`."""

import pytest

from localcloud.firestore import find_official
from localcloud.tests.rules.drawn_requests import both_servers, differences


@pytest.mark.parametrize("seed", [1, 2])
def test_both_servers_decide_alike(seed: int) -> None:
    """Each of 100 queries and commits gets the same status from both servers."""
    install, reason = find_official()
    if install is None:
        pytest.skip(reason)
    with both_servers() as servers:
        assert list(differences(servers, seed, 100)) == []
