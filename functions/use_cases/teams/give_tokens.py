"""`give_tokens`: bought tokens of a member to another one of the team; of the team to a member; or back to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions.core.refresh.refresh import credit_due
from functions.core.shared.idempotency import require_same_payload
from functions.core.shared.records import Request, RequestId, TeamId, Uid
from functions.core.teams.moves import Move, allotted, gift, require_move, returned
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Reason
from functions.core.wallet.team_wallet import wallet_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from functions.core.wallet.ledger import Wallet
    from functions.core.wallet.team_wallet import TeamWallet
    from functions.wiring import Deps


class GiveTokens(Request):
    """How many, and to whom in which team; to the team itself without a `uid`. They are the caller's, or with
    `from_team` the team's. `request_id` is the idempotency key."""

    request_id: RequestId
    team_id: TeamId
    uid: Uid | None = None
    from_team: bool = False
    tokens: Annotated[int, Field(ge=1, le=10_000)]


def give_tokens(request: GiveTokens, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the `entry` of whoever gives as JSON; a repeated key gets the same entry.

    Raises:
        TeamNotFound, NotTeamAdmin, AccountBlocked, InvalidRequest: see `core.teams.moves.require_move`.
        DailyLimit, InsufficientTokens: see `core.teams.moves`.
        KeyReused: the key belongs to another team, receiver, number of tokens or kind of move.
    """
    now, runtime = deps.clock(), deps.runtime()
    move = Move(request.team_id, uid, request.request_id, request.uid, request.tokens, from_team=request.from_team)
    users = [each for each in (None if move.from_team else uid, move.to) if each]
    team_name = wallet_name("", move.team_id)

    def decide(stored: TeamWallet | None, wallets: Sequence[Wallet | None]) -> Mapping[str, Account]:
        team = require_move(move, stored)
        read = dict(zip(users, wallets, strict=True))
        accounts = [  # nobody but the caller is here; but whoever was never here gets a wallet
            Account(wallet) if wallet and each != uid else credit_due(wallet, each, runtime, now)
            for each, wallet in read.items()
        ]
        if move.reason is Reason.ALLOT:
            return dict(zip((team_name, *users), allotted(move, team, accounts[0], now), strict=True))
        if move.reason is Reason.RETURN:
            return dict(zip((*users, team_name), returned(move, accounts[0], team, now), strict=True))
        giver, taker = accounts
        return dict(zip(users, gift(move, giver, taker, runtime.shop.gift_tokens_per_day, now), strict=True))

    entry = deps.store.move_tokens(move, users, decide)
    require_same_payload(entry.detail or {}, move.payload)
    return {"entry": entry.as_json()}
