"""`join_team`: a user takes an invite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.shared.records import Request
from functions.core.teams.invites import InviteCode, accepted, invite_id, without_invite
from functions.core.teams.teams import with_team
from functions.use_cases.teams.shown import shown_team

if TYPE_CHECKING:
    from functions.adapters.firestore import Entry
    from functions.core.wallet.team_wallet import TeamWallet
    from functions.wiring import Deps


class JoinTeam(Request):
    """The code that somebody has sent."""

    code: InviteCode


def join_team(request: JoinTeam, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the team, see `get_team`. Joining again returns it again.

    Raises:
        InviteInvalid: there is no such invite; it is over, was used, or whoever made it may invite nobody any more.
        TeamFull: the team has too many members, or the caller is in too many teams.
    """
    now, code_id = deps.clock(), invite_id(request.code)
    invite = deps.store.get_invite(code_id)
    if invite is None:
        raise without_invite()

    def decide(entry: Entry) -> tuple[TeamWallet, tuple[str, ...]]:
        team = accepted(entry.team, entry.invite, uid, entry.wallet, now, entry.counters)
        return team, with_team(entry.teams, team.team_id)

    return shown_team(deps.store.enter_team(invite.team_id, uid, decide, code_id), uid, deps)
