"""The mode of the budget as users meet it: everybody by batch, closed, reopened, set by hand."""

from datetime import timedelta

import pytest

from functions.core.shared.errors import (
    BudgetExhausted,
)
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.jobs.quote import Quote, quote
from functions.use_cases.jobs.upgrade_job import UpgradeJob, upgrade_job
from functions.use_cases.operations.admin_set_config import AdminSetConfig, admin_set_config
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.inprocess import InProcessCloud
from tests.steps import CRONS, classify, job, stored, ticks, today
from tests.use_cases.budget.books import MIDNIGHT, add_cost


def test_at_eighty_percent_everybody_goes_by_batch(cloud: InProcessCloud) -> None:
    """Instant is served as batch and says so; quote says why and until when; batches are still sent."""
    add_cost(cloud, 8_000_000)
    guard_budget(cloud.deps)
    cloud.clock.advance(timedelta(seconds=31))
    quoted = quote(Quote(), "ann", cloud.deps)
    assert quoted["instant"] | {"open": False, "closedBecause": "BUDGET", "opensAt": MIDNIGHT} == quoted["instant"]
    assert (quoted["recommended"], quoted["batch"]["pausedUntil"]) == ("batch", None)
    answer = classify(cloud, "one")
    assert (answer["mode"], answer["closedBecause"], answer["tokensCost"]) == ("batch", "BUDGET", 1)
    with pytest.raises(BudgetExhausted) as refused:
        classify(cloud, "two", allowBatch=False)
    assert refused.value.details == {"resetsAt": MIDNIGHT}
    with pytest.raises(BudgetExhausted):
        upgrade_job(UpgradeJob(jobId=answer["jobId"]), "ann", cloud.deps)
    ticks(cloud, timedelta(hours=1), CRONS)
    assert job(cloud, answer)["status"] == "done"


def test_at_the_limit_nothing_is_sent_and_the_next_day_reopens(cloud: InProcessCloud) -> None:
    """Photos are still taken into the queue; they wait, and quote says until when; after midnight they go."""
    add_cost(cloud, 10_000_000)
    guard_budget(cloud.deps)
    cloud.clock.advance(timedelta(seconds=31))
    assert quote(Quote(), "ann", cloud.deps)["batch"]["pausedUntil"] == MIDNIGHT
    answer = classify(cloud, "one", "batch")
    cloud.openai.requests.reset()
    ticks(cloud, timedelta(hours=11), CRONS)
    assert (job(cloud, answer)["status"], sum(cloud.openai.requests.values())) == ("queued", 0)
    ticks(cloud, timedelta(hours=2), CRONS)
    assert job(cloud, answer)["status"] == "done"
    assert classify(cloud, "two")["mode"] == "instant"


def test_a_raised_limit_reopens(cloud: InProcessCloud) -> None:
    """The same day, as soon as the operator has raised it."""
    add_cost(cloud, 10_000_000)
    guard_budget(cloud.deps)
    admin_set_config(AdminSetConfig(changes={"budget": {"dailyLimitMicros": 20_000_000}}), "root", cloud.deps)
    cloud.clock.advance(timedelta(seconds=31))
    assert classify(cloud, "one")["mode"] == "instant"


def test_an_override_closes_until_it_expires_and_is_on_record(cloud: InProcessCloud) -> None:
    """An operator's mode wins while it lasts; who set it, and when, stays in the audit."""
    until = (cloud.clock() + timedelta(hours=1)).isoformat()
    changes = {"budget": {"overrideMode": "closed", "overrideUntil": until}}
    admin_set_config(AdminSetConfig(changes=changes), "root", cloud.deps)
    cloud.clock.advance(timedelta(seconds=31))
    answer = classify(cloud, "one")
    assert answer["closedBecause"] == "BUDGET"
    assert submit_batches(cloud.deps)["jobs"] == 0
    (audit,) = cloud.client.collection("config/runtime/audit").stream()
    assert (audit.to_dict() or {})["by"] == "root"
    cloud.clock.advance(timedelta(hours=1))
    assert classify(cloud, "two")["mode"] == "instant"
    assert submit_batches(cloud.deps)["jobs"] == 1


def test_a_lost_state_is_made_anew_from_the_days_that_there_are(cloud: InProcessCloud) -> None:
    """Whoever deletes `stats/budget` does not reopen the month: its days are found and counted again."""
    cost = job(cloud, classify(cloud, "one"))["costMicros"]
    day = today(cloud)
    cloud.clock.advance(timedelta(days=9))
    guard_budget(cloud.deps)
    cloud.client.document("stats/budget").delete()
    cloud.clock.advance(timedelta(seconds=31))
    guard_budget(cloud.deps)
    assert stored(cloud, "stats/budget")["committed"][day] == cost
