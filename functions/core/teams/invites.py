"""Invites: a code lets one user into a team, within a week. Stored under the code's hash: whoever reads a document, or
a copy of it, cannot join.

The code is made of the invite's `requestId`, so a repeated call answers with the same code; that is why it has to be a
long random one.
"""

import base64
import hashlib
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime

from functions.core.shared.idempotency import require_same_payload
from functions.core.shared.records import Form, Open, Record
from functions.core.teams.refusals import InviteInvalid, NotTeamAdmin
from functions.core.teams.teams import joined, new_member, require_admin
from functions.core.wallet.ledger import Wallet
from functions.core.wallet.team_wallet import ORDINARY, Counters, Role, TeamWallet

INVITE_LIFETIME = timedelta(days=7)

InviteKey = Annotated[str, Form(r"[A-Za-z0-9_-]{20,64}", "must be 20 to 64 random letters, digits, _ and -")]
"""A `requestId` that nobody guesses: a UUID has 36 characters."""

InviteCode = Annotated[str, Form(r"[A-Z2-7]{26}", "must be an invite's code, as invite_member answered with it")]


class Invite(Record):
    """What an invite lets somebody become, and who has: stored under `invite_id`."""

    team_id: str
    role: Open[Role]
    monthly_limit: int | None
    invited_by: str
    used_by: str | None = None
    expire_at: AwareDatetime


def code_for(team_id: str, uid: str, key: str) -> str:
    """Return the code of the invite that this request makes: 128 bits."""
    digest = hashlib.sha256(f"invite\n{team_id}\n{uid}\n{key}".encode()).digest()[:16]
    return base64.b32encode(digest).decode().rstrip("=")


def invite_id(code: str) -> str:
    """Return what an invite is stored under."""
    return hashlib.sha256(f"invite\n{code}".encode()).hexdigest()[:32]


def invited(team: TeamWallet | None, stored: Invite | None, wanted: Invite) -> Invite:
    """Return the invite to store, or the one that is stored. Raises TeamNotFound; NotTeamAdmin, also for an admin who
    invites one; KeyReused."""
    found = require_admin(team, wanted.invited_by)
    role = found.members[wanted.invited_by].role
    if role is not Role.OWNER and wanted.role not in ORDINARY:
        raise NotTeamAdmin("Only an owner invites owners and admins.", role=role)
    if stored is not None:
        require_same_payload(_payload(stored), _payload(wanted))
    return stored or wanted


def _payload(invite: Invite) -> dict[str, object]:
    return {"role": invite.role, "monthlyLimit": invite.monthly_limit}


def without_invite() -> InviteInvalid:
    """Return the refusal, the same whatever is wrong: codes cannot be probed."""
    return InviteInvalid("This invite is not valid, or not any more. Ask for another one.")


def accepted(
    team: TeamWallet | None,
    invite: Invite | None,
    uid: str,
    wallet: Wallet | None,
    now: datetime,
    before: Counters | None = None,
) -> TeamWallet:
    """Return the team with the invited user in it, who may have been there `before`; one who is in it already changes
    nothing. Raises InviteInvalid, TeamFull."""
    if team is None or invite is None or invite.used_by not in {None, uid}:
        raise without_invite()
    if uid in team.members:
        return team
    by = team.members.get(invite.invited_by)
    may = by is not None and (by.role is Role.OWNER or (by.role is Role.ADMIN and invite.role in ORDINARY))
    if invite.used_by == uid or invite.expire_at <= now or not may:
        raise without_invite()
    role = invite.role if isinstance(invite.role, Role) else Role.MEMBER
    return joined(team, uid, new_member(role, invite.monthly_limit, wallet, now, before))
