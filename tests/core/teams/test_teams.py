"""Who may change what of a team."""

from datetime import timedelta
from typing import Any

import pytest

from functions.core.shared.errors import InvalidRequest, KeyReused
from functions.core.teams.refusals import LastOwner, NotTeamAdmin, TeamFull
from functions.core.teams.teams import (
    TEAMS_MAX,
    Change,
    changed,
    founded,
    joined,
    new_member,
    require_admin,
    team_id_for,
    with_block,
    with_team,
    without_user,
)
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Reason, Today, empty_wallet
from functions.core.wallet.refusals import TeamNotFound
from functions.core.wallet.team_wallet import MEMBERS_MAX, Counters, Member, Role, TeamWallet
from tests.builders import NOW

TEAM = "7" * 32
OUT = Change(remove=True)


def member(role: str = "member", **fields: Any) -> Member:
    """Return a member with this role."""
    return Member(**{"role": Role(role), "joined_at": NOW, **fields})


def team(**roles: str) -> TeamWallet:
    """Return a team of users with these roles."""
    made = founded(None, TEAM, "Green", member(), "x", NOW)
    return made.with_fields(members={uid: member(role) for uid, role in roles.items()})


MIXED = team(olga="owner", adam="admin", anna="admin", mia="member", max="member")


def test_a_request_founds_one_team() -> None:
    """The same key, by the same user: the same id."""
    assert team_id_for("ann", "k") == team_id_for("ann", "k") != team_id_for("bob", "k")


def test_a_new_team_has_an_owner_and_no_tokens() -> None:
    """Founding it again changes nothing, under another name it is refused."""
    made = founded(None, TEAM, "Green", member("owner"), "ann", NOW)
    assert (made.name, made.balance, list(made.members)) == ("Green", 0, ["ann"])
    assert founded(made, TEAM, "Green", member("owner"), "ann", NOW) is made
    with pytest.raises(KeyReused, match="name"):
        founded(made, TEAM, "Blue", member("owner"), "ann", NOW)


def test_a_key_of_a_team_that_was_left_founds_none() -> None:
    """Its founder would come back as an owner."""
    with pytest.raises(KeyReused, match="left"):
        founded(team(bob="owner"), TEAM, "Green", member("owner"), "ann", NOW)


def test_a_user_is_in_ten_teams_at_most() -> None:
    """One that they are in already counts once."""
    ten = tuple(str(n) for n in range(TEAMS_MAX))
    assert with_team(ten, "3") == (*(each for each in ten if each != "3"), "3")
    with pytest.raises(TeamFull) as refused:
        with_team(ten, "another")
    assert refused.value.details == {"limit": TEAMS_MAX, "of": "user"}


def test_a_team_has_fifty_members_at_most() -> None:
    """The next one is refused."""
    full = team(**{f"u{n}": "member" for n in range(MEMBERS_MAX)})
    with pytest.raises(TeamFull) as refused:
        joined(full, "ann", member())
    assert refused.value.details == {"limit": MEMBERS_MAX, "of": "team"}
    assert "ann" in joined(team(), "ann", member()).members


def test_an_operators_block_comes_along() -> None:
    """A team is no way around it."""
    blocked = empty_wallet(NOW).with_fields(blocked_at=NOW)
    assert new_member(Role.MEMBER, 5, blocked, NOW).blocked_at == NOW
    assert new_member(Role.MEMBER, 5, None, NOW) == member(monthly_limit=5)
    before = Counters(today=Today(day="2026-11-21", failed=3), rate_minute=7, rate_count=2)
    back = new_member(Role.MEMBER, 5, None, NOW, before)
    assert (back.today.failed, back.rate_minute, back.rate_count, back.used) == (3, 7, 2, 0)


def test_owners_and_admins_are_let_through() -> None:
    """Members and strangers are not."""
    assert require_admin(MIXED, "olga") is require_admin(MIXED, "adam") is MIXED
    with pytest.raises(NotTeamAdmin) as refused:
        require_admin(MIXED, "mia")
    assert refused.value.details == {"role": Role.MEMBER}
    with pytest.raises(TeamNotFound):
        require_admin(MIXED, "eve")


@pytest.mark.parametrize(
    ("by", "uid", "change"),
    [
        ("olga", "adam", Change(role=Role.MEMBER)),
        ("olga", "mia", Change(role=Role.OWNER)),
        ("olga", "adam", OUT),
        ("olga", "olga", Change(monthly_limit=3)),
        ("adam", "mia", Change(monthly_limit=3)),
        ("adam", "mia", OUT),
        ("adam", "adam", OUT),
        ("mia", "mia", OUT),
    ],
)
def test_what_each_role_may_do(by: str, uid: str, change: Change) -> None:
    """Owners all, admins to members, everybody leave."""
    after = changed(MIXED, by, uid, change)
    assert after is not None
    assert after != MIXED
    assert (uid not in after.members) == change.remove


