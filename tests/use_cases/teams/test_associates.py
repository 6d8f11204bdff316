"""Associates: members of a team by what it allots to them, above the fifty who spend its tokens."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from functions.core.shared.errors import EcolaneError, InvalidRequest
from functions.core.teams.refusals import NotTeamAdmin, TeamFull
from functions.core.wallet.refusals import AccountBlocked, TeamNotFound
from functions.core.wallet.team_wallet import ASSOCIATES_MAX, MEMBERS_MAX
from functions.use_cases.bulk.start_bulk import StartBulk, start_bulk
from functions.use_cases.jobs.list_jobs import ListJobs, list_jobs
from functions.use_cases.jobs.quote import Quote, quote
from functions.use_cases.jobs.recover_jobs import recover_jobs
from functions.use_cases.privacy.delete_account import DeleteAccount, delete_account
from functions.use_cases.privacy.export_account import ExportAccount, export_account
from functions.use_cases.teams.get_team import GetTeam, get_team
from functions.use_cases.teams.give_tokens import GiveTokens, give_tokens
from functions.use_cases.teams.invite_member import InviteMember, invite_member
from functions.use_cases.teams.join_team import JoinTeam, join_team
from scripts.inprocess import InProcessCloud
from scripts.shop_in_process import Shop
from tests.steps import PHOTO, classify, listed, stored
from tests.test_crashes import WHENS, Killer, When
from tests.use_cases.teams.test_give_tokens import balanced
from tests.use_cases.teams.test_teams import change, dies_after_the_commit


@pytest.fixture
def shop() -> Shop:
    """A shop whose users are ann and bob."""
    return Shop().visited("ann", "bob")


@pytest.fixture
def team_id(shop: Shop) -> str:
    """Ann's team, with a hundred bought tokens, and bob as its associate."""
    return with_associate(shop)


def with_associate(shop: Shop) -> str:
    """Found ann's team with bought tokens and bob as its associate. Returns its id."""
    team_id = shop.team("ann")
    shop.buy(payer=team_id)
    enter(shop.cloud, team_id, "bob", role="associate")
    return team_id


def code(cloud: InProcessCloud, team_id: str, uid: str, by: str = "ann", **more: Any) -> str:
    """Make an invite for somebody."""
    key = f"invite-{uid}-{len(listed(cloud, 'invites')):016}"
    request = {"requestId": key, "teamId": team_id, "monthlyLimit": 10}
    return str(invite_member(InviteMember.model_validate({**request, **more}), by, cloud.deps)["code"])


def enter(cloud: InProcessCloud, team_id: str, uid: str, **more: Any) -> dict[str, Any]:
    """Invite somebody, who comes."""
    return join_team(JoinTeam(code=code(cloud, team_id, uid, **more)), uid, cloud.deps)


def fill(cloud: InProcessCloud, team_id: str, left: int = 0) -> None:
    """Have the wallet full of members, but for so many."""
    path = f"teams/{team_id}/wallet/main"
    members = stored(cloud, path)["members"]
    more = {f"m{n}": {**members["ann"], "role": "member"} for n in range(MEMBERS_MAX - left - len(members))}
    cloud.client.document(path).update({"members": {**members, **more}})


def associates(cloud: InProcessCloud, team_id: str) -> dict[str, dict[str, Any]]:
    """Return the associates that are stored, who are as many as the wallet says."""
    found = listed(cloud, f"teams/{team_id}/associations")
    assert stored(cloud, f"teams/{team_id}/wallet/main")["associateCount"] == len(found)
    return found


def page(cloud: InProcessCloud, team_id: str, limit: int, cursor: str | None = None) -> tuple[list[str], str | None]:
    """Return a page of associates, and the next cursor."""
    request = GetTeam.model_validate({"teamId": team_id, "limit": limit, "cursor": cursor})
    shown = get_team(request, "ann", cloud.deps)
    return [each["uid"] for each in shown["associates"]], shown["nextCursor"]


