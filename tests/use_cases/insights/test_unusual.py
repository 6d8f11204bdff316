"""What is unusual is told within the hour, once, until it is over; and days that are over, once."""

from datetime import timedelta
from typing import Any

import pytest

from functions.core.insights.usage_day import UsageDay
from functions.use_cases.insights.plan_ahead import plan_ahead
from functions.use_cases.insights.unusual import unusual_now
from functions.use_cases.operations.admin_mark_alert import AdminMarkAlert, admin_mark_alert
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.inprocess import InProcessCloud
from tests.core.insights.days import usage_day
from tests.steps import alerts, enqueue, listed
from tests.use_cases.budget.books import configure

QUARTER, DAY = timedelta(minutes=15), timedelta(days=1)
EVERY_HOUR = tuple(range(24))


def a_cloud(days: int = 56) -> InProcessCloud:
    """Return a cloud with so many usual days, two batch photos in each hour, and today's plan."""
    cloud = InProcessCloud(seed=1)
    configure(cloud)
    for back in range(1, days + 1):
        note(cloud, back)
    plan_ahead(cloud.deps)
    return cloud


def note(cloud: InProcessCloud, back: int, batch: int = 2, **more: Any) -> None:
    """Write a day as the guard has noted it."""
    day = (cloud.clock() - back * DAY).date().isoformat()
    usage = usage_day(day, batch=batch, hours=EVERY_HOUR, **more)
    cloud.client.document(f"usage/{day}").set(usage.model_dump(by_alias=True))


def an_hour(cloud: InProcessCloud, photos: int) -> None:
    """Let an hour go by, with so many photos in each quarter, after which the guard looks."""
    for _ in range(4):
        enqueue(cloud, "bob", photos)
        cloud.clock.advance(QUARTER)
        guard_budget(cloud.deps)


def told(cloud: InProcessCloud) -> dict[str, bool]:
    """Return the alerts of what is unusual, and whether each is open."""
    return {name: each["open"] for name, each in alerts(cloud).items() if each["kind"].endswith("_unusual")}


def test_a_spike_is_told_within_the_hour_and_is_over_after_it() -> None:
    """Once, though it lasts; with the figures."""
    cloud = a_cloud()
    guard_budget(cloud.deps)
    an_hour(cloud, 1)
    assert told(cloud) == {}
    an_hour(cloud, 6)
    assert told(cloud) == {"demand_unusual-2026-11-21": True}
    (alert,) = alerts(cloud, "demand_unusual").values()
    assert alert["text"].endswith("photos in an hour, usually about 2.")
    an_hour(cloud, 6)
    assert len(told(cloud)) == 1
    an_hour(cloud, 0)
    assert told(cloud) == {"demand_unusual-2026-11-21": False}


def test_an_episode_goes_on_while_it_is_still_unusual() -> None:
    """Twice as many begin nothing, and keep open what has begun."""
    cloud = a_cloud()
    guard_budget(cloud.deps)
    an_hour(cloud, 6)
    an_hour(cloud, 1)
    assert told(cloud) == {"demand_unusual-2026-11-21": True}


def test_a_look_that_fails_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody has looked at is not over; the next look says so."""
    cloud = a_cloud()
    guard_budget(cloud.deps)
    an_hour(cloud, 6)

    def fails(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr("functions.use_cases.operations.guard_budget.unusual_now", fails)
        an_hour(cloud, 0)
        assert told(cloud) == {"demand_unusual-2026-11-21": True}
    guard_budget(cloud.deps)
    assert told(cloud) == {"demand_unusual-2026-11-21": False}


def test_too_few_days_alarm_nobody() -> None:
    """Twenty; and a plan of yesterday's says nothing of today."""
    cloud = a_cloud(20)
    guard_budget(cloud.deps)
    an_hour(cloud, 9)
    assert told(cloud) == {}
    old = a_cloud()
    old.clock.advance(DAY)
    guard_budget(old.deps)
    an_hour(old, 9)
    assert told(old) == {}


def test_what_cannot_be_looked_at_ends_nothing() -> None:
    """A guard that could not note the day knows of no hour."""
    cloud = a_cloud()
    guard_budget(cloud.deps)
    an_hour(cloud, 6)
    cloud.client.document("forecasts/watch").set({"usual": "nothing"})
    assert unusual_now(None, cloud.deps) == {}
    assert unusual_now(UsageDay(), cloud.deps) == {}


def test_what_was_expected_is_not_told_again_that_day() -> None:
    """An operator says so; it opens again without a message. A verdict can be changed; an unknown alert has none."""
    cloud = a_cloud()
    guard_budget(cloud.deps)
    an_hour(cloud, 6)
    name = "demand_unusual-2026-11-21"
    for verdict in ("useful", "expected"):
        marked = AdminMarkAlert.model_validate({"alert": name, "verdict": verdict})
        assert admin_mark_alert(marked, "ana", cloud.deps) == {
            "alert": name,
            "verdict": verdict,
            "marked": True,
        }
    an_hour(cloud, 0)
    an_hour(cloud, 0)
    an_hour(cloud, 6)
    alert = listed(cloud, "alerts")[name]
    assert (alert["open"], alert["verdict"], alert["verdictBy"], alert["dueAt"]) == (True, "expected", "ana", None)
    unknown = AdminMarkAlert.model_validate({"alert": "drift-2026-01-01", "verdict": "useful"})
    assert not admin_mark_alert(unknown, "ana", cloud.deps)["marked"]


def test_a_day_that_fell_is_told_once() -> None:
    """When it is over; users who did not come back as well. A second run of the day tells nothing."""
    cloud = InProcessCloud(seed=1)
    for back in range(1, 60):
        note(cloud, back, visits={"all": 200, "0": 100, "1": 50})
    plan_ahead(cloud.deps)
    assert told(cloud) == {}
    cloud.clock.advance(DAY)
    note(cloud, 1, batch=1, visits={"all": 80, "0": 100, "1": 5})
    assert plan_ahead(cloud.deps)["told"] == 2
    assert plan_ahead(cloud.deps)["told"] == 0
    texts = {each["kind"]: each["text"] for name, each in alerts(cloud).items() if name in told(cloud)}
    assert texts == {
        "demand_unusual": "Photos asked for on 2026-11-21: 24, about 48 were expected.",
        "retention_unusual": (
            "Users who came back on 2026-11-21, the day after their first photo: 5, about 50 were expected."
        ),
    }


def test_a_day_of_which_the_guard_has_told_is_not_told_again() -> None:
    """The alert of its hour was of the same photos."""
    cloud = InProcessCloud(seed=1)
    for back in range(1, 60):
        note(cloud, back)
    plan_ahead(cloud.deps)
    cloud.clock.advance(DAY)
    note(cloud, 1, batch=20)
    alert = {"kind": "demand_unusual", "day": "2026-11-21", "text": "", "createdAt": cloud.clock() - DAY / 2}
    cloud.client.document("alerts/demand_unusual-2026-11-21").set(
        {**alert, "dueAt": None, "expireAt": cloud.clock() + DAY}
    )
    assert plan_ahead(cloud.deps)["told"] == 0
