"""Bought tokens that move within a team."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions.core.shared.errors import DailyLimit, EcolaneError, InsufficientTokens, InvalidRequest
from functions.core.teams.moves import Move, allotted, gift, key_of_another_kind, require_move, returned
from functions.core.teams.refusals import NotTeamAdmin
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Reason, empty_wallet
from functions.core.wallet.refusals import AccountBlocked, TeamNotFound
from functions.core.wallet.team_wallet import Member, Role, TeamWallet
from tests.builders import NOW

TEAM = TeamWallet.model_validate(
    {
        **empty_wallet(NOW).model_dump(),
        "team_id": "green",
        "members": {
            uid: Member(role=Role(role), joined_at=NOW)
            for uid, role in {"ann": "member", "bob": "member", "adam": "admin", "olga": "owner"}.items()
        },
    }
)
MOVE = Move("green", "ann", "key-0001", "bob", 30)


def having(free: int = 0, bought: int = 0, **fields: Any) -> Account:
    """Return an account with so many tokens."""
    account = Account(empty_wallet(NOW)).post(free, Reason.GRANT, "1", NOW, bought=bought)
    return Account(account.with_fields(**fields).wallet)


def test_a_key_of_another_kind_of_move_is_refused_by_its_field() -> None:
    """It is no retry, and a new key is what helps."""
    refused = key_of_another_kind()
    assert (refused.reason, refused.details["field"]) == ("KEY_REUSED", "requestId")


def test_a_gift_is_two_entries_of_one_name() -> None:
    """What one has less the other has more, of bought tokens alone; it counts for the giver's day."""
    left, got = gift(MOVE, having(7, 50), having(3), 50, NOW)
    assert (left.wallet.balance, left.wallet.purchased, left.wallet.today.given) == (27, 20, 30)
    assert (got.wallet.balance, got.wallet.purchased, got.wallet.today.given) == (33, 30, 0)
    (gave,), (received,) = left.new_entries, got.new_entries
    assert (gave.entry_id, received.entry_id) == (MOVE.entry, f"got:{MOVE.ref}")
    assert (gave.bought + received.bought, gave.delta + received.delta) == (0, 0)
    assert (left.wallet.total_spent, got.wallet.total_spent) == (0, 0)


def test_a_key_knows_what_else_it_may_have_moved() -> None:
    """By the entries of both other kinds, to whomever they went."""
    made = [MOVE, replace(MOVE, to=None), replace(MOVE, from_team=True)]
    for move in made:
        assert {each.entry for each in move.others} == {each.entry for each in made} - {move.entry}


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


def test_associates_get_and_give_as_members_do() -> None:
    """They allot nobody anything; an admin allots to them as to any ordinary member."""
    eve = Member(role=Role.ASSOCIATE, joined_at=NOW)
    known = TEAM.with_fields(associate_count=1).with_associates({"eve": eve})
    for move in (
        Move("green", "ann", "key-0001", "eve", 30),
        Move("green", "eve", "key-0001", "ann", 30),
        Move("green", "adam", "key-0001", "eve", 30, from_team=True),
    ):
        assert require_move(move, known) is known
    with pytest.raises(NotTeamAdmin):
        require_move(Move("green", "eve", "key-0001", "ann", 30, from_team=True), known)
    rich = known.with_fields(balance=50, purchased=50, total_earned=50)
    left, got = allotted(Move("green", "olga", "key-0001", "eve", 30, from_team=True), rich, having(), NOW)
    assert isinstance(left.wallet, TeamWallet)
    assert (left.wallet.changed_associates()["eve"], got.wallet.purchased) == (
        eve.model_copy(update={"allotted": 30}),
        30,
    )


def test_a_gift_is_between_members_of_one_team() -> None:
    """Nobody else gives or gets, and nobody gives to oneself."""
    require_move(MOVE, TEAM)
    for move, team in ((MOVE, None), (Move("green", "eve", "key-0001", "bob", 30), TEAM)):
        with pytest.raises(TeamNotFound):
            require_move(move, team)
    for to in ("eve", "ann"):
        with pytest.raises(InvalidRequest, match="uid"):
            require_move(Move("green", "ann", "key-0001", to, 30), TEAM)