def move(shop: Shop, team_id: str, tokens: int, by: str = "ann", **what: Any) -> str:
    """Move tokens. Returns the entry's id."""
    request = {"requestId": f"move-0-{tokens}", "teamId": team_id, "tokens": tokens, **what}
    return str(give_tokens(GiveTokens.model_validate(request), by, shop.cloud.deps)["entry"]["entryId"])


def test_an_associate_comes_by_an_invite_and_is_no_part_of_the_wallet(shop: Shop, team_id: str) -> None:
    """A document of their own, the team in their profile, and a count."""
    cloud = shop.cloud
    assert list(stored(cloud, f"teams/{team_id}/wallet/main")["members"]) == ["ann"]
    assert list(associates(cloud, team_id)) == ["bob"]
    assert stored(cloud, "users/bob")["teams"] == [team_id]
    seen = get_team(GetTeam(teamId=team_id), "bob", cloud.deps)
    assert (seen["role"], [each["uid"] for each in seen["members"]]) == ("associate", ["bob"])
    assert [seen[name] for name in ("balance", "purchased", "recent", "associateCount")] == [None, None, [], None]
    with pytest.raises(NotTeamAdmin):
        get_team(GetTeam(teamId=team_id, limit=1), "bob", cloud.deps)


def test_members_of_a_team_with_associates_cost_what_they_did(shop: Shop) -> None:
    """A charge, a limit and a gift read and write no document more."""
    cloud, team_id, bills = shop.cloud, shop.team("ann", "bob"), list[Any]()
    shop.buy()
    shop.buy(payer=team_id)
    for key in ("the-first", "key-before", "key-after"):
        cloud.firestore.bill.reset()
        classify(cloud, key, "batch", "ann", payer=team_id)
        change(cloud, team_id, "ann", "bob", monthlyLimit=len(bills))
        give_tokens(GiveTokens(requestId=key, teamId=team_id, uid="bob", tokens=1), "ann", cloud.deps)
        totals = cloud.firestore.bill.snapshot()["totals"]
        bills.append((totals["reads"], totals["writes"]))
        if len(bills) == 2:
            enter(cloud, team_id, "cid", role="associate")
    assert bills[1] == bills[2]


def test_joining_again_changes_nothing(shop: Shop, team_id: str) -> None:
    """By the same code, or by one for a member: an admin promotes."""
    cloud = shop.cloud
    before = associates(cloud, team_id)
    first = code(cloud, team_id, "bob", role="admin")
    for _ in range(2):
        assert join_team(JoinTeam(code=first), "bob", cloud.deps)["role"] == "associate"
    assert associates(cloud, team_id) == before


def test_whoever_comes_into_a_full_team_is_an_associate(shop: Shop, team_id: str) -> None:
    """Fifty spend; an admin finds no room."""
    cloud = shop.cloud
    fill(cloud, team_id)
    assert enter(cloud, team_id, "cid")["role"] == "associate"
    with pytest.raises(TeamFull):
        enter(cloud, team_id, "dan", role="admin")
    with pytest.raises(TeamFull):
        change(cloud, team_id, "ann", "bob", role="member")
    assert sorted(associates(cloud, team_id)) == ["bob", "cid"]
    assert stored(cloud, "users/dan") == {}


def test_associates_are_a_thousand(shop: Shop, team_id: str) -> None:
    """The next one is refused, and leaves nothing."""
    cloud = shop.cloud
    cloud.client.document(f"teams/{team_id}/wallet/main").update({"associateCount": ASSOCIATES_MAX})
    with pytest.raises(TeamFull) as refused:
        enter(cloud, team_id, "cid", role="associate")
    assert refused.value.details == {"limit": ASSOCIATES_MAX, "of": "team"}
    assert stored(cloud, "users/cid") == {}


