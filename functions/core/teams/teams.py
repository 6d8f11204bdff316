"""Who is in a team and may do what. Each change is a new wallet of the team, for one transaction.

    owner      may do all, to all
    admin      invites members and associates, and changes and removes those who are no more than that
    member     spends, sees, leaves
    associate  gets tokens of the team's, returns them, leaves; is a document beside the team's wallet

A team has an owner as long as it has members, of any role. Who asks for what is there already gets it again, unchanged.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.core.shared.errors import InvalidRequest, KeyReused
from functions.core.shared.idempotency import require_same_payload
from functions.core.teams.refusals import LastOwner, NotTeamAdmin, TeamFull
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Reason, Wallet, empty_wallet
from functions.core.wallet.team_wallet import (
    ASSOCIATES_MAX,
    MEMBERS_MAX,
    Counters,
    Member,
    Role,
    TeamWallet,
    require_member,
)

TEAMS_MAX = 10
"""Of one user: what leaving the app, and a block, has to look at."""


@dataclass(frozen=True)
class Change:
    """What one member is to become. None leaves it as it is; `remove` takes the member out."""

    role: Role | None = None
    monthly_limit: int | None = None
    no_limit: bool = False
    remove: bool = False

    @property
    def contradicts(self) -> bool:
        """Whether it asks for nothing, or for two things that exclude each other."""
        new_limit = self.monthly_limit is not None
        changes = self.role is not None or new_limit or self.no_limit
        return changes == self.remove or (new_limit and self.no_limit)


def team_id_for(uid: str, request_id: str) -> str:
    """Return the id of the team that this request founds: one key is one team, per user."""
    return hashlib.sha256(f"team\n{uid}\n{request_id}".encode()).hexdigest()[:32]


def founded(stored: TeamWallet | None, team_id: str, name: str, owner: Member, uid: str, now: datetime) -> TeamWallet:
    """Return a new team, which has no tokens; one that is there already as it is. Raises KeyReused if it had another
    name, or its founder has left it, also if it is closed since."""
    if stored is None:
        fields = {**empty_wallet(now).model_dump(), "team_id": team_id, "name": name, "members": {uid: owner}}
        return TeamWallet.model_validate(fields)
    require_same_payload({"name": stored.name}, {"name": name})
    if uid not in stored.members:
        raise KeyReused("This requestId was used for a team that you have left. Use a new one.", field="requestId")
    return stored


def with_team(teams: Sequence[str], team_id: str) -> tuple[str, ...]:
    """Return a user's teams with this one. Raises TeamFull for one too many."""
    if team_id not in teams and len(teams) >= TEAMS_MAX:
        raise TeamFull(f"You can be in {TEAMS_MAX} teams. Leave one first.", limit=TEAMS_MAX, of="user")
    return (*(each for each in teams if each != team_id), team_id)


def new_member(
    role: Role, monthly_limit: int | None, wallet: Wallet | None, now: datetime, before: Counters | None = None
) -> Member:
    """Return a member who comes in now, or comes back with the counters of `before`. An operator's block comes
    along."""
    blocked_at = wallet.blocked_at if wallet else None
    counters = {name: getattr(before, name) for name in Counters.model_fields} if before else {}
    return Member(role=role, joined_at=now, monthly_limit=monthly_limit, blocked_at=blocked_at, **counters)


def joined(team: TeamWallet, uid: str, member: Member) -> TeamWallet:
    """Return the team with one more member; an ordinary one for whom there is no room becomes an associate. Raises
    TeamFull."""
    if member.role is Role.MEMBER and len(team.spenders) >= MEMBERS_MAX:
        member = member.model_copy(update={"role": Role.ASSOCIATE})
    return _with_room(team.with_members({**team.members, uid: member}))


def _with_room(team: TeamWallet) -> TeamWallet:
    """Return the team, if it has room for all. Raises TeamFull."""
    if len(team.spenders) > MEMBERS_MAX:
        text = f"A team can have {MEMBERS_MAX} members who spend its tokens, and associates besides."
        raise TeamFull(text, limit=MEMBERS_MAX, of="team")
    if team.associate_count > ASSOCIATES_MAX:
        raise TeamFull(f"A team can have {ASSOCIATES_MAX} associates.", limit=ASSOCIATES_MAX, of="team")
    return team


