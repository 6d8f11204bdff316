"""Removals: one for each member of each team."""

from functions.core.teams.removals import Removal
from tests.builders import NOW


def test_each_removal_has_a_name_that_can_be_a_documents() -> None:
    """Whatever characters a user's id has."""
    names = {Removal(team_id=team, uid=uid, at=NOW, next_at=NOW).name for team in "ab" for uid in ("x", "a/é")}
    assert len(names) == 4
    assert all(name.isalnum() for name in names)
