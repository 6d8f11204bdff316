"""`admin team`, and what `block` and `refund` do where a team pays."""

import json

import pytest

from functions.core.wallet.refusals import AccountBlocked
from scripts.inprocess import InProcessCloud
from tests.scripts.test_admin import Run, cloud, run
from tests.steps import classify, wallet
from tests.use_cases.teams.test_teams import balanced, join, team_of, used

__all__ = ["cloud", "run"]  # fixtures


def test_a_team_is_granted_tokens_once(cloud: InProcessCloud, run: Run) -> None:
    """By its key, on record, and `show` has them."""
    team_id = team_of(cloud, tokens=5)
    for posted in (True, False):
        result = run("team", "grant", team_id, "20", "--key", "k1", "--why", "a start", "--yes", "--json")
        assert json.loads(result.stdout)["posted"] is posted
    shown = json.loads(run("team", "show", team_id, "--json").stdout)
    assert (shown["balance"], list(shown["members"])) == (25, ["olga"])
    assert balanced(cloud, team_id) == 25
    audit = cloud.client.document(f"audit/{team_id}:grant:k1").get().to_dict() or {}
    assert (audit["action"], audit["why"]) == ("team-grant", "a start")
    assert run("team", "show", "0" * 32, "--json").exit_code == 1
    join(cloud, team_id, "mia", 0)
    said = " ".join(run("team", "show", team_id).output.split())
    assert ("olga: owner, 0 of any number of tokens" in said, "mia: member, 0 of 0 tokens" in said) == (True, True)


@pytest.mark.parametrize(("typed", "given"), [("y\n10000\n", 10_000), ("y\n1000\n", 0), ("y\n\n", 0)])
def test_a_large_grant_is_typed_twice(cloud: InProcessCloud, run: Run, typed: str, given: int) -> None:
    """A digit too many is no gift to a team either."""
    team_id = team_of(cloud, tokens=5)
    run("team", "grant", team_id, "10000", "--key", "k1", "--why", "a campaign", answer=typed)
    assert balanced(cloud, team_id) == 5 + given


def test_a_block_holds_in_every_team(cloud: InProcessCloud, run: Run) -> None:
    """Until it is taken back; what was queued goes back to the team."""
    team_id = team_of(cloud)
    join(cloud, team_id, "mia")
    classify(cloud, "own", "batch", "mia")
    classify(cloud, "one", "batch", "mia", payer=team_id)
    run("block", "mia", "--why", "breaks the rules", "--yes", "--json")
    with pytest.raises(AccountBlocked):
        classify(cloud, "two", "batch", "mia", payer=team_id)
    assert balanced(cloud, team_id) == 100
    run("unblock", "mia", "--why", "a mistake", "--yes", "--json")
    classify(cloud, "two", "batch", "mia", payer=team_id)


def test_a_refund_by_hand_goes_to_the_payer(cloud: InProcessCloud, run: Run) -> None:
    """Once, and not to the member."""
    team_id = team_of(cloud)
    join(cloud, team_id, "mia")
    job = classify(cloud, "one", "instant", "mia", payer=team_id)["jobId"]
    for _ in range(2):
        assert run("refund", job, "--why", "wrong answer", "--yes", "--json").exit_code == 0
    assert (balanced(cloud, team_id), used(cloud, team_id, "mia"), wallet(cloud, "mia")) == (100, 0, {})