def require_admin(team: TeamWallet | None, uid: str) -> TeamWallet:
    """Return the team of an owner or admin. Raises TeamNotFound, NotTeamAdmin."""
    found, member = require_member(team, uid)
    if member.role not in {Role.OWNER, Role.ADMIN}:
        raise _not_allowed(member)
    return found


def changed(stored: TeamWallet | None, by: str, uid: str, change: Change, now: datetime) -> TeamWallet | None:
    """Return the team after a change of one member by another, or by the member. Who is no member, or no more, is
    removed already, and has left already. An associate who becomes something else begins to spend now.

    Raises:
        TeamNotFound: whoever asks is not in the team.
        NotTeamAdmin: it takes an owner; or an admin, for those who are neither, and who stay so.
        LastOwner: nobody would be left who may do all.
        TeamFull: there is no room for one more who spends, or for one more associate.
        InvalidRequest: the user to be changed is not in the team.
    """
    leaves = change.remove and by == uid
    if leaves and (stored is None or uid not in stored.members):
        return stored
    team, asking = require_member(stored, by)
    member = team.members.get(uid)
    if asking.role not in {Role.OWNER, Role.ADMIN} and not leaves:
        raise _not_allowed(asking)
    if member is None:
        if change.remove:
            return team
        raise InvalidRequest("uid: this user is not in the team.", field="uid")
    over = {member.role, change.role} & {Role.OWNER, Role.ADMIN}
    if asking.role is not Role.OWNER and over and not leaves:
        raise _not_allowed(asking)
    others = {other: each for other, each in team.members.items() if other != uid}
    stays = None if change.remove else _with(member, change, now)
    if member.role is Role.OWNER and (stays is None or stays.role is not Role.OWNER) and not _owned(others):
        raise LastOwner("The team needs an owner. Make somebody else one first.")
    return team.with_members(others) if stays is None else _with_room(team.with_members({**team.members, uid: stays}))


def with_block(team: TeamWallet | None, uid: str, at: datetime | None) -> TeamWallet | None:
    """Return the team in which an operator takes no photos from this member since then, or takes them again."""
    if team is None or uid not in team.members:
        return team
    return team.with_members({**team.members, uid: team.members[uid].model_copy(update={"blocked_at": at})})


def without_user(team: TeamWallet, uid: str, now: datetime) -> Account:
    """Return the team of a user who leaves the app, which nothing may keep them from. If nobody else could do all, the
    one who has been an admin for longest becomes its owner, or else the member who has been there for longest. A team
    without members is closed, and its tokens are given up. If only associates are left, one of them has to be laid
    in."""
    members = {other: each for other, each in team.members.items() if other != uid}
    if members and not _owned(members):
        heirs = [each for each in members if members[each].role is Role.ADMIN] or list(members)
        heir = min(heirs, key=lambda each: (members[each].joined_at, each))
        members[heir] = members[heir].model_copy(update={"role": Role.OWNER})
    left = Account(team.with_members(members))
    if members:
        return left
    closed = left.post(-team.free, Reason.CLOSE, None, now, points=-team.points, bought=-team.purchased)
    return closed.with_fields(closed_at=now, standing=None)


def _with(member: Member, change: Change, now: datetime) -> Member:
    limit = None if change.no_limit else member.monthly_limit if change.monthly_limit is None else change.monthly_limit
    role = change.role or member.role
    joined_at = now if member.role is Role.ASSOCIATE and role is not Role.ASSOCIATE else member.joined_at
    return member.model_copy(update={"role": role, "monthly_limit": limit, "joined_at": joined_at})


def _owned(members: dict[str, Member]) -> bool:
    return any(each.role is Role.OWNER for each in members.values())


def _not_allowed(member: Member) -> NotTeamAdmin:
    return NotTeamAdmin("This takes an owner of the team, or an admin for ordinary members.", role=member.role)
