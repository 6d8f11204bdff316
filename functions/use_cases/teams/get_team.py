"""`get_team`: a team as its members see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.shared.records import Request, TeamId
from functions.use_cases.teams.shown import shown_team

if TYPE_CHECKING:
    from functions.wiring import Deps


class GetTeam(Request):
    """Which team. The caller's are `teams` in `users/{uid}`."""

    team_id: TeamId


def get_team(request: GetTeam, uid: str, deps: Deps) -> dict[str, Any]:
    """Return name, plan, tokens, members with what each has spent this month, and the last entries. Raises
    TeamNotFound."""
    return shown_team(deps.store.get_team(request.team_id), uid, deps)
