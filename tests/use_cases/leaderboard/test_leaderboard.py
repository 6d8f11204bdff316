"""The leaderboard as users meet it: joining, the boards of an hour, everybody's rank, leaving."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.core.shared.errors import InvalidRequest
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Reason, Wallet, empty_wallet
from functions.core.wallet.refusals import AccountBlocked
from functions.core.wallet.standing import joined
from functions.use_cases.leaderboard.get_leaderboard import GetLeaderboard, get_leaderboard
from functions.use_cases.leaderboard.rank_users import rank_users
from functions.use_cases.leaderboard.set_leaderboard import SetLeaderboard, set_leaderboard
from functions.use_cases.privacy.delete_account import DeleteAccount, delete_account
from functions.use_cases.privacy.export_account import ExportAccount, export_account
from functions.use_cases.wallet.record_manual_classification import (
    RecordManualClassification,
    record_manual_classification,
)
from scripts.inprocess import CrashError, InProcessCloud
from tests.steps import stored
from tests.test_crashes import Killer, When

WEDNESDAY = datetime(2026, 11, 18, 12, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def cloud() -> InProcessCloud:
    """A cloud on a Wednesday."""
    cloud = InProcessCloud(seed=1)
    cloud.clock.advance(WEDNESDAY - cloud.clock())
    return cloud


def join(cloud: InProcessCloud, uid: str, name: str | None = None) -> dict[str, Any]:
    """Take part under a name."""
    return set_leaderboard(SetLeaderboard(listed=True, displayName=name or uid), uid, cloud.deps)


def leave(cloud: InProcessCloud, uid: str) -> dict[str, Any]:
    """Take part no more."""
    return set_leaderboard(SetLeaderboard(listed=False), uid, cloud.deps)


def earn(cloud: InProcessCloud, uid: str, times: int = 1) -> None:
    """Earn ten points each time."""
    for _ in range(times):
        request = {"requestId": cloud.deps.new_id(), "deviceId": f"device-{uid}", "itemName": "Can"}
        asked = RecordManualClassification.model_validate({**request, "category": "Dry Waste"})
        record_manual_classification(asked, uid, cloud.deps)


def board(cloud: InProcessCloud, uid: str = "eva", name: str = "week") -> Any:
    """Look at a board."""
    return get_leaderboard(GetLeaderboard.model_validate({"board": name}), uid, cloud.deps)


def top(cloud: InProcessCloud, name: str = "week") -> list[tuple[int, str | None, int]]:
    """Return the ranks, names and points of a board."""
    return [(each["rank"], each["displayName"], each["points"]) for each in board(cloud, name=name)["top"]]


def many(cloud: InProcessCloud, number: int) -> None:
    """Have so many users take part, of whom the n-th has n points."""
    for n in range(1, number + 1):
        account = Account(empty_wallet(cloud.clock())).post(0, Reason.WELCOME, None, cloud.clock(), points=n)
        wallet = account.with_fields(standing=joined(f"User {n}", n, cloud.clock())).wallet
        cloud.client.document(f"users/user-{n}/wallet/main").set(wallet.model_dump(by_alias=True))


def test_the_week_the_month_and_ever(cloud: InProcessCloud) -> None:
    """Points count from joining for week and month, all of them for ever; who has most is first, equal points are equal
    ranks, and who did not join is on no board."""
    earn(cloud, "ana", 2)
    for uid in ("ana", "bob", "cem"):
        join(cloud, uid, uid.title())
    for uid, times in {"ana": 1, "bob": 2, "cem": 1, "dan": 4}.items():
        earn(cloud, uid, times)
    assert top(cloud) == []
    assert rank_users(cloud.deps) == {"listed": 9, "counted": 0, "failed": 0, "queries": 0}
    assert top(cloud) == [(1, "Bob", 20), (2, "Cem", 10), (2, "Ana", 10)]
    assert top(cloud, "month") == [(1, "Bob", 20), (2, "Cem", 10), (2, "Ana", 10)]
    assert top(cloud, "ever") == [(1, "Ana", 30), (2, "Bob", 20), (3, "Cem", 10)]
    shown = board(cloud, "ana", "ever")
    assert shown["you"] == {"displayName": "Ana", "points": 30, "rank": 1, "exact": True}
    assert [each["you"] for each in shown["top"]] == [True, False, False]
    assert (shown["period"], board(cloud)["period"], board(cloud)["you"]) == ("ever", "2026-11-16", None)


def test_answers_name_nobody_by_id(cloud: InProcessCloud) -> None:
    """What others are called is all that is said of them."""
    join(cloud, "uid-of-ana", "Ana")
    earn(cloud, "uid-of-ana")
    rank_users(cloud.deps)
    assert top(cloud) == [(1, "Ana", 10)]
    assert "uid-of-ana" not in str(board(cloud, "eva"))


def test_a_new_week_begins_on_monday(cloud: InProcessCloud) -> None:
    """Last week's board stands until the first run of the new one; whoever earned nothing yet is not on it."""
    for uid in ("ana", "bob"):
        join(cloud, uid)
        earn(cloud, uid)
    rank_users(cloud.deps)
    cloud.clock.advance(MONDAY - cloud.clock())
    earn(cloud, "ana")
    assert (board(cloud, "ana")["period"], board(cloud, "ana")["you"]["points"]) == ("2026-11-16", 0)
    rank_users(cloud.deps)
    assert (board(cloud)["period"], top(cloud)) == ("2026-11-23", [(1, "ana", 10)])
    assert top(cloud, "month") == [(1, "ana", 20), (2, "bob", 10)]
    assert board(cloud, "bob")["you"] == {"displayName": "bob", "points": 0, "rank": None, "exact": None}