def test_an_associate_spends_nothing_of_the_team_and_sees_nothing_of_it(shop: Shop, team_id: str) -> None:
    """Each refusal says what to do instead; nothing is taken from the associate's own tokens."""
    cloud, deps = shop.cloud, shop.cloud.deps
    cloud.upload("bob", "pile-1.jpg", PHOTO)
    own = balanced(shop, "bob")
    bulk = {"requestId": "bulk-of-bob", "prefix": "pile", "payer": team_id, "maxTokens": 5}
    attempts: list[Callable[[], Any]] = [
        lambda: classify(cloud, "one", "instant", "bob", payer=team_id),
        lambda: classify(cloud, "two", "batch", "bob", payer=team_id),
        lambda: start_bulk(StartBulk.model_validate(bulk), "bob", deps),
        lambda: quote(Quote(payer=team_id), "bob", deps),
        lambda: list_jobs(ListJobs(team=team_id), "bob", deps),
        lambda: shop.start("tokens_100", "bob", payer=team_id),
    ]
    for attempt in attempts:
        with pytest.raises(TeamNotFound, match="pay with tokens of their own"):
            attempt()
    for invite in ({}, {"role": "associate"}):
        with pytest.raises(TeamNotFound):
            code(cloud, team_id, "eve", by="bob", **invite)
    with pytest.raises(NotTeamAdmin):
        change(cloud, team_id, "bob", "bob", role="member")
    with pytest.raises(TeamNotFound):
        change(cloud, team_id, "bob", "ann", remove=True)
    assert (balanced(shop, "bob", f"teams/{team_id}"), listed(cloud, "aiJobs")) == ([*own, 100], {})


def test_a_team_allots_to_an_associate_who_returns_what_is_left(shop: Shop, team_id: str) -> None:
    """Each once by its key; at most what was allotted goes back, and a gift moves as between members."""
    team = f"teams/{team_id}"
    allot: dict[str, Any] = {"uid": "bob", "fromTeam": True}
    assert move(shop, team_id, 30, **allot) == move(shop, team_id, 30, **allot)
    assert balanced(shop, team, "bob") == [70, 30]
    assert move(shop, team_id, 10, by="bob") == move(shop, team_id, 10, by="bob")
    assert balanced(shop, team, "bob") == [80, 20]
    assert associates(shop.cloud, team_id)["bob"]["allotted"] == 20
    with pytest.raises(InvalidRequest, match="20 are to return"):
        move(shop, team_id, 21, by="bob")
    move(shop, team_id, 5, by="bob", uid="ann")
    assert balanced(shop, team, "bob", "ann") == [80, 15, 5]
    with pytest.raises(NotTeamAdmin):
        move(shop, team_id, 7, by="bob", uid="ann", fromTeam=True)


def test_an_allotment_to_an_associate_costs_five_reads_and_five_writes(shop: Shop, team_id: str) -> None:
    """One of each more than to a member."""
    move(shop, team_id, 30, uid="bob", fromTeam=True)
    shop.cloud.firestore.bill.reset()
    move(shop, team_id, 5, uid="bob", fromTeam=True)
    totals = shop.cloud.firestore.bill.snapshot()["totals"]
    assert (totals["reads"], totals["writes"]) == (5, 5)


def test_associates_are_shown_in_pages(shop: Shop, team_id: str) -> None:
    """By their ids, to owners and admins; without a limit none is read."""
    cloud = shop.cloud
    for uid in ("cid", "dan", "eve"):
        enter(cloud, team_id, uid, role="associate")
    assert page(cloud, team_id, 3) == (["bob", "cid", "dan"], "dan")
    assert page(cloud, team_id, 3, "dan") == (["eve"], None)
    assert page(cloud, team_id, 0) == ([], None)
    cloud.client.document(f"teams/{team_id}/associations/bob").update({"allotted": "many"})
    assert page(cloud, team_id, 3) == (["cid", "dan"], "dan"), "a damaged one costs itself"
    assert page(cloud, team_id, 1) == ([], "bob"), "and keeps nobody after it from being shown"
    assert page(cloud, team_id, 1, "bob") == (["cid"], "cid")
    assert get_team(GetTeam(teamId=team_id), "ann", cloud.deps)["associateCount"] == 4


