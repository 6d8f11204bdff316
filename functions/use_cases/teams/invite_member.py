"""`invite_member`: a code that lets one user into the team."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions.core.shared.records import Request, TeamId
from functions.core.shared.utc_days import iso_text
from functions.core.teams.invites import INVITE_LIFETIME, Invite, InviteKey, code_for, invite_id, invited
from functions.core.wallet.team_wallet import Role
from functions.use_cases.teams.limits import MonthlyLimit

if TYPE_CHECKING:
    from functions.wiring import Deps


class InviteMember(Request):
    """What whoever comes may do, and the tokens that they may spend in a month. The code is made of `request_id`."""

    request_id: InviteKey
    team_id: TeamId
    role: Annotated[Role, Field(strict=False)] = Role.MEMBER
    monthly_limit: MonthlyLimit


def invite_member(request: InviteMember, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the `code`, which one user can join with until `expiresAt`. A repeated key returns the same one.

    Raises:
        TeamNotFound, NotTeamAdmin: owners invite, and admins ordinary members.
        KeyReused: the key belongs to an invite with another role or limit.
    """
    code = code_for(request.team_id, uid, request.request_id)
    wanted = Invite(
        team_id=request.team_id,
        role=request.role,
        monthly_limit=request.monthly_limit,
        invited_by=uid,
        expire_at=deps.clock() + INVITE_LIFETIME,
    )
    kept = deps.store.keep_invite(invite_id(code), request.team_id, lambda team, stored: invited(team, stored, wanted))
    return {"code": code, "expiresAt": iso_text(kept.expire_at)}
