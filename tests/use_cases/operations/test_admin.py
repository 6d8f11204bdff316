"""What operators see of costs: from the callable, and from the shell."""

from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from functions.use_cases.operations.admin_stats import AdminStats, admin_stats
from functions.use_cases.operations.guard_budget import guard_budget
from scripts import admin
from scripts.inprocess import InProcessCloud
from scripts.operators import session
from tests.steps import classify, listed


@pytest.fixture
def cloud() -> InProcessCloud:
    """A cloud in which one photo was classified yesterday and the guard has looked at it."""
    cloud = InProcessCloud(seed=1)
    cloud.clock.now = datetime.now(UTC) - timedelta(days=1)
    classify(cloud, "one")
    guard_budget(cloud.deps)
    cloud.clock.advance(timedelta(days=1))
    guard_budget(cloud.deps)
    return cloud


def cost(cloud: InProcessCloud) -> int:
    """Return what the job says that it cost."""
    (job,) = listed(cloud, "aiJobs").values()
    return int(job["costMicros"])


def test_admin_stats_has_the_costs_of_the_last_days(cloud: InProcessCloud) -> None:
    """By day, lane and model, with the mode and what is left; of one user on request. Jobs may be gone by then."""
    costs = admin_stats(AdminStats(costsOf="ann"), "root", cloud.deps)["costs"]
    micros, yesterday = cost(cloud), (cloud.clock() - timedelta(days=1)).date().isoformat()
    assert costs["rows"] == [{"day": yesterday, "lane": "instant", "model": "gpt-6-luna", "micros": micros}]
    assert costs["users"] == [{"day": yesterday, "user": "ann", "micros": micros}]
    assert costs["user"] == {"uid": "ann", "micros": micros}
    assert (costs["mode"], costs["today"]["limit"], costs["today"]["spent"]) == ("normal", 10_000_000, 0)


def test_costs_as_csv(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line a day, lane and model, in micro-dollars; a table without `--csv`."""
    monkeypatch.setattr(session, "connect", lambda _project: cloud.operator())
    printed = CliRunner().invoke(admin.app, ["costs", "--csv", "--project", "demo"])
    yesterday = (cloud.clock() - timedelta(days=1)).date().isoformat()
    assert printed.stdout.splitlines() == ["day,lane,model,micros", f"{yesterday},instant,gpt-6-luna,{cost(cloud)}"]
    printed = CliRunner().invoke(admin.app, ["costs", "--csv", "--users", "--project", "demo"])
    assert printed.stdout.splitlines() == ["day,user,micros", f"{yesterday},ann,{cost(cloud)}"]
    for options in ([], ["--users"]):
        assert CliRunner().invoke(admin.app, ["costs", *options, "--project", "demo"]).exit_code == 0