def test_an_associate_is_promoted_and_spends(shop: Shop, team_id: str) -> None:
    """In the wallet from then on, with what was allotted."""
    cloud = shop.cloud
    move(shop, team_id, 30, uid="bob", fromTeam=True)
    assert change(cloud, team_id, "ann", "bob", role="member", monthlyLimit=5)["team"]["associateCount"] == 0
    assert associates(cloud, team_id) == {}
    assert stored(cloud, f"teams/{team_id}/wallet/main")["members"]["bob"]["allotted"] == 30
    classify(cloud, "one", "instant", "bob", payer=team_id)
    assert balanced(shop, f"teams/{team_id}") == [65]


def test_a_member_who_becomes_an_associate_has_queued_photos_cancelled(shop: Shop, team_id: str) -> None:
    """As one who is removed; and comes back to a limit that is used up as far as it was."""
    cloud = shop.cloud
    change(cloud, team_id, "ann", "bob", role="member")
    classify(cloud, "one", "instant", "bob", payer=team_id)
    classify(cloud, "two", "batch", "bob", payer=team_id)
    assert balanced(shop, f"teams/{team_id}") == [94]
    assert change(cloud, team_id, "ann", "bob", role="associate")["cancelled"] == 1
    assert (balanced(shop, f"teams/{team_id}"), listed(cloud, "removals")) == ([95], {})
    with pytest.raises(TeamNotFound):
        classify(cloud, "three", "batch", "bob", payer=team_id)
    assert stored(cloud, "users/bob")["teams"] == [team_id]
    change(cloud, team_id, "ann", "bob", role="member")
    assert stored(cloud, f"teams/{team_id}/wallet/main")["members"]["bob"]["used"] == 6


def test_a_call_that_dies_leaves_nobodys_photos_in_the_queue(shop: Shop, team_id: str) -> None:
    """The cron cancels what the call that made somebody an associate did not come to."""
    cloud = shop.cloud
    change(cloud, team_id, "ann", "bob", role="member")
    classify(cloud, "two", "batch", "bob", payer=team_id)
    cloud.interrupt = dies_after_the_commit()
    with pytest.raises(KeyboardInterrupt):
        change(cloud, team_id, "ann", "bob", role="associate")
    cloud.interrupt = lambda _call, _when: None
    recover_jobs(cloud.deps)
    assert (balanced(shop, f"teams/{team_id}"), listed(cloud, "removals")) == ([100], {})


@pytest.mark.parametrize("by", ["ann", "bob"])
def test_an_associate_leaves_and_keeps_what_was_allotted(shop: Shop, team_id: str, by: str) -> None:
    """Or is removed; calling again changes nothing, and nothing is left of them in the team."""
    cloud = shop.cloud
    move(shop, team_id, 30, uid="bob", fromTeam=True)
    for _ in range(2):
        assert change(cloud, team_id, by, "bob", remove=True)["cancelled"] == 0
    assert (associates(cloud, team_id), stored(cloud, "users/bob")["teams"], listed(cloud, "removals")) == ({}, [], {})
    assert balanced(shop, f"teams/{team_id}", "bob") == [70, 30]
    with pytest.raises(TeamNotFound):
        move(shop, team_id, 5, by="bob")


def test_a_block_comes_along(shop: Shop, team_id: str) -> None:
    """Into the associate's document, and from there into the wallet."""
    cloud = shop.cloud
    change(cloud, team_id, "ann", "bob", remove=True)
    cloud.client.document("users/bob/wallet/main").update({"blockedAt": cloud.clock()})
    enter(cloud, team_id, "bob", role="associate")
    change(cloud, team_id, "ann", "bob", role="member")
    with pytest.raises(AccountBlocked):
        classify(cloud, "one", "instant", "bob", payer=team_id)


# Leaving the app


def test_whoever_leaves_the_app_is_no_associate_any_more(shop: Shop, team_id: str) -> None:
    """In the commit that closes the account."""
    delete_account(DeleteAccount(confirm="DELETE"), "bob", shop.cloud.deps)
    assert associates(shop.cloud, team_id) == {}
    with pytest.raises(InvalidRequest, match="not in the team"):
        move(shop, team_id, 5, uid="bob", fromTeam=True)


