"""Bought tokens that move within a team."""

from datetime import timedelta
from typing import Any

import pytest

from functions.core.shared.errors import DailyLimit, EcolaneError, InsufficientTokens, InvalidRequest
from functions.core.teams.moves import Move, gift, require_gift
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Reason, empty_wallet
from functions.core.wallet.refusals import AccountBlocked, TeamNotFound
from functions.core.wallet.team_wallet import Member, Role, TeamWallet
from tests.builders import NOW

TEAM = TeamWallet.model_validate(
    {
        **empty_wallet(NOW).model_dump(),
        "team_id": "green",
        "members": {uid: Member(role=Role.MEMBER, joined_at=NOW) for uid in ("ann", "bob")},
    }
)
MOVE = Move("green", "ann", "key-0001", "bob", 30)


def having(free: int = 0, bought: int = 0, **fields: Any) -> Account:
    """Return an account with so many tokens."""
    account = Account(empty_wallet(NOW)).post(free, Reason.GRANT, "1", NOW, bought=bought)
    return Account(account.with_fields(**fields).wallet)


def test_a_gift_is_two_entries_of_one_name() -> None:
    """What one has less the other has more, of bought tokens alone; it counts for the giver's day."""
    left, got = gift(MOVE, having(7, 50), having(3), 50, NOW)
    assert (left.wallet.balance, left.wallet.purchased, left.wallet.today.given) == (27, 20, 30)
    assert (got.wallet.balance, got.wallet.purchased, got.wallet.today.given) == (33, 30, 0)
    (gave,), (received,) = left.new_entries, got.new_entries
    assert (gave.entry_id, received.entry_id) == (MOVE.entry, f"got:{MOVE.ref}")
    assert (gave.bought + received.bought, gave.delta + received.delta) == (0, 0)
    assert (left.wallet.total_spent, got.wallet.total_spent) == (0, 0)


def test_a_gift_pays_first_what_its_receiver_owes() -> None:
    """As a purchase does: what one has less and the other has more, debts included, is still the same."""
    owing = having(0, -20)
    left, got = gift(MOVE, having(0, 50), owing, 50, NOW)
    assert (left.wallet.purchased, got.wallet.purchased, got.wallet.owed) == (20, 10, 0)
    assert left.new_entries[0].bought + got.new_entries[0].bought == 0


@pytest.mark.parametrize(
    ("giver", "refusal", "details"),
    [
        (having(100, 29), InsufficientTokens, {"balance": 29, "price": 30}),
        (having(0, 100, blocked_at=NOW), AccountBlocked, {}),
    ],
)
def test_what_cannot_be_given(giver: Account, refusal: type[EcolaneError], details: dict[str, Any]) -> None:
    """Free tokens, and whatever somebody has whom an operator has blocked."""
    with pytest.raises(refusal) as refused:
        gift(MOVE, giver, having(), 50, NOW)
    assert refused.value.details == details


def test_a_day_has_its_limit() -> None:
    """All gifts of the UTC day together."""
    left, _ = gift(MOVE, having(0, 100), having(), 50, NOW)
    with pytest.raises(DailyLimit) as refused:
        gift(MOVE, left, having(), 50, NOW)
    assert refused.value.details["limit"] == 50
    gift(MOVE, left, having(), 60, NOW)
    gift(MOVE, left, having(), 50, NOW + timedelta(days=1))


def test_a_gift_is_between_members_of_one_team() -> None:
    """Nobody else gives or gets, and nobody gives to oneself."""
    require_gift(MOVE, TEAM)
    for move, team in ((MOVE, None), (Move("green", "eve", "key-0001", "bob", 30), TEAM)):
        with pytest.raises(TeamNotFound):
            require_gift(move, team)
    for to in ("eve", "ann"):
        with pytest.raises(InvalidRequest, match="uid"):
            require_gift(Move("green", "ann", "key-0001", to, 30), TEAM)


def test_a_ledger_names_nobody_else() -> None:
    """The key is bound to team, receiver and tokens; whose it was is not to be read there."""
    assert "bob" not in str(MOVE.payload)
    others = [Move("blue", "ann", "key-0001", "bob", 30), Move("green", "ann", "key-0001", "eve", 30)]
    assert all(each.ref == MOVE.ref and each.payload != MOVE.payload for each in others)
    assert Move("green", "eve", "key-0001", "bob", 30).ref != MOVE.ref
