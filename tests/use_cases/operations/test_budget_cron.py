"""The guard as it runs: the deployed function over HTTP, fired by cron, on the local cloud's Firestore."""

from datetime import timedelta
from typing import Any

import pytest

from localcloud.cloud import LocalCloud
from tests.app import App
from tests.conftest import Configure

GUARD = timedelta(minutes=15)


def document(cloud: LocalCloud, path: str) -> dict[str, Any]:
    """Return a document as an operator reads it."""
    return cloud.firestore_client().document(path).get().to_dict() or {}


def today(cloud: LocalCloud) -> str:
    """Return the day by the cloud's clock."""
    return cloud.clock().date().isoformat()


@pytest.fixture(autouse=True)
def day_with_time_left(cloud: LocalCloud) -> None:
    """Begin no test in the last hours of a day: the machine's clock is where the local cloud's begins."""
    if (cloud.clock() + timedelta(hours=3)).date() != cloud.clock().date():
        cloud.advance(timedelta(hours=3))


def guarded(cloud: LocalCloud) -> None:
    """Let cron run until the guard has looked once more, and processes have seen what it found."""
    ticks = [tick for tick in cloud.advance(GUARD) if tick.name == "guard_budget"]
    assert ticks
    assert all(tick.ok for tick in ticks)
    cloud.advance(timedelta(seconds=31))


def test_cron_keeps_the_books_of_the_day(cloud: LocalCloud, app: App) -> None:
    """A photo's cost is in them after the next tick, by lane and model, with nothing left in reserve."""
    before = document(cloud, f"budget/{today(cloud)}").get("costs", {}).get("instant", {}).get("gpt-6-luna", 0)
    job = app.stored_job(app.classify(mode="instant")["jobId"])
    day = job["hold"]["day"]
    guarded(cloud)
    book = document(cloud, f"budget/{day}")
    assert book["costs"]["instant"]["gpt-6-luna"] >= before * (day == today(cloud)) + job["costMicros"]
    assert book["reserved"] + book["spent"] <= book["limit"]
    assert book["users"].get(app.user.uid, job["costMicros"]) == job["costMicros"]


def test_a_limit_that_is_reached_closes_and_a_raised_one_reopens(
    cloud: LocalCloud, app: App, configure: Configure
) -> None:
    """What users see, from tick to tick: open, closed with the time of reopening and an alert, open again."""
    app.classify(mode="instant")
    configure({"budget": {"dailyLimitMicros": 1}})
    guarded(cloud)
    quoted = app.call("quote")
    assert (quoted["instant"]["open"], quoted["instant"]["closedBecause"]) == (False, "BUDGET")
    assert quoted["instant"]["opensAt"] == quoted["batch"]["pausedUntil"] is not None
    refusal = app.refused(
        "classify_image", requestId="request-closed", imagePath=app.upload(), mode="instant", allowBatch=False
    )
    assert (refusal.status, refusal.details["reason"]) == (429, "BUDGET_EXHAUSTED")
    assert refusal.details["resetsAt"] == quoted["instant"]["opensAt"]
    queued = app.classify(mode="instant")
    assert (queued["mode"], queued["closedBecause"]) == ("batch", "BUDGET")
    alert = document(cloud, f"alerts/closed-{today(cloud)}")
    assert (alert["dueAt"], alert["attempts"]) == (None, 1)

    configure({})
    guarded(cloud)
    assert app.call("quote")["instant"]["open"] is True
    (done,) = app.until_final(queued["jobId"])
    assert done["status"] == "done"
