"""Bought tokens that move within a team: two entries of one transaction, whose `bought` sum to zero.

    gift   give:{ref} of one member, got:{ref} of another; so many tokens a UTC day

Free tokens never move, or welcome tokens of many accounts would end in one. A move changes nothing of a payment: if it
is refunded, its payer owes what is gone, and whoever has got tokens keeps them. Tokens that are got pay first what
their wallet owes.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from functions.core.shared.errors import InsufficientTokens, InvalidRequest
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Reason, entry_id, today_of
from functions.core.wallet.quotas import daily_limit, require_not_blocked
from functions.core.wallet.team_wallet import TeamWallet, require_member


@dataclass(frozen=True)
class Move:
    """So many `tokens` of a team's member, who asks `by` a key, `to` another one."""

    team_id: str
    by: str
    key: str
    to: str
    tokens: int

    @property
    def ref(self) -> str:
        """What both entries are named by: keys of several users may be the same, and stand in one ledger."""
        return _digest("move", self.by, self.key)

    @property
    def entry(self) -> str:
        """The id of the entry by which a repeated key is known, in the ledger of whoever gives."""
        return entry_id(Reason.GIVE, self.ref)

    @property
    def payload(self) -> dict[str, str]:
        """What the key is bound to, by the client's names. A ledger names nobody but its owner, who may delete the
        account; so the other one is a digest."""
        return {"teamId": self.team_id, "uid": _digest(self.ref, self.to), "tokens": str(self.tokens)}


def require_gift(move: Move, team: TeamWallet | None) -> None:
    """Check that both are in the team. Raises TeamNotFound; InvalidRequest for somebody who is not, or oneself."""
    found, _ = require_member(team, move.by)
    if move.to not in found.members:
        raise InvalidRequest("uid: this user is not in the team.", field="uid")
    if move.to == move.by:
        raise InvalidRequest("uid: these are your own tokens already.", field="uid")


def gift(move: Move, giver: Account, taker: Account, per_day: int, now: datetime) -> tuple[Account, Account]:
    """Return both accounts after it.

    Raises:
        AccountBlocked: an operator lets the giver spend nothing.
        DailyLimit: more than `per_day` tokens in all on this UTC day.
        InsufficientTokens: the giver has fewer bought tokens; details `balance`, of those, and `price`.
    """
    require_not_blocked(giver.wallet)
    today = today_of(giver.wallet, now)
    if today.given + move.tokens > per_day:
        raise daily_limit("tokens given", per_day, now)
    left = _taken(giver, Reason.GIVE, move, now).with_fields(
        today=today.model_copy(update={"given": today.given + move.tokens})
    )
    return left, taker.post(0, Reason.GOT, move.ref, now, bought=move.tokens)


def _taken(account: Account, reason: Reason, move: Move, now: datetime) -> Account:
    there = account.wallet.purchased
    if there < move.tokens:
        text = f"Only bought tokens can be given. There are {there}."
        raise InsufficientTokens(text, balance=there, price=move.tokens)
    return account.post(0, reason, move.ref, now, bought=-move.tokens, detail=move.payload)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