def test_a_damaged_associate_is_taken_out_once_that_is_repaired(shop: Shop, team_id: str) -> None:
    """It keeps nobody in the app."""
    cloud, path = shop.cloud, f"teams/{team_id}/associations/bob"
    sound = stored(cloud, path)
    cloud.client.document(path).update({"allotted": "many"})
    delete_account(DeleteAccount(confirm="DELETE"), "bob", cloud.deps)
    recover_jobs(cloud.deps)
    assert list(associates(cloud, team_id)) == ["bob"]
    cloud.client.document(path).set(sound)
    cloud.clock.advance(timedelta(hours=2))
    recover_jobs(cloud.deps)
    assert (associates(cloud, team_id), listed(cloud, "removals")) == ({}, {})


def test_the_associate_of_longest_standing_inherits(shop: Shop, team_id: str) -> None:
    """A team is closed with nobody in it, of either kind: then nothing is left of it but its books."""
    cloud = shop.cloud
    cloud.clock.advance(timedelta(days=1))
    enter(cloud, team_id, "aid", role="associate")
    delete_account(DeleteAccount(confirm="DELETE"), "ann", cloud.deps)
    members = stored(cloud, f"teams/{team_id}/wallet/main")["members"]
    assert {uid: each["role"] for uid, each in members.items()} == {"bob": "owner"}
    assert list(associates(cloud, team_id)) == ["aid"]
    delete_account(DeleteAccount(confirm="DELETE"), "bob", cloud.deps)
    delete_account(DeleteAccount(confirm="DELETE"), "aid", cloud.deps)
    assert (associates(cloud, team_id), stored(cloud, f"teams/{team_id}/wallet/main")["members"]) == ({}, {})
    assert stored(cloud, f"teams/{team_id}/wallet/main")["closedAt"] is not None
    assert balanced(shop, f"teams/{team_id}") == [0]


def test_an_export_has_what_teams_keep_of_the_user(shop: Shop, team_id: str) -> None:
    """In the wallet, or as an associate; a team that cannot be read costs only itself."""
    move(shop, team_id, 30, uid="bob", fromTeam=True)
    for uid, role, allotted in (("ann", "owner", 0), ("bob", "associate", 30)):
        (account,) = export_account(ExportAccount(), uid, shop.cloud.deps)["items"]
        (mine,) = account["memberships"]
        assert (mine["teamId"], mine["role"], mine["allotted"]) == (team_id, role, allotted)
    shop.cloud.client.document(f"teams/{team_id}/associations/bob").update({"allotted": "many"})
    assert export_account(ExportAccount(), "bob", shop.cloud.deps)["items"][0]["memberships"] == []


# At once


def race(*calls: Callable[[], Any]) -> list[str]:
    """Make these calls at once. Returns what each is refused for, empty for none."""

    def one(call: Callable[[], Any]) -> str:
        try:
            call()
        except EcolaneError as error:
            return error.reason
        return ""

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def test_of_many_for_the_last_places_as_many_come_in_as_there_are() -> None:
    """One into the wallet, one as an associate; the others find the team full."""
    shop = Shop(cloud=InProcessCloud(seed=1)).visited("ann")
    cloud, team_id = shop.cloud, shop.team("ann")
    fill(cloud, team_id, left=1)
    cloud.client.document(f"teams/{team_id}/wallet/main").update({"associateCount": ASSOCIATES_MAX - 1})
    codes = {f"u{n}": code(cloud, team_id, f"u{n}") for n in range(6)}
    outcomes = race(*(lambda u=uid, c=each: join_team(JoinTeam(code=c), u, cloud.deps) for uid, each in codes.items()))
    assert sorted(outcomes) == ["", "", *["TEAM_FULL"] * 4]
    team = stored(cloud, f"teams/{team_id}/wallet/main")
    assert (len(team["members"]), team["associateCount"]) == (MEMBERS_MAX, ASSOCIATES_MAX)
    assert len(listed(cloud, f"teams/{team_id}/associations")) == 1


