"""What the guard notices besides money, and what `admin_stats` shows of it."""

from datetime import timedelta
from typing import Any

import pytest
from firebase_functions.scheduler_fn import ScheduledEvent

from functions import log
from functions.edge.crons import CronError, run_cron
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.operations.admin_stats import AdminStats, admin_stats
from functions.use_cases.operations.guard_budget import guard_budget
from functions.wiring import Deps
from scripts.inprocess import InProcessCloud
from tests.steps import alerts, classify


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> InProcessCloud:
    """An empty cloud, in which crons run behind the edge as they do when deployed."""
    cloud = InProcessCloud(seed=1)
    monkeypatch.setattr("functions.wiring.deps", lambda: cloud.deps)
    return cloud


def run(cloud: InProcessCloud, handle: Any) -> None:
    """Let Scheduler run a function."""
    run_cron(ScheduledEvent(job_name="tick", schedule_time=cloud.clock()), handle)


def stats(cloud: InProcessCloud) -> dict[str, Any]:
    """Return what operators see."""
    return admin_stats(AdminStats(), "root", cloud.deps)


def test_a_queue_that_nobody_takes_from_is_told_once(cloud: InProcessCloud) -> None:
    """After two hours, in an alert that the guard delivers, and not again that day."""
    classify(cloud, "photo-one", "batch")
    cloud.clock.advance(timedelta(hours=2))
    guard_budget(cloud.deps)
    assert {alert["kind"] for alert in alerts(cloud).values()} == set()
    cloud.clock.advance(timedelta(minutes=1))
    assert guard_budget(cloud.deps)["raised"] == 1
    assert guard_budget(cloud.deps)["raised"] == 0
    assert {alert["kind"] for alert in alerts(cloud).values()} == {"queue_old"}
    (shown,) = stats(cloud)["alerts"]
    assert (shown["kind"], shown["delivered"]) == ("queue_old", True)


def test_a_batch_that_nobody_polls_is_told(cloud: InProcessCloud) -> None:
    """An hour after it was due; operators see its id."""
    classify(cloud, "photo-one", "batch")
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(minutes=70))
    guard_budget(cloud.deps)
    assert {alert["kind"] for alert in alerts(cloud).values()} == {"batch_stuck"}
    batches = stats(cloud)["batches"]
    (batch,) = cloud.client.collection("batches").stream()
    assert batches == {
        "open": {"building": 0, "uploaded": 0, "submitted": 1, "collecting": 0},
        "overdue": [batch.id],
    }


def test_a_cron_that_does_not_come_is_told(cloud: InProcessCloud) -> None:
    """Each run leaves word; the guard misses the next one."""
    run(cloud, submit_batches)
    assert stats(cloud)["crons"]["submit_batches"]["state"] == "ok"
    assert stats(cloud)["crons"]["poll_batches"]["state"] == "never"
    cloud.clock.advance(timedelta(minutes=30))
    run(cloud, guard_budget)
    assert {alert["kind"] for alert in alerts(cloud).values()} == {"cron_late"}
    assert stats(cloud)["crons"]["submit_batches"]["state"] == "late"


def test_a_cron_that_fails_is_shown(cloud: InProcessCloud) -> None:
    """Until it succeeds again."""

    def submit_batches(_deps: Deps) -> dict[str, int]:
        raise ValueError("no")

    with pytest.raises(CronError):
        run(cloud, submit_batches)
    assert stats(cloud)["crons"]["submit_batches"]["state"] == "failing"
    cloud.clock.advance(timedelta(minutes=5))
    from functions.use_cases.batches.submit_batches import submit_batches as repaired  # noqa: PLC0415  (beside the one that fails)

    run(cloud, repaired)
    assert stats(cloud)["crons"]["submit_batches"]["state"] == "ok"


def test_a_run_ends_as_it_did_even_if_nobody_can_be_told(
    cloud: InProcessCloud, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that fails at the last write makes no failed run of a good one."""

    def down(*_: object) -> None:
        raise RuntimeError("the store is down")

    monkeypatch.setattr(cloud.deps.store, "write_cron_run", down)
    run(cloud, submit_batches)
    written = capfd.readouterr().out
    assert log.Event.CRON_FINISHED in written
    assert log.Event.CRON_UNRECORDED in written


@pytest.mark.parametrize(
    ("config", "mode", "because"),
    [
        ({}, "normal", "less than 80 % of today's limit is used"),
        ({"dailyLimitMicros": 0}, "closed", "today's limit has no room for another photo"),
        (
            {"overrideMode": "batch_only", "overrideUntil": "2026-11-22T00:00:00Z"},
            "batch_only",
            "an operator's override",
        ),
    ],
)
def test_operators_see_the_mode_and_why(cloud: InProcessCloud, config: dict[str, Any], mode: str, because: str) -> None:
    """A person who is asked why nothing is classified finds the answer here."""
    assert stats(cloud)["budget"]["because"] == "no guard has looked at this day yet"
    cloud.configure({"budget": config})
    guard_budget(cloud.deps)
    cloud.clock.advance(timedelta(minutes=1))
    budget = stats(cloud)["budget"]
    assert (budget["mode"], budget["because"]) == (mode, because)
    assert (budget["reopensAt"] is None) is (mode == "normal")
    assert (budget["override"] is None) is (because != "an operator's override")


def test_a_look_costs_a_few_reads(cloud: InProcessCloud) -> None:
    """Bounded, however much there is: what costs grow with is days, alerts and thousands."""
    for number in range(10):
        classify(cloud, f"photo-no-{number}", "batch")
    submit_batches(cloud.deps)
    before = cloud.firestore.bill.snapshot()["totals"]["reads"]
    stats(cloud)
    assert cloud.firestore.bill.snapshot()["totals"]["reads"] - before <= 20


def test_a_batch_that_openai_keeps_for_hours_is_told_with_its_own_count(cloud: InProcessCloud) -> None:
    """After six hours, with OpenAI's state and how many are answered; over when it has ended."""
    cloud.openai.faults.add("batch_stuck", minutes=None, state="in_progress")
    classify(cloud, "photo-one", "batch")
    submit_batches(cloud.deps)
    (batch,) = cloud.client.collection("batches").stream()
    for hours in range(7):
        guard_budget(cloud.deps)
        assert ("batch_slow" in {alert["kind"] for alert in alerts(cloud).values()}) is (hours == 6)
        for _ in range(4):
            cloud.clock.advance(timedelta(minutes=15))
            cloud.openai.tick()
            poll_batches(cloud.deps)
    guard_budget(cloud.deps)
    (told,) = [each for each in stats(cloud)["alerts"] if each["kind"] == "batch_slow"]
    assert f"{batch.id} at OpenAI since 2026-11-21 12:00 UTC (in_progress, 1 of 1 photos answered)" in told["text"]
    assert told["open"]