def test_a_name_can_be_changed_and_taken_back_at_once(cloud: InProcessCloud) -> None:
    """On the boards that are there already, not only on the next."""
    joined_at = join(cloud, "ana", "Ana")["joinedAt"]
    earn(cloud, "ana")
    rank_users(cloud.deps)
    assert join(cloud, "ana", " Anna  B ") == {"listed": True, "displayName": "Anna B", "joinedAt": joined_at}
    assert [top(cloud, name) for name in ("week", "month", "ever")] == [[(1, "Anna B", 10)]] * 3
    assert leave(cloud, "ana") == {"listed": False, "displayName": None, "joinedAt": None}
    assert [top(cloud, name) for name in ("week", "month", "ever")] == [[]] * 3
    rank_users(cloud.deps)
    assert top(cloud) == []
    assert stored(cloud, "users/ana/wallet/main")["points"] == 10


def test_doing_it_again_writes_nothing(cloud: InProcessCloud) -> None:
    """One read; and who never came and leaves gets no wallet."""
    join(cloud, "ana", "Ana")
    cloud.firestore.bill.reset()
    join(cloud, "ana", "Ana")
    leave(cloud, "bob")
    assert cloud.firestore.bill.reset()["totals"]["writes"] == 0
    assert not cloud.client.document("users/bob/wallet/main").get().exists


def test_who_deletes_the_account_is_off_the_boards_at_once(cloud: InProcessCloud) -> None:
    """With the account's end, not with the next run."""
    join(cloud, "ana", "Ana")
    earn(cloud, "ana")
    rank_users(cloud.deps)
    delete_account(DeleteAccount(confirm="DELETE"), "ana", cloud.deps)
    assert all("Ana" not in str(stored(cloud, f"leaderboards/{name}")) for name in ("week", "month", "ever"))
    rank_users(cloud.deps)
    assert "ana" not in str(stored(cloud, "leaderboards/ever"))


def test_the_export_has_the_standing(cloud: InProcessCloud) -> None:
    """Name, when the user joined, and points."""
    join(cloud, "ana", "Ana")
    (account,) = export_account(ExportAccount(), "ana", cloud.deps)["items"]
    assert account["tokens"]["standing"]["name"] == "Ana"


@pytest.mark.parametrize("name", [None, "", "x", "admin", "a.com"])
def test_a_name_that_cannot_be_shown_is_refused(cloud: InProcessCloud, name: str | None) -> None:
    """And nothing is stored."""
    with pytest.raises(InvalidRequest) as refused:
        set_leaderboard(SetLeaderboard(listed=True, displayName=name), "ana", cloud.deps)
    assert refused.value.details["field"] == "displayName"
    assert not cloud.client.document("users/ana/wallet/main").get().exists


def test_a_blocked_user_can_only_leave(cloud: InProcessCloud) -> None:
    """A name is a way to be seen."""
    blocked = empty_wallet(cloud.clock()).with_fields(
        blocked_at=cloud.clock(), standing=joined("X Y", 0, cloud.clock())
    )
    cloud.client.document("users/ana/wallet/main").set(blocked.model_dump(by_alias=True))
    with pytest.raises(AccountBlocked):
        join(cloud, "ana", "Ana")
    assert not leave(cloud, "ana")["listed"]


