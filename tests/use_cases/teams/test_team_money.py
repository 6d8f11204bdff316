"""What a team's charge costs in Firestore, and that no number of racing calls passes a limit."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from functions.core.shared.errors import EcolaneError
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.inprocess import InProcessCloud
from tests.steps import UNLIMITED, classify, listed, wallet
from tests.use_cases.teams.test_teams import balanced, join, team_of, used


@pytest.fixture
def cloud() -> InProcessCloud:
    """A cloud without limits of the day."""
    cloud = InProcessCloud(seed=1)
    cloud.configure({"plans": {"free": UNLIMITED}})
    return cloud


@pytest.mark.parametrize(("mode", "bill"), [("instant", (2, 6)), ("batch", (1, 3))])
def test_a_teams_photo_costs_what_a_users_does(cloud: InProcessCloud, mode: str, bill: tuple[int, int]) -> None:
    """Reads and writes of a call, with the member's limit checked and counted."""
    team_id = team_of(cloud)
    join(cloud, team_id, "mia", limit=100)
    guard_budget(cloud.deps)  # opens the day
    classify(cloud, "first", mode, "mia", payer=team_id)
    cloud.firestore.bill.reset()
    for number in range(10):
        classify(cloud, f"photo-{number}", mode, "mia", payer=team_id)
    totals = cloud.firestore.bill.snapshot()["totals"]
    assert (totals["reads"] / 10, totals["writes"] / 10) == bill


@pytest.mark.parametrize(("tokens", "limit"), [(500, 10), (10, 500)])
def test_racing_charges_pass_neither_limit_nor_balance(cloud: InProcessCloud, tokens: int, limit: int) -> None:
    """Two hundred calls at once for the last ten tokens, of the member or of the team: ten are taken, and no token of
    the member's own."""
    team_id = team_of(cloud, tokens=tokens)
    join(cloud, team_id, "mia", limit=limit)

    def one(number: int) -> str:
        try:
            return str(classify(cloud, f"race-{number}", "batch", "mia", payer=team_id)["status"])
        except EcolaneError as error:
            return error.reason

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(one, range(200)))
    refused = "MEMBER_LIMIT" if limit == 10 else "INSUFFICIENT_TOKENS"
    assert {each: outcomes.count(each) for each in set(outcomes)} == {"queued": 10, refused: 190}
    assert (balanced(cloud, team_id), used(cloud, team_id, "mia"), len(listed(cloud, "aiJobs"))) == (
        tokens - 10,
        10,
        10,
    )
    assert wallet(cloud, "mia") == {}
