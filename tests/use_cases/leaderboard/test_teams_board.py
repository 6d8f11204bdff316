"""The board of teams: who may put a team on it, by which points it is ranked, and what takes it off."""

from datetime import timedelta
from typing import Any

import pytest

from functions.core.leaderboard.ranks import TOP
from functions.core.shared.errors import InvalidRequest
from functions.core.teams.refusals import NotTeamAdmin
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Reason
from functions.core.wallet.refusals import AccountBlocked, TeamNotFound
from functions.core.wallet.standing import joined
from functions.core.wallet.team_wallet import nobodys
from functions.use_cases.jobs.cancel_job import CancelJob, cancel_job
from functions.use_cases.jobs.recover_jobs import recover_jobs
from functions.use_cases.leaderboard.get_leaderboard import GetLeaderboard, get_leaderboard
from functions.use_cases.leaderboard.rank_users import rank_users
from functions.use_cases.leaderboard.set_leaderboard import SetLeaderboard, set_leaderboard
from functions.use_cases.privacy.delete_account import DeleteAccount, delete_account
from scripts.inprocess import InProcessCloud
from tests.steps import UNLIMITED, classify, listed, stored
from tests.use_cases.teams.test_teams import change, join, team_of

BOARDS = ("week", "month", "ever")


@pytest.fixture
def cloud() -> InProcessCloud:
    """A cloud without limits of the day."""
    cloud = InProcessCloud(seed=1)
    cloud.configure({"plans": {"free": UNLIMITED}})
    return cloud


def put_on(cloud: InProcessCloud, team_id: str, name: str | None = "Green", by: str = "olga") -> dict[str, Any]:
    """Let a team take part under a name, or no more."""
    return set_leaderboard(SetLeaderboard(listed=name is not None, displayName=name, team=team_id), by, cloud.deps)


def board(cloud: InProcessCloud, by: str = "olga", name: str = "week", **of: Any) -> dict[str, Any]:
    """Look at a board of teams."""
    return get_leaderboard(GetLeaderboard.model_validate({"board": name, "teams": True, **of}), by, cloud.deps)


def test_teams_are_ranked_by_the_points_of_photos_that_they_paid(cloud: InProcessCloud) -> None:
    """Of all members, less what was refunded; a member's own photos, and users, are on another board."""
    green, blue = team_of(cloud), team_of(cloud, "max")
    join(cloud, green, "mia")
    assert put_on(cloud, green)["displayName"] == "Green"
    put_on(cloud, blue, "Blue", "max")
    set_leaderboard(SetLeaderboard(listed=True, displayName="Mia"), "mia", cloud.deps)
    for key, uid, payer in (("a", "olga", green), ("b", "mia", green), ("c", "max", blue), ("d", "mia", None)):
        classify(cloud, key, "batch", uid, payer=payer)
    taken_back = classify(cloud, "e", "batch", "max", payer=blue)["jobId"]
    cancel_job(CancelJob(jobId=taken_back), "max", cloud.deps)
    assert rank_users(cloud.deps)["listed"] == 3 * 3
    for name in BOARDS:
        seen = board(cloud, "mia", name, team=green)
        assert [(row["displayName"], row["points"], row["rank"], row["you"]) for row in seen["top"]] == [
            ("Green", 20, 1, True),
            ("Blue", 10, 2, False),
        ]
        assert seen["you"] == {"displayName": "Green", "points": 20, "rank": 1, "exact": True}
    strangers = board(cloud, "eve")
    assert ([row["you"] for row in strangers["top"]], strangers["you"]) == ([False, False], None)
    users = get_leaderboard(GetLeaderboard(), "mia", cloud.deps)
    assert [(row["displayName"], row["points"]) for row in users["top"]] == [("Mia", 10)]
    assert not any(team in str(seen) for team in (green, blue))


