"""`plan_ahead`: days are read once, what was issued is kept, and a run that dies leaves the plan before it."""

from contextlib import suppress
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Literal

import pytest

from functions.core.insights.day_notes import DayNotes
from functions.core.insights.forecast import DAYS_MIN
from functions.core.shared.alerts import Alert
from functions.use_cases.insights.plan_ahead import plan_ahead
from functions.use_cases.operations.admin_stats import AdminStats, admin_stats
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.inprocess import CrashError, InProcessCloud
from tests.core.insights.days import usage_day
from tests.steps import classify, enqueue, stored, ticks
from tests.test_crashes import Killer

DAY = timedelta(days=1)


def note(cloud: InProcessCloud, days: range, instant: int = 3, batch: int = 4) -> None:
    """Write the days so far back as the guard has noted them."""
    for back in days:
        day = (cloud.clock() - back * DAY).date().isoformat()
        usage = usage_day(day, instant=instant, batch=batch)
        cloud.client.document(f"usage/{day}").set(usage.model_dump(by_alias=True))


def noted_cloud(days: int) -> InProcessCloud:
    """Return a cloud with so many days that are over."""
    cloud = InProcessCloud(seed=1)
    note(cloud, range(1, days + 1))
    return cloud


def billed(cloud: InProcessCloud) -> tuple[dict[str, int], int, int]:
    """Return what a run counts, reads and writes."""
    cloud.firestore.bill.reset()
    counts = plan_ahead(cloud.deps)
    totals = cloud.firestore.bill.reset()["totals"]
    return counts, totals["reads"], totals["writes"]


def current(cloud: InProcessCloud) -> dict[str, Any]:
    """Return the plan that the page shows."""
    return stored(cloud, "forecasts/current")


def test_days_of_the_real_lanes_are_planned_from() -> None:
    """Photos through both lanes over midnight: what was asked for and paid, in short."""
    cloud = InProcessCloud(seed=1)
    guard_budget(cloud.deps)
    day = cloud.clock().date().isoformat()
    classify(cloud, "one")
    enqueue(cloud, "bob", 3)
    ticks(cloud, timedelta(hours=13))
    guard_budget(cloud.deps)
    counts = plan_ahead(cloud.deps)
    book = stored(cloud, f"budget/{day}")
    ((past),) = current(cloud)["past"]
    assert (past["day"], past["asked"]) == (day, {"instant": 1, "batch": 3})
    assert past["micros"] == sum(sum(models.values()) for models in book["costs"].values()) > 0
    assert counts == {"read": 1, "known": 0, "filled": 0, "expected": 0, "told": 0}


def test_every_day_is_read_once() -> None:
    """All of them at first; then four at the most, since batches add to the last ones."""
    cloud = noted_cloud(70)
    counts, reads, writes = billed(cloud)
    assert (counts["read"], counts["known"], writes) == (70, 69, 5)
    assert reads <= 3 + 70 + 8
    for ahead in (1, 2, 3):
        cloud.clock.advance(DAY)
        note(cloud, range(1, 2))
        counts, reads, writes = billed(cloud)
        assert (counts["read"], counts["known"], writes) == (3, 69 + ahead, 5)
        assert reads <= 3 + 3 + 8


def test_what_batches_brought_since_is_counted() -> None:
    """Two days later a day has cost more."""
    cloud = noted_cloud(30)
    plan_ahead(cloud.deps)
    cloud.clock.advance(2 * DAY)
    note(cloud, range(3, 4), batch=40)
    plan_ahead(cloud.deps)
    day = (cloud.clock() - 3 * DAY).date().isoformat()
    (row,) = [each for each in current(cloud)["past"] if each["day"] == day]
    assert row["micros"] == 3 * 200 + 40 * 100


def test_a_run_that_missed_its_days_makes_up_for_them() -> None:
    """For forty days nobody planned; then a gap of the guard's is filled and counted."""
    cloud = noted_cloud(30)
    plan_ahead(cloud.deps)
    cloud.clock.advance(40 * DAY)
    note(cloud, range(1, 41))
    cloud.client.document(f"usage/{(cloud.clock() - 5 * DAY).date().isoformat()}").delete()
    counts = plan_ahead(cloud.deps)
    assert (counts["known"], counts["filled"]) == (69, 1)


