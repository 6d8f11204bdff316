"""`set_leaderboard`: a user, or a team, takes part under a name, changes it, or takes part no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions.core.leaderboard.names import checked_name
from functions.core.refresh.refresh import credit_due
from functions.core.shared.errors import InvalidRequest
from functions.core.shared.records import Request, TeamId
from functions.core.teams.teams import require_admin
from functions.core.wallet.quotas import require_not_blocked
from functions.core.wallet.standing import joined
from functions.core.wallet.team_wallet import TeamWallet

if TYPE_CHECKING:
    from functions.core.wallet.accounts import Account
    from functions.core.wallet.ledger import Wallet
    from functions.wiring import Deps


class SetLeaderboard(Request):
    """Whether to take part, and under which name. `team`: that team takes part, and not the user."""

    listed: bool
    team: TeamId | None = None
    display_name: Annotated[str, Field(max_length=100)] | None = None


def set_leaderboard(request: SetLeaderboard, uid: str, deps: Deps) -> dict[str, Any]:
    """Return whether the user, or the team, is `listed`, the `displayName` as it is shown, and since when (`joinedAt`).
    Who leaves is on no board any more; who joins is on them within an hour. Doing it again changes nothing.

    Raises:
        InvalidRequest: this is no name that can be shown, or none is given.
        AccountBlocked: an operator has blocked the account; it can leave.
        TeamNotFound, NotTeamAdmin: for a team this takes an owner or admin of it.
    """
    now, runtime = deps.clock(), deps.runtime()
    if request.listed and request.display_name is None:
        raise InvalidRequest("displayName: is missing.", field="displayName")
    name = checked_name(request.display_name or "", runtime.leaderboard.words) if request.listed else None

    def decide(wallet: Wallet | None) -> Account | None:
        if isinstance(wallet, TeamWallet):
            require_admin(wallet, uid)
        standing = wallet.standing if wallet else None
        if name == (standing.name if standing else None):
            return None
        account = credit_due(wallet, uid, runtime, now)
        if name is None:
            return account.with_fields(standing=None)
        require_not_blocked(account.wallet)
        if standing is None:
            return account.with_fields(standing=joined(name, account.wallet.points, now))
        return account.with_fields(standing=standing.model_copy(update={"name": name}))

    wallet = deps.store.change_standing(uid, decide, request.team)
    standing = wallet.standing if wallet else None
    return {
        "listed": standing is not None,
        "displayName": standing.name if standing else None,
        "joinedAt": standing.as_json(include={"joined_at"})["joinedAt"] if standing else None,
    }
