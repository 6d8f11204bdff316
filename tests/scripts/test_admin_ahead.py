"""`admin ahead`: what the pages Ahead and Savings show."""

import json
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from functions.core.config.runtime import BudgetRules
from functions.use_cases.insights.plan_ahead import plan_ahead
from scripts.admin import app
from scripts.inprocess import InProcessCloud
from scripts.operators import session
from tests.core.insights.days import usage_day
from tests.core.insights.planned import TODAY, history, planned


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> InProcessCloud:
    """An empty cloud, which the command takes for the project."""
    cloud = InProcessCloud(seed=1)
    monkeypatch.setattr(session, "connect", lambda _project: cloud.operator())
    return cloud


def run(*arguments: str) -> str:
    """Run the command."""
    result = CliRunner().invoke(app, ["ahead", *arguments], env={"GCLOUD_PROJECT": "demo", "COLUMNS": "200"})
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_before_there_is_a_forecast_it_says_when_there_will_be(cloud: InProcessCloud) -> None:
    """And how many days it takes."""
    assert "makes the first one at 00:20 UTC" in run()
    plan_ahead(cloud.deps)
    assert "Too few days for a forecast: 0 of 21." in run()


def test_a_plan_is_a_screen_and_json(cloud: InProcessCloud) -> None:
    """Month, days, limits; savings by what they come to."""
    plan, _ = planned(history(260), TODAY, BudgetRules(monthly_limit_micros=1_300_000), weeks=14)
    cloud.client.document("forecasts/current").set(plan.model_dump(by_alias=True))
    shown = run()
    assert plan.month is not None
    assert "Chance to reach the limit: 100%, about 2026-11-2" in shown
    assert "Closing at most one day in a hundred: $" in shown
    assert shown.count("2026-12-") == 25
    assert json.loads(run("--json"))["plan"]["month"]["limit"] == 1_300_000


def test_savings_are_listed(cloud: InProcessCloud) -> None:
    """The greatest first; without a record there is no range."""
    for back in range(1, 31):
        day = (cloud.clock() - timedelta(days=back)).date().isoformat()
        usage = usage_day(day, instant=30, batch=30)
        cloud.client.document(f"usage/{day}").set(usage.model_dump(by_alias=True))
    plan_ahead(cloud.deps)
    shown = run()
    assert "Chance to reach the limit: not known yet." in shown
    assert shown.index("answer_length") < shown.index("lane_share") < shown.index("off_peak")
