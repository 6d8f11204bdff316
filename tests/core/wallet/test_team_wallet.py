"""A team's wallet: members spend within their limits, and nobody else does."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.core.config.runtime import RuntimeConfig
from functions.core.shared.lanes import Lane
from functions.core.wallet.accounts import Account, charge, refund, upgrade
from functions.core.wallet.achievements import unlocked
from functions.core.wallet.ledger import Reason, empty_wallet
from functions.core.wallet.quotas import use_quota
from functions.core.wallet.refusals import MemberLimit, TeamNotFound
from functions.core.wallet.team_wallet import (
    Member,
    Role,
    TeamWallet,
    nobodys,
    pays_for,
    require_member,
    shown_member,
)
from tests.builders import NOW

TEAM = "7" * 32
RULES = RuntimeConfig().plans.free
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


def team(tokens: int = 20, **members: Member) -> TeamWallet:
    """Return a team with these members and tokens."""
    account = Account(nobodys(TEAM)).post(tokens, Reason.GRANT, "start", NOW)
    wallet = account.with_fields(members=members).wallet
    assert isinstance(wallet, TeamWallet)
    return wallet


def member(**fields: Any) -> Member:
    """Return a member who came yesterday."""
    return Member(**{"role": Role.MEMBER, "joined_at": NOW - timedelta(days=1), **fields})


def after(account: Account) -> TeamWallet:
    """Return the wallet as it is stored, and read again."""
    assert isinstance(account.wallet, TeamWallet)
    return TeamWallet.model_validate({**account.wallet.to_store(), "teamId": TEAM})


def test_a_charge_counts_for_the_member_who_spends() -> None:
    """The wallet's totals are the team's, `used` is the member's."""
    wallet = after(charge(Account(team(ann=member(), bob=member()).entered_by("ann")), "j1", 5, NOW, points=3))
    assert (wallet.balance, wallet.total_spent, wallet.points, wallet.scans) == (15, 5, 3, 1)
    assert (wallet.members["ann"].used, wallet.members["bob"].used) == (5, 0)


def test_a_member_spends_up_to_the_limit_and_not_a_token_more() -> None:
    """The limit is for the month: the next one begins at zero."""
    full = after(charge(Account(team(ann=member(monthly_limit=5)).entered_by("ann")), "j1", 5, NOW))
    with pytest.raises(MemberLimit) as refused:
        upgrade(Account(full.entered_by("ann")), "j1", 1, NOW)
    assert refused.value.details == {"limit": 5, "used": 5, "resetsAt": "2026-12-01T00:00:00Z"}
    assert after(charge(Account(full.entered_by("ann")), "j2", 5, DECEMBER)).members["ann"].used == 5


def test_a_clock_that_goes_back_opens_no_month_again() -> None:
    """What was spent in the latest month that was seen counts."""
    spent = after(charge(Account(team(ann=member(monthly_limit=5)).entered_by("ann")), "j1", 5, DECEMBER))
    with pytest.raises(MemberLimit):
        charge(Account(spent.entered_by("ann")), "j2", 1, NOW)


def test_whoever_is_no_member_spends_nothing() -> None:
    """Nor does anybody from a team that there is not."""
    with pytest.raises(TeamNotFound):
        charge(Account(team(ann=member()).entered_by("bob")), "j1", 1, NOW)
    with pytest.raises(TeamNotFound):
        charge(Account(nobodys(TEAM).entered_by("ann")), "j1", 0, NOW)


def refunded(wallet: TeamWallet, job_at: datetime, now: datetime = NOW) -> TeamWallet:
    """Return the team after a refund of five tokens for a job of Ann's from then."""
    return after(refund(Account(wallet.entered_by("ann", job_at)), "j1", 5, now))


def test_a_refund_makes_room_for_the_member_again() -> None:
    """If it was spent this month, by the same membership."""
    spent = after(charge(Account(team(ann=member(monthly_limit=5)).entered_by("ann")), "j1", 5, NOW))
    back = refunded(spent, NOW)
    assert (back.balance, back.members["ann"].used) == (20, 0)


def test_a_refund_that_pays_the_teams_debt_makes_room_as_well() -> None:
    """The member's photo came to nothing, whatever has become of the team's pack meanwhile."""
    bought = Account(team(0, ann=member())).post(0, Reason.BUY, "pack", NOW, bought=20).wallet
    assert isinstance(bought, TeamWallet)
    spent = charge(Account(bought.entered_by("ann")), "j1", 8, NOW)
    owing = after(spent.post(0, Reason.BUY, "pack:1", NOW, bought=-20))
    assert (owing.owed, owing.members["ann"].used) == (8, 8)
    back = after(refund(Account(owing.entered_by("ann", NOW)), "j1", 8, NOW, bought=8))
    assert (back.owed, back.balance, back.members["ann"].used) == (0, 0, 0)


def test_what_was_spent_last_month_makes_no_room_in_this_one() -> None:
    """Otherwise a refund would let the member spend beyond the limit."""
    spent = after(charge(Account(team(ann=member(monthly_limit=5)).entered_by("ann")), "j2", 4, DECEMBER))
    assert refunded(spent, NOW, DECEMBER).members["ann"].used == 4


def test_what_an_earlier_membership_spent_makes_no_room() -> None:
    """Whoever comes back begins anew."""
    again = team(ann=member(joined_at=NOW, used=3, month="2026-11"))
    assert refunded(again, NOW - timedelta(hours=1)).members["ann"].used == 3