def test_a_word_that_is_forbidden_later_takes_names_off(cloud: InProcessCloud) -> None:
    """The user stays, without the name."""
    join(cloud, "ana", "Gurke")
    earn(cloud, "ana")
    cloud.client.document("config/runtime").set({"leaderboard": {"words": ["gurke"]}})
    cloud.restart()
    rank_users(cloud.deps)
    assert top(cloud) == [(1, None, 10)]


def test_everybody_below_the_top_has_a_rank_within_one_percent(cloud: InProcessCloud) -> None:
    """Of 250 users, of whom 100 are read; the others are counted, and no more queries are asked the next time."""
    many(cloud, 250)
    cloud.firestore.bill.reset()
    first = rank_users(cloud.deps)
    assert (first["listed"], first["counted"]) == (100, 1)
    for n in (250, 151, 150, 149, 75, 1):
        you = board(cloud, f"user-{n}", "ever")["you"]
        assert abs(you["rank"] - (251 - n)) <= (0 if n > 150 else (251 - n) / 100)
        assert you["exact"] or n <= 150
    cloud.clock.advance(timedelta(hours=1))
    assert rank_users(cloud.deps)["counted"] == 0
    cloud.clock.advance(timedelta(hours=23))
    again = rank_users(cloud.deps)
    assert again["counted"] == 1
    assert again["queries"] < first["queries"]


def test_a_standing_that_cannot_be_read_costs_itself(cloud: InProcessCloud) -> None:
    """The others are listed."""
    join(cloud, "ana")
    earn(cloud, "ana")
    wallet = stored(cloud, "users/ana/wallet/main")
    cloud.client.document("users/bob/wallet/main").set({**wallet, "standing": {**wallet["standing"], "name": 7}})
    assert rank_users(cloud.deps)["failed"] == 0
    assert top(cloud) == [(1, "ana", 10)]


def test_a_lost_reply_is_no_error(cloud: InProcessCloud) -> None:
    """The same call finds what it has done."""
    earn(cloud, "ana")
    cloud.firestore.faults.add("reply_lost", rpc="Commit", count=1)
    assert join(cloud, "ana", "Ana")["displayName"] == "Ana"


@pytest.mark.parametrize("when", ["before", "after"])
def test_whoever_dies_is_followed_by_one_who_ends_it(cloud: InProcessCloud, when: When) -> None:
    """Joining, renaming, leaving and the cron, each killed at every outside call and called again: the boards are as
    they were to be."""
    many(cloud, 130)
    acts: dict[str, Callable[[], object]] = {
        "join": lambda: join(cloud, "ana", "Ana"),
        "earn": lambda: earn(cloud, "ana"),
        "rank": lambda: rank_users(cloud.deps),
        "rename": lambda: join(cloud, "ana", "Anna"),
        "leave": lambda: leave(cloud, "ana"),
    }
    seen: dict[str, list[str]] = {}
    for name, act in acts.items():
        if name == "earn":
            act()
            continue
        for at in range(1, 40):
            killer = Killer(at, when)
            with cloud.interrupting(killer), suppress(CrashError):
                act()
            cloud.restart()
            cloud.clock.advance(timedelta(minutes=2))  # the locks of who died are over
            if not killer.dead:
                break
        act()
        week = [str(each["displayName"]) for each in board(cloud)["top"]]
        seen[name] = [*week, str(board(cloud, "ana")["you"] and board(cloud, "ana")["you"]["displayName"])]
    assert seen == {"join": ["Ana"], "rank": ["Ana", "Ana"], "rename": ["Anna", "Anna"], "leave": ["None"]}
    assert board(cloud, "user-1", "ever")["you"]["rank"] in {129, 130, 131}


def test_a_refund_takes_its_points_off(cloud: InProcessCloud) -> None:
    """From all boards."""
    join(cloud, "ana")
    wallet = Wallet.model_validate(stored(cloud, "users/ana/wallet/main"))
    account = Account(wallet).post(0, Reason.MANUAL, "one", cloud.clock(), points=30)
    after = account.post(0, Reason.REFUND, "two", cloud.clock(), points=-10).wallet.standing
    assert after is not None
    assert (after.week.points, after.month.points, after.ever.points) == (20, 20, 20)
