"""`give_tokens`: a member gives bought tokens to another one of the team, at once and for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions.core.refresh.refresh import credit_due
from functions.core.shared.idempotency import require_same_payload
from functions.core.shared.records import Request, RequestId, TeamId, Uid
from functions.core.teams.moves import Move, gift, require_gift
from functions.core.wallet.accounts import Account

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from functions.core.wallet.ledger import Wallet
    from functions.core.wallet.team_wallet import TeamWallet
    from functions.wiring import Deps


class GiveTokens(Request):
    """How many, and to whom in which team. `request_id` is the idempotency key."""

    request_id: RequestId
    team_id: TeamId
    uid: Uid
    tokens: Annotated[int, Field(ge=1, le=10_000)]


def give_tokens(request: GiveTokens, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the giver's `entry` as JSON; a repeated key gets the same entry.

    Raises:
        TeamNotFound: the caller is not in the team.
        InvalidRequest: the other one is not, or is the caller.
        AccountBlocked, DailyLimit, InsufficientTokens: see `core.teams.moves.gift`.
        KeyReused: the key belongs to another gift.
    """
    now, runtime = deps.clock(), deps.runtime()
    move = Move(request.team_id, uid, request.request_id, request.uid, request.tokens)

    def decide(team: TeamWallet | None, wallets: Sequence[Wallet | None]) -> Mapping[str, Account]:
        require_gift(move, team)
        own, others = wallets
        giver = credit_due(own, move.by, runtime, now)
        taker = Account(others) if others else credit_due(None, move.to, runtime, now)  # who has not come is not here
        after = gift(move, giver, taker, runtime.shop.gift_tokens_per_day, now)
        return dict(zip((move.by, move.to), after, strict=True))

    entry = deps.store.move_tokens(move, (move.by, move.to), decide)
    require_same_payload(entry.detail or {}, move.payload)
    return {"entry": entry.as_json()}
