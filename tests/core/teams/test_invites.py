"""Invites: one user, one week, by somebody who may."""

from datetime import timedelta

import pytest

from functions.core.shared.errors import KeyReused
from functions.core.teams.invites import INVITE_LIFETIME, Invite, accepted, code_for, invite_id, invited
from functions.core.teams.refusals import InviteInvalid, NotTeamAdmin
from functions.core.wallet.refusals import TeamNotFound
from functions.core.wallet.team_wallet import Role
from tests.builders import NOW
from tests.core.teams.test_teams import MIXED, TEAM, member

INVITE = Invite(team_id=TEAM, role=Role.MEMBER, monthly_limit=10, invited_by="adam", expire_at=NOW + INVITE_LIFETIME)


def changed(**fields: object) -> Invite:
    """Return the invite with other fields."""
    return INVITE.model_copy(update=fields)


def test_a_code_follows_from_its_request() -> None:
    """A repeated call gives the same code, another one another; the document's name does not give it away."""
    code = code_for(TEAM, "ann", "key")
    assert code == code_for(TEAM, "ann", "key")
    assert len({code, *(code_for(*each) for each in ((TEAM, "bob", "key"), ("8" * 32, "ann", "key")))}) == 3
    assert code not in invite_id(code).upper()


def test_an_invite_is_made_once() -> None:
    """With the same key and other terms it is refused."""
    assert invited(MIXED, None, INVITE) is INVITE
    assert invited(MIXED, INVITE, changed(expire_at=NOW)) is INVITE
    with pytest.raises(KeyReused, match="monthlyLimit"):
        invited(MIXED, INVITE, changed(monthly_limit=11))


def test_who_may_invite_whom() -> None:
    """Admins invite members and associates, owners anybody."""
    assert invited(MIXED, None, changed(role=Role.ASSOCIATE)).role is Role.ASSOCIATE
    assert invited(MIXED, None, changed(invited_by="olga", role=Role.OWNER)).role is Role.OWNER
    for wrong in (changed(invited_by="mia"), changed(role=Role.ADMIN)):
        with pytest.raises(NotTeamAdmin):
            invited(MIXED, None, wrong)
    with pytest.raises(TeamNotFound):
        invited(None, None, INVITE)


def test_whoever_takes_it_is_a_member_on_its_terms() -> None:
    """A role of a newer release makes an ordinary member."""
    assert accepted(MIXED, INVITE, "eve", None, NOW).members["eve"] == member(monthly_limit=10)
    associate = changed(role=Role.ASSOCIATE)
    assert accepted(MIXED, associate, "eve", None, NOW).members["eve"] == member("associate", monthly_limit=10)
    newer = changed(role="auditor", invited_by="olga")
    assert accepted(MIXED, newer, "eve", None, NOW).members["eve"].role is Role.MEMBER


def test_taking_it_again_changes_nothing() -> None:
    """Whoever is in the team already stays as they are."""
    assert accepted(MIXED, changed(used_by="mia"), "mia", None, NOW + timedelta(days=9)) is MIXED
    assert accepted(MIXED, INVITE, "mia", None, NOW) is MIXED


@pytest.mark.parametrize(
    "invite",
    [
        None,
        changed(used_by="bob"),
        changed(used_by="eve"),
        changed(expire_at=NOW),
        changed(invited_by="mia"),
        changed(invited_by="gone"),
        changed(role=Role.ADMIN),
    ],
)
def test_what_makes_an_invite_invalid(invite: Invite | None) -> None:
    """Used by anybody, also by who was removed since; over; by somebody who may not, or not any more."""
    with pytest.raises(InviteInvalid):
        accepted(MIXED, invite, "eve", None, NOW)


def test_an_invite_into_no_team_is_invalid() -> None:
    """Its team was closed."""
    with pytest.raises(InviteInvalid):
        accepted(None, INVITE, "eve", None, NOW)