def test_a_ledger_names_nobody_else() -> None:
    """The key is bound to team, receiver and tokens; whose it was is not to be read there."""
    assert "bob" not in str(MOVE.payload)
    others = [Move("blue", "ann", "key-0001", "bob", 30), Move("green", "ann", "key-0001", "eve", 30)]
    assert all(each.ref == MOVE.ref and each.payload != MOVE.payload for each in others)
    assert Move("green", "eve", "key-0001", "bob", 30).ref != MOVE.ref


def bought_team(tokens: int = 50) -> TeamWallet:
    """Return the team with so many bought tokens."""
    wallet = Account(TEAM).post(7, Reason.GRANT, "1", NOW, bought=tokens).wallet
    assert isinstance(wallet, TeamWallet)
    return wallet


def allotment(by: str = "olga", to: str | None = "bob") -> Move:
    """Return an allotment of thirty tokens."""
    return Move("green", by, "key-0001", to, 30, from_team=True)


def test_an_allotment_is_the_members_own_and_can_be_returned() -> None:
    """Two entries each, of one name; the team's limit for the member counts none of it."""
    left, got = allotted(allotment(), bought_team(), having(3), NOW)
    team, member = left.wallet, got.wallet
    assert isinstance(team, TeamWallet)
    assert (team.balance, team.purchased, member.balance, member.purchased) == (27, 20, 33, 30)
    assert (team.members["bob"].allotted, team.members["bob"].used) == (30, 0)
    assert [each.entry_id for each in (*left.new_entries, *got.new_entries)] == [allotment().entry] * 2
    back = Move("green", "bob", "key-0001", None, 20)
    gave, team_after = returned(back, Account(member), team, NOW)
    assert isinstance(team_after.wallet, TeamWallet)
    assert (gave.wallet.purchased, team_after.wallet.purchased) == (10, 40)
    assert team_after.wallet.members["bob"].allotted == 10
    assert [each.entry_id for each in (*gave.new_entries, *team_after.new_entries)] == [f"return:{back.ref}"] * 2
    with pytest.raises(InvalidRequest, match="tokens"):
        returned(back, having(0, 100), team_after.wallet, NOW)
    with pytest.raises(InsufficientTokens):
        returned(back, having(100, 19), team, NOW)


def test_allotments_of_two_teams_have_two_names() -> None:
    """Both stand in the ledger of a member of both, also if one key was used."""
    of_another = Move("blue", "olga", "key-0001", "bob", 30, from_team=True)
    assert allotment().entry != of_another.entry


def test_a_team_allots_bought_tokens_that_it_has() -> None:
    """Granted ones are spent in the team."""
    with pytest.raises(InsufficientTokens) as refused:
        allotted(allotment(), bought_team(29), having(), NOW)
    assert refused.value.details == {"balance": 29, "price": 30}


@pytest.mark.parametrize(
    ("by", "to", "refusal"),
    [
        ("olga", "olga", None),
        ("olga", "adam", None),
        ("adam", "bob", None),
        ("adam", "adam", NotTeamAdmin),
        ("adam", "olga", NotTeamAdmin),
        ("ann", "bob", NotTeamAdmin),
        ("ann", "ann", NotTeamAdmin),
        ("eve", "bob", TeamNotFound),
        ("olga", "eve", InvalidRequest),
        ("olga", None, InvalidRequest),
    ],
)
def test_who_may_allot_tokens(by: str, to: str | None, refusal: type[EcolaneError] | None) -> None:
    """Owners to everybody, admins to those whose limit they may set, so to nobody who could set theirs."""
    with pytest.raises(refusal) if refusal else nullcontext():
        require_move(allotment(by, to), TEAM)


def test_whoever_is_blocked_allots_nothing() -> None:
    """And may return what the team gave."""
    blocked = TEAM.members["olga"].model_copy(update={"blocked_at": NOW})
    team = TEAM.with_fields(members={**TEAM.members, "olga": blocked})
    with pytest.raises(AccountBlocked):
        require_move(allotment(), team)
    assert require_move(Move("green", "olga", "key-0001", None, 1), team) == team
