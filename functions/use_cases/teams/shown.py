"""What members are shown of their team."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.wallet.team_wallet import require_member, shown_member

if TYPE_CHECKING:
    from functions.core.wallet.team_wallet import TeamWallet
    from functions.wiring import Deps


def shown_team(team: TeamWallet | None, uid: str, deps: Deps) -> dict[str, Any]:
    """Return a team as this member sees it: JSON. Raises TeamNotFound."""
    found, member = require_member(team, uid)
    now = deps.clock()
    return {
        "teamId": found.team_id,
        "name": found.name,
        "plan": found.plan,
        "balance": found.balance,
        "purchased": found.purchased,
        "role": member.role,
        "members": [{"uid": each, **shown_member(other, now)} for each, other in sorted(found.members.items())],
        "recent": [entry.as_json() for entry in found.recent],
    }
