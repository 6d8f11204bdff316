"""What members are shown of their team."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.wallet.team_wallet import Role, require_member, shown_member

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from functions.core.wallet.team_wallet import Member, TeamWallet
    from functions.wiring import Deps


def shown_team(team: TeamWallet | None, uid: str, deps: Deps) -> dict[str, Any]:
    """Return a team as this member sees it: JSON. An associate, who spends none of its tokens, sees neither them nor
    who else is in it. Raises TeamNotFound."""
    found, member = require_member(team, uid)
    now, associate = deps.clock(), member.role is Role.ASSOCIATE
    return {
        "teamId": found.team_id,
        "name": found.name,
        "plan": found.plan,
        "balance": None if associate else found.balance,
        "purchased": None if associate else found.purchased,
        "role": member.role,
        "members": shown_members([(uid, member)] if associate else found.spenders.items(), now),
        "associateCount": None if associate else found.associate_count,
        "associates": [],
        "nextCursor": None,
        "recent": [] if associate else [entry.as_json() for entry in found.recent],
    }


def shown_members(members: Iterable[tuple[str, Member]], now: datetime) -> list[dict[str, Any]]:
    """Return what is shown of these members: JSON."""
    return [{"uid": uid, **shown_member(member, now)} for uid, member in sorted(members, key=lambda each: each[0])]
