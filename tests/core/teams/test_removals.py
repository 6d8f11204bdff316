"""Removals: one for each time that a member of a team is removed."""

from datetime import timedelta

from functions.core.teams.removals import Removal
from tests.builders import NOW


def test_each_removal_has_a_name_that_can_be_a_documents() -> None:
    """Whatever characters a user's id has."""
    times = (NOW, NOW + timedelta(days=1))
    every = [(team, uid, at) for team in "ab" for uid in ("x", "a/é") for at in times]
    names = {Removal(team_id=team, uid=uid, at=at, next_at=NOW).name for team, uid, at in every}
    assert len(names) == 8
    assert all(name.isalnum() for name in names)