@pytest.mark.parametrize("change_to", [{"remove": True}, {"role": "member"}], ids=["removal", "promotion"])
def test_an_allotment_beside_a_change_is_counted_once(change_to: dict[str, Any]) -> None:
    """Either comes first; the tokens are where their entries say, and no document is left of whoever is out."""
    for seed in range(4):
        shop = Shop(cloud=InProcessCloud(seed=seed)).visited("ann", "bob")
        team_id = with_associate(shop)
        allotting, changing = race(
            partial(move, shop, team_id, 30, uid="bob", fromTeam=True),
            partial(change, shop.cloud, team_id, "ann", "bob", **change_to),
        )
        assert (changing, associates(shop.cloud, team_id)) == ("", {})
        got = 0 if allotting else 30
        assert balanced(shop, f"teams/{team_id}", "bob") == [100 - got, got]
        assert allotting in ({"", "INVALID_REQUEST"} if "remove" in change_to else {""})
        member = stored(shop.cloud, f"teams/{team_id}/wallet/main")["members"].get("bob")
        assert member is None or member["allotted"] == 30


# Crashes

STEPS: dict[str, tuple[Callable[[Shop, str], Any], list[int]]] = {
    "join": (
        lambda shop, team_id: join_team(JoinTeam(code=code(shop.cloud, team_id, "cid")), "cid", shop.cloud.deps),
        [100, 0],
    ),
    "allot": (lambda shop, team_id: move(shop, team_id, 30, uid="bob", fromTeam=True), [70, 30]),
    "promote": (lambda shop, team_id: change(shop.cloud, team_id, "ann", "bob", role="member"), [100, 0]),
    "remove": (lambda shop, team_id: change(shop.cloud, team_id, "ann", "bob", remove=True), [100, 0]),
    "leave the app": (
        lambda shop, _: delete_account(DeleteAccount(confirm="DELETE"), "bob", shop.cloud.deps),
        [100, 0],
    ),
    "be inherited": (lambda shop, _: delete_account(DeleteAccount(confirm="DELETE"), "ann", shop.cloud.deps), [100, 0]),
}


def outside_calls(step: str, when: When) -> int:
    """Return how many outside calls a step makes when nothing goes wrong."""
    shop = Shop().visited("ann", "bob")
    team_id, counter = with_associate(shop), Killer(at=0, when=when)
    shop.cloud.interrupt = counter
    STEPS[step][0](shop, team_id)
    return counter.calls


CRASHES = [(step, at, when) for step in STEPS for when in WHENS for at in range(1, outside_calls(step, when) + 1)]


@pytest.mark.parametrize(("step", "at", "when"), CRASHES, ids=str)
def test_a_step_survives_a_crash_anywhere(step: str, at: int, when: When) -> None:
    """The same call finishes it, once: who is an associate is known to the team's count and to their own profile."""
    shop = Shop().visited("ann", "bob")
    team_id = with_associate(shop)
    run, left = STEPS[step]
    shop.cloud.interrupt = Killer(at, when)
    with pytest.raises(BaseException):  # noqa: B017, PT011  (a client library may cover it with an error of its own)
        run(shop, team_id)
    shop.cloud.restart()
    shop.tick(minutes=2)  # the locks of what died go by themselves
    run(shop, team_id)
    recover_jobs(shop.cloud.deps)
    assert balanced(shop, f"teams/{team_id}", "bob") == left
    team = stored(shop.cloud, f"teams/{team_id}/wallet/main")
    named = {uid for uid in ("ann", "bob", "cid") if stored(shop.cloud, f"users/{uid}").get("teams")}
    assert named == team["members"].keys() | associates(shop.cloud, team_id).keys()
    assert "owner" in {each["role"] for each in team["members"].values()}
    assert listed(shop.cloud, "removals") == {}
