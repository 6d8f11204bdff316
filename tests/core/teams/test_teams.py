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
from functions.core.wallet.team_wallet import ASSOCIATES_MAX, MEMBERS_MAX, Counters, Member, Role, TeamWallet
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


FULL = team(olga="owner", **{f"u{n}": "member" for n in range(MEMBERS_MAX - 1)})


def test_a_team_has_fifty_members_who_spend_and_associates_besides() -> None:
    """An ordinary one whom it has no room for is an associate; an admin is refused."""
    more = joined(FULL, "ann", member(monthly_limit=4))
    assert (more.members["ann"], more.associate_count) == (member("associate", monthly_limit=4), 1)
    assert more.spenders == FULL.members
    for role in ("admin", "owner"):
        with pytest.raises(TeamFull) as refused:
            joined(FULL, "ann", member(role))
        assert refused.value.details == {"limit": MEMBERS_MAX, "of": "team"}
    assert joined(team(), "ann", member()).members["ann"].role is Role.MEMBER


def test_a_team_has_a_thousand_associates_at_most() -> None:
    """By its count: they are not in its wallet."""
    last = joined(MIXED.with_fields(associate_count=ASSOCIATES_MAX - 1), "ann", member("associate"))
    assert last.associate_count == ASSOCIATES_MAX
    with pytest.raises(TeamFull) as refused:
        joined(last, "bob", member("associate"))
    assert refused.value.details == {"limit": ASSOCIATES_MAX, "of": "team"}
    with pytest.raises(TeamFull):
        changed(last, "olga", "mia", Change(role=Role.ASSOCIATE), NOW)


def test_an_associate_becomes_a_member_and_a_member_one_again() -> None:
    """Whoever may change members may do it, and it is another membership each time; what is allotted, counted and
    blocked comes along."""
    later = NOW + timedelta(days=1)
    ann = member("associate", allotted=7, used=3, month="2026-11", blocked_at=NOW)
    known = MIXED.with_fields(associate_count=3).with_associates({"ann": ann})
    for by in ("olga", "adam"):
        inside = changed(known, by, "ann", Change(role=Role.MEMBER, monthly_limit=5), later)
        assert inside is not None
        moved = ann.model_copy(update={"role": Role.MEMBER, "joined_at": later, "monthly_limit": 5})
        assert (inside.spenders["ann"], inside.associate_count) == (moved, 2)
        assert inside.changed_associates() == {"ann": None}
    outside = changed(MIXED, "adam", "mia", Change(role=Role.ASSOCIATE), later)
    assert outside is not None
    assert (outside.associate_count, outside.changed_associates()) == (1, {"mia": member("associate")})
    limited = changed(known, "olga", "ann", Change(monthly_limit=5), later)
    assert limited is not None
    assert (limited.members["ann"].joined_at, limited.associate_count) == (NOW, 3)


def test_an_associate_is_promoted_where_there_is_room() -> None:
    """In a team of fifty nobody is, until somebody has left it."""
    full = FULL.with_fields(associate_count=1).with_associates({"ann": member("associate")})
    with pytest.raises(TeamFull):
        changed(full, "olga", "ann", Change(role=Role.MEMBER), NOW)
    room = changed(full, "olga", "u0", OUT, NOW)
    assert room is not None
    inside = changed(room, "olga", "ann", Change(role=Role.MEMBER), NOW)
    assert inside is not None
    assert (len(inside.spenders), inside.associate_count) == (MEMBERS_MAX, 0)


def test_an_associate_leaves_and_is_removed() -> None:
    """By themselves, by an admin; and may change nobody."""
    known = MIXED.with_fields(associate_count=1).with_associates({"ann": member("associate")})
    for by in ("ann", "adam"):
        left = changed(known, by, "ann", OUT, NOW)
        assert left is not None
        assert (left.associate_count, left.changed_associates(), left.spenders) == (0, {"ann": None}, MIXED.members)
    for change in (Change(role=Role.MEMBER), Change(monthly_limit=3)):
        with pytest.raises(NotTeamAdmin) as refused:
            changed(known, "ann", "ann", change, NOW)
        assert refused.value.details == {"role": Role.ASSOCIATE}


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
    after = changed(MIXED, by, uid, change, NOW)
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
        changed(MIXED, by, uid, change, NOW)


def test_limits_are_set_and_lifted() -> None:
    """What is not named stays."""
    limited = changed(MIXED, "olga", "mia", Change(monthly_limit=3), NOW)
    assert limited is not None
    assert limited.members["mia"].monthly_limit == 3
    promoted = changed(limited, "olga", "mia", Change(role=Role.ADMIN), NOW)
    assert promoted is not None
    assert (promoted.members["mia"].role, promoted.members["mia"].monthly_limit) == (Role.ADMIN, 3)
    lifted = changed(promoted, "olga", "mia", Change(no_limit=True), NOW)
    assert lifted is not None
    assert lifted.members["mia"].monthly_limit is None


@pytest.mark.parametrize("change", [OUT, Change(role=Role.ADMIN), Change(role=Role.ASSOCIATE)])
def test_the_last_owner_stays_one(change: Change) -> None:
    """Until there is another."""
    with pytest.raises(LastOwner):
        changed(MIXED, "olga", "olga", change, NOW)
    two = changed(MIXED, "olga", "mia", Change(role=Role.OWNER), NOW)
    assert two is not None
    after = changed(two, "olga", "olga", change, NOW)
    assert after is not None
    assert after != two


def test_whoever_is_out_is_out_already() -> None:
    """A removal that is repeated changes nothing, nor does leaving again."""
    assert changed(MIXED, "olga", "eve", OUT, NOW) is MIXED
    assert changed(MIXED, "eve", "eve", OUT, NOW) is MIXED
    assert changed(None, "eve", "eve", OUT, NOW) is None
    with pytest.raises(InvalidRequest):
        changed(MIXED, "olga", "eve", Change(monthly_limit=3), NOW)
    with pytest.raises(TeamNotFound):
        changed(MIXED, "eve", "mia", OUT, NOW)


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


def test_a_team_whose_associates_alone_are_left_goes_on() -> None:
    """The one that is laid in becomes its owner."""
    last = team(olga="owner").with_fields(associate_count=2).with_associates({"ann": member("associate")})
    after = without_user(last, "olga", NOW).wallet
    assert isinstance(after, TeamWallet)
    assert (after.members, after.associate_count, after.closed_at) == ({"ann": member("owner")}, 1, None)
    assert after.changed_associates() == {"ann": None}


def test_a_team_without_members_is_closed() -> None:
    """Its tokens are given up by an entry, bought ones too, so that its ledger adds up."""
    rich = Account(team(olga="owner")).post(4, Reason.GRANT, "g", NOW, points=2, bought=3).wallet
    assert isinstance(rich, TeamWallet)
    after = without_user(rich, "olga", NOW)
    (entry,) = after.new_entries
    assert (entry.entry_id, entry.delta, entry.bought, entry.points) == ("close", -7, -3, -2)
    assert (after.wallet.balance, after.wallet.closed_at) == (0, NOW)
