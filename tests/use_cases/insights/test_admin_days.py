"""`admin_days`: the last days in rows, and what they would have been under other settings."""

from datetime import timedelta
from typing import Any

import pytest

from functions.core.config.runtime import RuntimeConfig
from functions.core.shared.errors import InvalidRequest
from functions.core.shared.utc_days import day_bounds
from functions.use_cases.insights.admin_days import AdminDays, admin_days
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.inprocess import InProcessCloud
from tests.core.insights.days import usage_day
from tests.steps import classify, enqueue, listed, stored, ticks

HOUR = timedelta(hours=1)


def looked_at(cloud: InProcessCloud, changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what an operator gets."""
    return admin_days(AdminDays(changes=changes), "root", cloud.deps)


def noted_days(days: int) -> InProcessCloud:
    """Return a cloud with so many days that are over, each with three instant and four batch photos."""
    cloud = InProcessCloud(seed=1)
    for back in range(1, days + 1):
        day = (cloud.clock() - timedelta(days=back)).date().isoformat()
        usage = usage_day(day, instant=3, batch=4, visits={"all": 5, "0": 2, "1": 1}, tokens={"charge": -19})
        cloud.client.document(f"usage/{day}").set(usage.model_dump(by_alias=True))
    return cloud


def test_a_row_is_what_the_days_jobs_and_ledgers_say() -> None:
    """Photos through the real lanes, over midnight: asked for, paid to the provider, paid by users."""
    cloud = InProcessCloud(seed=1)
    guard_budget(cloud.deps)
    day = cloud.clock().date().isoformat()
    classify(cloud, "one")
    enqueue(cloud, "bob", 3)
    ticks(cloud, 13 * HOUR)
    guard_budget(cloud.deps)
    (row,) = looked_at(cloud)["days"]
    jobs = listed(cloud, "aiJobs").values()
    assert (row["day"], row["asked"]) == (day, {"instant": 1, "batch": 3})
    assert row["micros"] == sum(job["costMicros"] for job in jobs)
    assert row["tokens"]["charge"] == -8
    assert row["visits"] == {"all": 2, "0": 2, "1": 0, "7": 0, "28": 0}
    assert row["cohorts"] == {}
    models = looked_at(cloud)["models"]
    assert [(each["lane"], each["week"]["ended"], each["before"]["ended"]) for each in models] == [
        ("instant", 1, 0),
        ("batch", 3, 0),
    ]
    assert sum(each["week"]["micros"] for each in models) == row["micros"]


def test_a_change_is_tried_on_the_days_and_changes_nothing() -> None:
    """The closed lane moves all, for half the money; the document, and what is in force, stay as they were."""
    cloud = noted_days(28)
    found = looked_at(cloud, {"instant": {"open": False}})
    tried = found["whatIf"]
    assert len(found["days"]) == len(tried["changed"]) == 28
    assert {each["micros"] for each in tried["asSet"].values()} == {1_000}
    assert {(each["moved"], each["micros"]) for each in tried["changed"].values()} == {(3, 700)}
    assert {"1": 2} in [row["cohorts"] for row in found["days"]]
    assert listed(cloud, "config") == {}
    assert cloud.deps.runtime() == RuntimeConfig()


def test_a_change_is_tried_on_what_is_in_force_now() -> None:
    """Another operator's of a moment ago is there already."""
    cloud = noted_days(7)
    assert looked_at(cloud, {})["whatIf"]["asSet"] == looked_at(cloud, {})["whatIf"]["changed"]
    cloud.client.document("config/runtime").set({"instant": {"open": False}})
    tried = looked_at(cloud, {"tokens": {"instantPrice": 6}})["whatIf"]
    assert {each["moved"] for each in tried["asSet"].values()} == {3}


def test_too_few_days_say_so() -> None:
    """The rows are there, and from how many days on there is more; a change is checked anyway."""
    cloud = noted_days(6)
    found = looked_at(cloud, {"instant": {"open": False}})
    assert (len(found["days"]), found["daysLeast"], found["whatIf"]) == (6, 7, None)
    assert looked_at(InProcessCloud(seed=1))["days"] == []
    with pytest.raises(InvalidRequest, match=r"tokens\.instantPrice: must be at least 1"):
        looked_at(cloud, {"tokens": {"instantPrice": 0}})
    with pytest.raises(InvalidRequest, match="there is no such field"):
        looked_at(cloud, {"tokens": {"instantPrize": 5}})


def test_a_day_that_cannot_be_read_costs_that_day() -> None:
    """A hand has written into one of eight."""
    cloud = noted_days(8)
    day = (cloud.clock() - timedelta(days=3)).date().isoformat()
    cloud.client.document(f"usage/{day}").set({**stored(cloud, f"usage/{day}"), "slots": "none"})
    found = looked_at(cloud, {"instant": {"open": False}})
    assert len(found["days"]) == len(found["whatIf"]["changed"]) == 7
    assert day not in found["whatIf"]["changed"]


def test_a_look_has_a_bounded_price() -> None:
    """However many days there are: these, as many before for who came back, and the config twice."""
    cloud = noted_days(80)
    all_on = {"flags": {"model": {"cohort": "test"}}, "cache": {"near": "on"}}
    for config, changes, reads in (({}, None, 56), ({}, {}, 56 + 6), (all_on, {}, 56 + 10)):
        cloud.client.document("config/runtime").set(config)
        cloud.restart()
        cloud.firestore.bill.reset()
        looked_at(cloud, changes)
        totals = cloud.firestore.bill.reset()["totals"]
        assert (totals["reads"], totals["writes"]) == (reads, 0)


def test_days_are_utc() -> None:
    """The last row is yesterday's, a minute after midnight UTC too, once the guard has noted its end."""
    cloud = noted_days(2)
    _, midnight = day_bounds(cloud.clock().date().isoformat())
    cloud.clock.now = midnight + timedelta(minutes=1)
    assert [row["day"] for row in looked_at(cloud)["days"]] == ["2026-11-19", "2026-11-20"]