def test_a_refund_for_somebody_who_has_left_goes_to_the_team() -> None:
    """And to nobody's counters."""
    back = refunded(team(bob=member()), NOW)
    assert (back.balance, back.members) == (25, {"bob": member()})


def test_a_change_without_tokens_counts_nothing() -> None:
    """As a plan's or a price's of zero."""
    assert after(charge(Account(team(ann=member()).entered_by("ann")), "j1", 0, NOW)).members["ann"] == member()


def test_each_member_has_counters_of_their_own() -> None:
    """Quotas of the day are laid over the wallet while somebody acts, and taken back to them; the wallet has none."""
    counted = use_quota(Account(team(ann=member(), bob=member()).entered_by("ann")), Lane.INSTANT, RULES, NOW)
    wallet = after(counted)
    assert (wallet.members["ann"].today.instant, len(wallet.members["ann"].months)) == (1, 1)
    assert (wallet.members["bob"].today.instant, wallet.today.instant, wallet.rate_count) == (0, 0, 0)
    assert wallet.entered_by("ann").today.instant == 1
    assert wallet.entered_by("bob").today.instant == 0


def test_an_operators_block_of_a_member_holds_in_the_team() -> None:
    """It lies over the wallet as the counters do."""
    blocked = team(ann=member(blocked_at=NOW), bob=member())
    assert blocked.entered_by("ann").blocked_at == NOW
    assert blocked.entered_by("bob").blocked_at is None
    assert after(Account(blocked.entered_by("ann"))).members["ann"].blocked_at == NOW


def test_what_is_not_stored_is_not() -> None:
    """Who acts, and the id that the path has."""
    fields = team(ann=member()).entered_by("ann", NOW).to_store()
    assert not {"teamId", "spender", "jobAt"} & fields.keys()
    assert team().to_store()["members"] == {}


def test_a_role_of_a_newer_release_stays() -> None:
    """And what that release has put beside our fields."""
    newer = {**member().model_dump(by_alias=True), "role": "auditor", "sees": "all"}
    wallet = TeamWallet.model_validate({**team().to_store(), "teamId": TEAM, "members": {"ann": newer}})
    assert after(Account(wallet.entered_by("ann"))).to_store()["members"]["ann"] == newer


def test_a_team_has_no_allowance() -> None:
    """Only users have."""
    assert not team().earns


def test_a_member_is_shown_with_what_is_left() -> None:
    """A month without an entry has all of it."""
    shown = shown_member(member(monthly_limit=5, used=7, month="2026-11"), NOW)
    assert (shown["used"], shown["left"], shown["resetsAt"]) == (7, 0, "2026-12-01T00:00:00Z")
    assert shown_member(member(used=7, month="2026-10"), NOW)["used"] == 0
    assert shown_member(member(blocked_at=NOW), NOW)["left"] is None


def test_members_are_told_from_others() -> None:
    """Without a team nobody is one."""
    assert require_member(team(ann=member()), "ann")[1] == member()
    for none in (None, team()):
        with pytest.raises(TeamNotFound):
            require_member(none, "ann")


def test_a_team_unlocks_no_achievement() -> None:
    """They are a user's."""
    runtime = RuntimeConfig.model_validate({"achievements": {"open": True}})
    account = Account(team(ann=member())).with_fields(scans=10**6)
    assert unlocked(account, runtime, NOW) is account


def test_a_team_pays_for_what_a_member_has_begun_as_one() -> None:
    """Not for what was begun before the member came (again), nor for strangers; a user's wallet is no team's."""
    wallet = team(ann=member())
    assert pays_for(wallet, "ann", NOW)
    assert not pays_for(wallet, "ann", NOW - timedelta(days=2))
    assert not pays_for(wallet, "eve", NOW)
    assert not pays_for(empty_wallet(NOW), "ann", NOW)


def test_associates_are_stored_beside_the_wallet() -> None:
    """In it they are counted, and nothing else; those that nothing was changed of are not written."""
    ann, bob = member(role=Role.ASSOCIATE), member(role=Role.ASSOCIATE, allotted=3)
    known = team(mia=member()).with_fields(associate_count=2).with_associates({"ann": ann, "bob": bob})
    assert known.changed_associates() == {}
    more = member(role=Role.ASSOCIATE, allotted=5)
    wallet = known.with_members({**known.members, "ann": more, "mia": member(role=Role.ASSOCIATE)})
    assert wallet.changed_associates() == {"ann": more, "mia": member(role=Role.ASSOCIATE)}
    again = after(Account(wallet))
    assert (again.members, again.associate_count, again.laid_in) == ({}, 3, {})
    gone = wallet.with_members({"ann": more})
    assert (gone.associate_count, gone.changed_associates()) == (1, {"ann": more, "bob": None})
    assert not {"laidIn", "laid_in"} & gone.to_store().keys()


def test_nobody_who_is_not_in_the_wallet_spends_of_it() -> None:
    """What a charge reads has no associates."""
    stored = after(Account(team(mia=member()).with_associates({"ann": member(role=Role.ASSOCIATE)})))
    with pytest.raises(TeamNotFound, match="tokens of their own"):
        charge(Account(stored.entered_by("ann")), "j1", 1, NOW)
