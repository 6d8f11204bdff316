"""`create_team`: a team with one member, its owner, and no tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import StringConstraints

from functions.core.shared.errors import InvalidRequest
from functions.core.shared.plain_text import cleaned, sends_away
from functions.core.shared.records import Request, RequestId
from functions.core.teams.teams import founded, new_member, team_id_for, with_team
from functions.core.wallet.team_wallet import Role
from functions.use_cases.teams.shown import shown_team

if TYPE_CHECKING:
    from functions.adapters.firestore import Entry
    from functions.core.wallet.team_wallet import TeamWallet
    from functions.wiring import Deps


class CreateTeam(Request):
    """How the team is called. `request_id` is the idempotency key."""

    request_id: RequestId
    name: Annotated[str, StringConstraints(min_length=1, max_length=60)]


def create_team(request: CreateTeam, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the team, see `get_team`. A repeated key returns the same one.

    Raises:
        InvalidRequest: the name shows nothing, or sends its readers somewhere: those who are invited see it.
        TeamFull: the caller is in too many teams.
        KeyReused: the key belongs to another name, or to a team that the caller has left.
    """
    name, now = cleaned(request.name), deps.clock()
    if not name or sends_away(name):
        raise InvalidRequest("name: must be a name, without links, addresses and numbers to call.", field="name")
    team_id = team_id_for(uid, request.request_id)

    def decide(entry: Entry) -> tuple[TeamWallet, tuple[str, ...]]:
        owner = new_member(Role.OWNER, None, entry.wallet, now)
        return founded(entry.team, team_id, name, owner, uid, now), with_team(entry.teams, team_id)

    return shown_team(deps.store.enter_team(team_id, uid, decide), uid, deps)
