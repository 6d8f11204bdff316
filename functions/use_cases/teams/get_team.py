"""`get_team`: a team as its members see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions.core.shared.records import Request, TeamId, Uid
from functions.core.teams.teams import require_admin
from functions.use_cases.teams.shown import shown_members, shown_team

if TYPE_CHECKING:
    from functions.wiring import Deps


class GetTeam(Request):
    """Which team, and how many of its associates; `cursor` is the `nextCursor` of the page before. The caller's teams
    are `teams` in `users/{uid}`."""

    team_id: TeamId
    limit: Annotated[int, Field(ge=0, le=100)] = 0
    cursor: Uid | None = None


def get_team(request: GetTeam, uid: str, deps: Deps) -> dict[str, Any]:
    """Return name, plan, tokens, members with what each has spent this month, and the last entries; for an associate
    name and plan, and of the members the caller. With a `limit`, a page of `associates`, and `nextCursor`, which is
    null when there are no more.

    Raises:
        TeamNotFound: the caller is in no such team.
        NotTeamAdmin: owners and admins are shown its associates.
    """
    team = deps.store.get_team(request.team_id, uid)
    shown = shown_team(team, uid, deps)
    if not request.limit:
        return shown
    require_admin(team, uid)
    page = deps.store.list_associates(request.team_id, request.cursor, request.limit)
    uids = [uid for uid, _ in page] + [each.path.rpartition("/")[2] for each in page.damaged]
    associates = shown_members(page, deps.clock())
    return {**shown, "associates": associates, "nextCursor": max(uids) if len(uids) == request.limit else None}