def test_a_second_run_of_a_day_issues_nothing_new() -> None:
    """Whatever is known by then; the plan itself is made anew."""
    cloud = noted_cloud(30)
    plan_ahead(cloud.deps)
    path = f"forecasts/weekday-{cloud.clock().weekday()}"
    issued, plan = stored(cloud, path), current(cloud)
    note(cloud, range(1, 3), instant=90)
    plan_ahead(cloud.deps)
    assert stored(cloud, path) == issued
    assert current(cloud)["lanes"] != plan["lanes"]


def test_forecasts_of_each_weekday_are_kept_apart() -> None:
    """Of two weeks, two of each."""
    cloud = noted_cloud(30)
    for _ in range(14):
        plan_ahead(cloud.deps)
        cloud.clock.advance(DAY)
        note(cloud, range(1, 2))
    assert {len(stored(cloud, f"forecasts/weekday-{n}")["issued"]) for n in range(7)} == {2}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_that_dies_leaves_one_plan_or_the_other(when: Literal["before", "after"]) -> None:
    """All that is stored is stored in one commit: killed at each outside call in turn, and run again."""
    cloud = noted_cloud(30)
    plan_ahead(cloud.deps)
    cloud.clock.advance(DAY)
    note(cloud, range(1, 2))
    died = True
    for at in range(1, 20):
        killer = Killer(at, when)
        with cloud.interrupting(killer), suppress(CrashError):
            plan_ahead(cloud.deps)
        cloud.restart()
        died = killer.dead
        plan, days = current(cloud), stored(cloud, "forecasts/days")["days"]
        assert (plan["known"], len(days)) in {(29, 30), (30, 31)}
        assert plan["known"] == len(days) - 1
        if not died:
            break
    assert not died
    assert current(cloud)["known"] == 30


def test_events_and_limits_are_those_in_force() -> None:
    """A campaign in the operators' calendar, and a month that is nearly spent."""
    cloud = noted_cloud(DAYS_MIN + 10)
    first = cloud.clock().date()
    event = {"name": "sale", "since": first.isoformat(), "until": first.isoformat(), "percent": 300}
    cloud.client.document("config/runtime").set(
        {"ahead": {"events": [event]}, "budget": {"monthlyLimitMicros": 21_000}}
    )
    cloud.restart()
    plan_ahead(cloud.deps)
    plan = current(cloud)
    assert plan["lanes"]["instant"]["expected"][:2] == [9, 3]
    assert (plan["month"]["spent"], plan["month"]["limit"], plan["month"]["expected"]) == (20_000, 21_000, 21_000)
    assert plan["days"][0]["waiting"] == 14


def test_damaged_notes_cost_a_look_at_the_days() -> None:
    """A hand has written over them: they are read anew."""
    cloud = noted_cloud(30)
    plan_ahead(cloud.deps)
    cloud.client.document("forecasts/days").set({"days": "none"})
    assert plan_ahead(cloud.deps)["read"] == 30
    kept = DayNotes.model_validate(stored(cloud, "forecasts/days"))
    assert len(kept.days) == 30


def test_a_day_is_closed_once_and_its_webhook_is_signed_by_the_guard() -> None:
    """Four days after it, with its costs by lane; a day that was missed comes with the next."""
    cloud = noted_cloud(30)
    sent: list[Alert] = []
    cloud.restart(alerting=SimpleNamespace(send=sent.append))
    for _ in range(2):
        plan_ahead(cloud.deps)
        guard_budget(cloud.deps)
    closed = [(each.day, each.data) for each in sent if each.kind == "day_closed"]
    costs = {"photos": {"instant": 3, "batch": 4}, "micros": {"instant": 600, "batch": 400}, "totalMicros": 1_000}
    assert closed == [("2026-11-17", costs)]
    assert sent[-1].text == "2026-11-17 is closed: 7 photos, $0.001000."
    cloud.clock.advance(2 * DAY)
    note(cloud, range(1, 3))
    plan_ahead(cloud.deps)
    guard_budget(cloud.deps)
    assert [each.day for each in sent if each.kind == "day_closed"] == ["2026-11-17", "2026-11-18", "2026-11-19"]
    assert admin_stats(AdminStats(), "root", cloud.deps)["alerts"] == []