def test_who_puts_a_team_on_the_board(cloud: InProcessCloud) -> None:
    """An owner or an admin, under a name that can be shown; an operator's block keeps them from joining."""
    team_id = team_of(cloud)
    join(cloud, team_id, "mia")
    join(cloud, team_id, "ada", role="admin")
    with pytest.raises(NotTeamAdmin):
        put_on(cloud, team_id, by="mia")
    with pytest.raises(TeamNotFound):
        put_on(cloud, team_id, by="eve")
    with pytest.raises(TeamNotFound):
        board(cloud, "eve", team=team_id)
    with pytest.raises(InvalidRequest, match="displayName"):
        put_on(cloud, team_id, "ecolane")
    cloud.client.document(f"teams/{team_id}/wallet/main").update({"members.ada.blockedAt": cloud.clock()})
    with pytest.raises(AccountBlocked):
        put_on(cloud, team_id, by="ada")
    assert stored(cloud, f"teams/{team_id}/wallet/main")["teamStanding"] is None
    put_on(cloud, team_id)
    assert put_on(cloud, team_id, None, "ada")["listed"] is False
    assert board(cloud, "mia", team=team_id)["you"] is None


def test_a_new_name_and_leaving_show_at_once(cloud: InProcessCloud) -> None:
    """And cost no more reads and writes than a user's; again, they change nothing."""
    team_id = team_of(cloud)
    put_on(cloud, team_id)
    classify(cloud, "a", "batch", "olga", payer=team_id)
    rank_users(cloud.deps)
    put_on(cloud, team_id, "Greener")
    assert [row["displayName"] for row in board(cloud)["top"]] == ["Greener"]
    cloud.firestore.bill.reset()
    put_on(cloud, team_id, None)
    bill = cloud.firestore.bill.snapshot()["totals"]
    assert (bill["reads"], bill["writes"]) == (4, 4)
    put_on(cloud, team_id, None)
    assert cloud.firestore.bill.snapshot()["totals"]["writes"] == 4
    assert [board(cloud, name=name)["top"] for name in BOARDS] == [[], [], []]


@pytest.mark.parametrize("damaged", [False, True], ids=["sound", "damaged"])
def test_a_team_that_is_closed_is_on_no_board(cloud: InProcessCloud, damaged: bool) -> None:
    """In the commit that closes it; one that could not be read then, once it is repaired. A team that goes on stays."""
    team_id, other = team_of(cloud), team_of(cloud, "max")
    join(cloud, other, "olga", by="max")
    for each, by, name in ((team_id, "olga", "Green"), (other, "max", "Blue")):
        put_on(cloud, each, name, by)
        classify(cloud, name, "batch", by, payer=each)
    rank_users(cloud.deps)
    path = f"teams/{team_id}/wallet/main"
    balance = stored(cloud, path)["balance"]
    if damaged:
        cloud.client.document(path).update({"balance": "many"})
    delete_account(DeleteAccount(confirm="DELETE"), "olga", cloud.deps)
    if damaged:
        cloud.client.document(path).update({"balance": balance})
        recover_jobs(cloud.deps)
    assert [[row["displayName"] for row in board(cloud, "max", name)["top"]] for name in BOARDS] == [["Blue"]] * 3
    assert stored(cloud, path)["teamStanding"] is None
    assert team_id not in str(listed(cloud, "leaderboards"))


def test_everybodys_rank_comes_from_counts(cloud: InProcessCloud) -> None:
    """Below the first hundred nobody is read, and teams are counted apart from users."""
    now = cloud.clock()
    for number in range(TOP + 20):
        account = Account(nobodys("7" * 32)).post(0, Reason.GRANT, "start", now, points=1_000 - number)
        standing = joined("Team", account.wallet.points, now).model_dump(by_alias=True)
        team = account.wallet.model_dump(by_alias=True) | {"name": "Team", "members": {}, "teamStanding": standing}
        cloud.client.document(f"teams/{number:032}/wallet/main").set(team)
    own = team_of(cloud)
    change(cloud, own, "olga", "olga", noLimit=True)
    put_on(cloud, own)
    classify(cloud, "a", "batch", "olga", payer=own)
    counts = rank_users(cloud.deps)
    assert (counts["listed"], counts["counted"]) == (TOP + 1 + 1, 1)
    seen = board(cloud, name="ever", team=own)
    assert (len(seen["top"]), seen["you"]["points"], abs(seen["you"]["rank"] - (TOP + 21)) <= 1) == (TOP, 10, True)
    cloud.clock.advance(timedelta(hours=1))
    assert rank_users(cloud.deps)["counted"] == 0
