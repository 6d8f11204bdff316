"""If a bulk job's run dies here: before and after each call that leaves the process. Then nothing but the crons goes
on, and the user repeats what was not answered."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from functions.use_cases.bulk.run_bulk import run_bulk
from scripts.inprocess import InProcessCloud
from tests.steps import BATCH_CRONS, PHOTO, listed, wallet
from tests.test_crashes import Killer, When
from tests.use_cases.bulk.test_bulk import cancel, entries, report, start, tick

PHOTOS, PAGE = 14, 6
MISSING = "trip-0003.jpg"


def uploaded(cloud: InProcessCloud) -> None:
    """Fourteen photos of a folder: three pages, of which a run of the submitter takes two."""
    cloud.configure({"tokens": {"welcome": 200}, "batch": {"jobsPerBatch": 6, "batchesPerRun": 2}})
    for number in range(PHOTOS):
        cloud.upload("ann", f"trip-{number:04}.jpg", PHOTO)


def started(cloud: InProcessCloud) -> None:
    """A bulk job of them; one photo is gone by now."""
    uploaded(cloud)
    start(cloud)
    del cloud.files.objects[f"users/ann/uploads/{MISSING}"]


def half_sent(cloud: InProcessCloud) -> None:
    """Twelve photos were taken on and sent, the others are queued."""
    started(cloud)
    tick(cloud)
    run_bulk(cloud.deps)


def cancelled(cloud: InProcessCloud) -> None:
    """And the bulk job is not wanted any more."""
    half_sent(cloud)
    cancel(cloud, only_bulk(cloud))


def answered(cloud: InProcessCloud) -> None:
    """All are answered, and nobody has counted."""
    half_sent(cloud)
    for _ in range(3):
        for cron in BATCH_CRONS:
            cron(cloud.deps)
        cloud.clock.advance(timedelta(minutes=30))


def only_bulk(cloud: InProcessCloud) -> str:
    """Return the id of the bulk job."""
    (found,) = listed(cloud, "bulkJobs")
    return found


Run = Callable[[InProcessCloud], Any]
SCENARIOS: dict[str, tuple[Run, Run]] = {
    "start": (uploaded, start),
    "take on": (started, lambda cloud: run_bulk(cloud.deps)),
    "cancel": (half_sent, lambda cloud: cancel(cloud, only_bulk(cloud))),
    "cancel what is queued": (cancelled, lambda cloud: run_bulk(cloud.deps)),
    "report": (answered, lambda cloud: run_bulk(cloud.deps)),
}


def outside_calls(name: str, when: When) -> int:
    """Return how many outside calls a scenario begins, or comes back from, when nothing goes wrong."""
    prepare, run = SCENARIOS[name]
    cloud = InProcessCloud(seed=1)
    prepare(cloud)
    cloud.interrupt = counter = Killer(at=0, when=when)
    run(cloud)
    return counter.calls


WHENS: tuple[When, ...] = ("before", "after")


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_crash_anywhere_loses_nothing(monkeypatch: pytest.MonkeyPatch, name: str, when: When) -> None:
    """Every photo that was taken on is one job with one outcome, every token is where it belongs, and there is a
    report."""
    monkeypatch.setattr("functions.use_cases.bulk.taking.PAGE", PAGE)
    calls = outside_calls(name, when)
    assert calls > 2
    for at in range(1, calls + 1):
        prepare, run = SCENARIOS[name]
        cloud = InProcessCloud(seed=1)
        prepare(cloud)
        cloud.interrupt = killer = Killer(at, when)
        with suppress(BaseException):  # a client library may cover it with an error of its own
            run(cloud)
        cloud.restart()
        settle(cloud, name)
        examine(cloud, cancelled=name.startswith("cancel"))
        assert killer.dead, at


def settle(cloud: InProcessCloud, name: str) -> None:
    """Let the user repeat what was not answered, and the crons run until there is nothing left to do."""
    cloud.clock.advance(timedelta(minutes=2))  # locks of the dead process are gone
    if name == "start":
        start(cloud)
    if name == "cancel":
        cancel(cloud, only_bulk(cloud))
    for _ in range(300):
        tick(cloud)
        if listed(cloud, "bulkJobs")[only_bulk(cloud)]["completedAt"]:
            return
    raise AssertionError(f"never ended: {listed(cloud, 'bulkJobs')}")


def examine(cloud: InProcessCloud, *, cancelled: bool) -> None:
    """Check what must be true in the end."""
    bulk_id, jobs = only_bulk(cloud), listed(cloud, "aiJobs")
    bulk = listed(cloud, "bulkJobs")[bulk_id]
    found = Counter(job["status"] for job in jobs.values())
    assert (found["done"], found["failed"], found["cancelled"]) == (bulk["done"], bulk["failed"], bulk["cancelled"])
    assert sum(found.values()) == bulk["taken"] == len({job["imagePath"] for job in jobs.values()})
    assert (bulk["state"] == "cancelled") is cancelled
    if not cancelled:
        assert bulk["taken"] == PHOTOS
    kept = sum(job["tokensCost"] for job in jobs.values() if job["status"] == "done")
    paid = -sum(delta for name, delta, _ in entries(cloud) if name in {"bulk", "refund"})
    assert paid == kept
    assert wallet(cloud)["points"] == 10 * kept
    assert wallet(cloud)["months"][0]["batch"] == kept
    assert wallet(cloud)["balance"] == sum(delta for _, delta, _ in entries(cloud))
    rows = Counter(row["status"] for row in report(cloud, bulk_id))
    assert rows == +Counter({**found, "not_taken": PHOTOS - bulk["taken"]})