@pytest.mark.parametrize(
    ("by", "uid", "change"),
    [
        ("adam", "olga", OUT),
        ("adam", "anna", OUT),
        ("adam", "anna", Change(monthly_limit=3)),
        ("adam", "adam", Change(no_limit=True)),
        ("adam", "mia", Change(role=Role.ADMIN)),
        ("mia", "max", OUT),
        ("mia", "eve", OUT),
        ("mia", "mia", Change(no_limit=True)),
    ],
)
def test_what_no_role_may_do(by: str, uid: str, change: Change) -> None:
    """Nobody raises oneself, and no admin touches another."""
    with pytest.raises(NotTeamAdmin):
        changed(MIXED, by, uid, change)


def test_limits_are_set_and_lifted() -> None:
    """What is not named stays."""
    limited = changed(MIXED, "olga", "mia", Change(monthly_limit=3))
    assert limited is not None
    assert limited.members["mia"].monthly_limit == 3
    promoted = changed(limited, "olga", "mia", Change(role=Role.ADMIN))
    assert promoted is not None
    assert (promoted.members["mia"].role, promoted.members["mia"].monthly_limit) == (Role.ADMIN, 3)
    lifted = changed(promoted, "olga", "mia", Change(no_limit=True))
    assert lifted is not None
    assert lifted.members["mia"].monthly_limit is None


@pytest.mark.parametrize("change", [OUT, Change(role=Role.ADMIN)])
def test_the_last_owner_stays_one(change: Change) -> None:
    """Until there is another."""
    with pytest.raises(LastOwner):
        changed(MIXED, "olga", "olga", change)
    two = changed(MIXED, "olga", "mia", Change(role=Role.OWNER))
    assert two is not None
    after = changed(two, "olga", "olga", change)
    assert after is not None
    assert after != two


def test_whoever_is_out_is_out_already() -> None:
    """A removal that is repeated changes nothing, nor does leaving again."""
    assert changed(MIXED, "olga", "eve", OUT) is MIXED
    assert changed(MIXED, "eve", "eve", OUT) is MIXED
    assert changed(None, "eve", "eve", OUT) is None
    with pytest.raises(InvalidRequest):
        changed(MIXED, "olga", "eve", Change(monthly_limit=3))
    with pytest.raises(TeamNotFound):
        changed(MIXED, "eve", "mia", OUT)


@pytest.mark.parametrize(
    ("change", "contradicts"),
    [
        (Change(), True),
        (Change(role=Role.ADMIN, remove=True), True),
        (Change(monthly_limit=3, no_limit=True), True),
        (Change(no_limit=True, remove=True), True),
        (OUT, False),
        (Change(role=Role.ADMIN, monthly_limit=0), False),
        (Change(no_limit=True), False),
    ],
)
def test_changes_that_say_one_thing(change: Change, contradicts: bool) -> None:
    """Of limit, no limit and removal."""
    assert change.contradicts is contradicts


def test_an_operators_block_is_said_in_the_team() -> None:
    """And taken back; of whoever is not in it nothing is said."""
    blocked = with_block(MIXED, "mia", NOW)
    assert blocked is not None
    assert blocked.members["mia"].blocked_at == NOW
    assert with_block(blocked, "mia", None) == MIXED
    assert with_block(MIXED, "eve", NOW) is MIXED
    assert with_block(None, "mia", NOW) is None


def test_leaving_the_app_leaves_the_team() -> None:
    """With other owners nothing else changes."""
    after = without_user(MIXED, "mia", NOW)
    assert (after.new_entries, after.wallet.closed_at) == ((), None)
    assert MIXED.with_fields(members={k: v for k, v in MIXED.members.items() if k != "mia"}) == after.wallet


@pytest.mark.parametrize(
    ("roles", "heir"),
    [({"mia": "member", "adam": "admin", "anna": "admin"}, "anna"), ({"mia": "member", "max": "member"}, "max")],
)
def test_the_longest_admin_or_member_inherits(roles: dict[str, str], heir: str) -> None:
    """A team that its last owner has left without a word goes on."""
    since = {uid: NOW - timedelta(days=uid == heir) for uid in roles}
    members = {uid: member(role, joined_at=since[uid]) for uid, role in roles.items()}
    after = without_user(team().with_fields(members={"olga": member("owner"), **members}), "olga", NOW).wallet
    assert isinstance(after, TeamWallet)
    assert [uid for uid, each in after.members.items() if each.role is Role.OWNER] == [heir]


def test_a_team_without_members_is_closed() -> None:
    """Its tokens are given up by an entry, bought ones too, so that its ledger adds up."""
    rich = Account(team(olga="owner")).post(4, Reason.GRANT, "g", NOW, points=2, bought=3).wallet
    assert isinstance(rich, TeamWallet)
    after = without_user(rich, "olga", NOW)
    (entry,) = after.new_entries
    assert (entry.entry_id, entry.delta, entry.bought, entry.points) == ("close", -7, -3, -2)
    assert (after.wallet.balance, after.wallet.closed_at) == (0, NOW)
