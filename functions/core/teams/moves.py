"""Bought tokens that move within a team: two entries of one transaction, whose `bought` sum to zero.

    gift        give:{ref} of one member, got:{ref} of another; so many tokens a UTC day
    allotment   allot:{ref} of the team, allot:{ref} of a member, whose own they are then
    return      return:{ref} of the member, return:{ref} of the team: at most what it has allotted

Free tokens never move, or welcome tokens of many accounts would end in one. A move changes nothing of a payment: if it
is refunded, its payer, or the team that it was for, owes what is gone, and whoever has got tokens keeps them. Tokens
that are got pay first what their wallet owes.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime

from functions.core.shared.errors import InsufficientTokens, InvalidRequest, KeyReused
from functions.core.teams.refusals import NotTeamAdmin
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Reason, entry_id, today_of
from functions.core.wallet.quotas import daily_limit, require_not_blocked
from functions.core.wallet.team_wallet import ORDINARY, Role, TeamWallet, require_member


@dataclass(frozen=True)
class Move:
    """So many `tokens` of a team's member, who asks `by` a key, `to` another one, or back to the team if that is None;
    with `from_team` the team's. A key is for one of the three kinds; allotments of each team have keys of their own."""

    team_id: str
    by: str
    key: str
    to: str | None
    tokens: int
    from_team: bool = False

    @property
    def reason(self) -> Reason:
        """What the entry of whoever gives is for."""
        return Reason.ALLOT if self.from_team else Reason.GIVE if self.to else Reason.RETURN

    @property
    def ref(self) -> str:
        """What both entries are named by: keys of several users may be the same, and stand in one ledger; and so may
        those of one who allots a member tokens of several teams."""
        return _digest("move", self.by, self.key, *([self.team_id] if self.from_team else []))

    @property
    def entry(self) -> str:
        """The id of the entry by which a repeated key is known, in the ledger of whoever gives."""
        return entry_id(self.reason, self.ref)

    @property
    def others(self) -> "tuple[Move, ...]":
        """Moves of the other kinds that the same key would be known by, whatever else they were about."""
        every = (replace(self, from_team=from_team, to=to) for from_team, to in _KINDS)
        return tuple(each for each in every if each.reason is not self.reason)

    @property
    def payload(self) -> dict[str, str]:
        """What the key is bound to, by the client's names. A ledger names nobody but its owner, who may delete the
        account; so the other one is a digest."""
        return {"teamId": self.team_id, "uid": _digest(self.ref, self.to or ""), "tokens": str(self.tokens)}


def require_move(move: Move, team: TeamWallet | None) -> TeamWallet:
    """Return the team, in which both are.

    Raises:
        TeamNotFound: whoever asks is not in it.
        InvalidRequest: whoever gets tokens is not, or gets their own.
        NotTeamAdmin: owners allot tokens to everybody, admins to ordinary members: their own limit is not theirs to
            set.
        AccountBlocked: an operator lets whoever allots them spend nothing.
    """
    found, asking = require_member(team, move.by)
    if move.to is None and not move.from_team:
        return found
    taker = found.members.get(move.to or "")
    if taker is None:
        raise not_in_team()
    if move.to == move.by and not move.from_team:
        raise InvalidRequest("uid: these are your own tokens already.", field="uid")
    if move.from_team:
        require_not_blocked(found.entered_by(move.by))
        if asking.role is not Role.OWNER and not (asking.role is Role.ADMIN and taker.role in ORDINARY):
            raise NotTeamAdmin("This takes an owner of the team, or an admin for ordinary members.", role=asking.role)
    return found


_KINDS = ((False, "somebody"), (False, None), (True, "somebody"))
"""`from_team` and `to` of a gift, a return and an allotment."""


def key_of_another_kind() -> KeyReused:
    """Return the refusal of a key that has moved tokens in another way."""
    return KeyReused("This requestId was used for another kind of move. Use a new one.", field="requestId")


def not_in_team() -> InvalidRequest:
    """Return the refusal to give tokens to somebody who is not, or no more, in the team."""
    return InvalidRequest("uid: this user is not in the team.", field="uid")


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
    left = _taken(giver, move, now).with_fields(today=today.model_copy(update={"given": today.given + move.tokens}))
    return left, taker.post(0, Reason.GOT, move.ref, now, bought=move.tokens)


def allotted(move: Move, team: TeamWallet, taker: Account, now: datetime) -> tuple[Account, Account]:
    """Return team and member after it. Raises InsufficientTokens if the team has fewer bought tokens."""
    left = _taken(_allotting(team, move.to or "", move.tokens), move, now)
    return left, taker.post(0, move.reason, move.ref, now, bought=move.tokens)


def returned(move: Move, giver: Account, team: TeamWallet, now: datetime) -> tuple[Account, Account]:
    """Return member and team after it. Raises InvalidRequest for more than the team has allotted to this member, since
    gifts have a limit; InsufficientTokens for more than there is left of bought tokens."""
    there = team.members[move.by].allotted
    if there < move.tokens:
        raise InvalidRequest(f"tokens: of what the team has allotted to you, {there} are to return.", field="tokens")
    got = _allotting(team, move.by, -move.tokens).post(0, move.reason, move.ref, now, bought=move.tokens)
    return _taken(giver, move, now), got


def _allotting(team: TeamWallet, uid: str, more: int) -> Account:
    member = team.members[uid]
    changed = member.model_copy(update={"allotted": member.allotted + more})
    return Account(team.with_members({**team.members, uid: changed}))


def _taken(account: Account, move: Move, now: datetime) -> Account:
    there = account.wallet.purchased
    if there < move.tokens:
        text = f"Only bought tokens can be given. There are {there}."
        raise InsufficientTokens(text, balance=there, price=move.tokens)
    return account.post(0, move.reason, move.ref, now, bought=-move.tokens, detail=move.payload)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
