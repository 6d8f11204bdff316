"""`change_member`: another role, another limit, or out of the team; for oneself, leaving.

Whoever is out, or an associate, spends nothing from the commit on. What they have queued is cancelled after it, and the
team gets its tokens back: here what there is time for, the rest by `recover_jobs`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions.core.shared.errors import InvalidRequest
from functions.core.shared.records import Request, TeamId, Uid
from functions.core.teams.removals import Removal
from functions.core.teams.teams import Change, changed
from functions.core.wallet.team_wallet import Role
from functions.use_cases.jobs.removed_members import cancel_queued
from functions.use_cases.teams.limits import MonthlyLimit
from functions.use_cases.teams.shown import shown_team

if TYPE_CHECKING:
    from functions.core.wallet.team_wallet import TeamWallet
    from functions.wiring import Deps

CANCEL_TIME = timedelta(seconds=8)
"""Of a call that has 25 s for Firestore."""


class ChangeMember(Request):
    """Which member of which team, and what they are to become: a `role`, a `monthly_limit` or none (`no_limit`), or no
    member any more (`remove`)."""

    team_id: TeamId
    uid: Uid
    role: Annotated[Role, Field(strict=False)] | None = None
    monthly_limit: MonthlyLimit | None = None
    no_limit: bool = False
    remove: bool = False


def change_member(request: ChangeMember, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the `team`, see `get_team`, null for whoever has left it; and how many queued photos were `cancelled`.
    Calling again changes nothing.

    Raises:
        TeamNotFound: the caller is in no such team.
        NotTeamAdmin: owners change everybody, admins ordinary members, and everybody may leave.
        LastOwner: the team would have no owner.
        TeamFull: there is no room for one more who spends, or for one more associate.
        InvalidRequest: the user is not in the team; or nothing is to change, or two things that exclude each other.
    """
    change = Change(request.role, request.monthly_limit, no_limit=request.no_limit, remove=request.remove)
    if change.contradicts:
        raise InvalidRequest("remove: give a role, a monthlyLimit or noLimit, or remove.", field="remove")
    until = deps.clock() + CANCEL_TIME

    def decide(stored: TeamWallet | None) -> tuple[TeamWallet | None, Removal | None]:
        now = deps.clock()  # after the team was read: what it was charged for until then is older
        removal = Removal(team_id=request.team_id, uid=request.uid, at=now, next_at=now)
        spends_no_more = change.remove or change.role is Role.ASSOCIATE
        return changed(stored, uid, request.uid, change, now), removal if spends_no_more else None

    team, removal = deps.store.change_team(request.team_id, request.uid, decide)
    cancelled = cancel_queued(removal, until, deps) if removal else 0
    shown = shown_team(team, uid, deps) if team and uid in team.members else None
    return {"team": shown, "cancelled": cancelled}
