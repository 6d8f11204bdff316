"""One bad item costs that item: the batch lane goes on beside a broken document, photo, answer or wallet.

Each of these faults stays until somebody mends it: those that pass by themselves are the subject of other tests.
"""

import uuid
from datetime import timedelta
from typing import Any

import pytest

from functions.classify_image import ClassifyImage, classify_image
from functions.guard_budget import guard_budget
from functions.list_jobs import ListJobs, list_jobs
from functions.poll_batches import poll_batches
from functions.recover_jobs import recover_jobs
from functions.submit_batches import submit_batches
from scripts.emulators.inprocess import InProcessCloud
from tests.app import photo

PHOTO = photo(64)
FIVE_MINUTES = timedelta(minutes=5)
UNLIMITED = {"instantPerDay": 1_000, "batchPerDay": 10_000, "manualPerDay": 10, "callsPerMinute": 10_000, "priority": 0}
CONFIG: dict[str, Any] = {"tokens": {"welcome": 200}, "plans": {"free": UNLIMITED}}


@pytest.fixture
def cloud() -> InProcessCloud:
    """A cloud of one's own, in which users have tokens enough."""
    cloud = InProcessCloud(seed=1)
    cloud.configure(CONFIG)
    return cloud


def enqueue(cloud: InProcessCloud, user: str, count: int = 1, mode: str = "batch") -> list[str]:
    """Ask for photos of a user and return their jobs' ids, the oldest first."""
    ids = []
    for _ in range(count):
        key = uuid.uuid4().hex
        request = {"requestId": key, "imagePath": cloud.upload(user, f"{key}.jpg", PHOTO), "mode": mode}
        ids.append(str(classify_image(ClassifyImage.model_validate(request), user, cloud.deps)["jobId"]))
        cloud.clock.advance(timedelta(milliseconds=1))
    return ids


def document(cloud: InProcessCloud, path: str) -> dict[str, Any]:
    """Return a document's fields."""
    return cloud.client.document(path).get().to_dict() or {}


def job(cloud: InProcessCloud, job_id: str) -> dict[str, Any]:
    """Return a job's document."""
    return document(cloud, f"aiJobs/{job_id}")


def statuses(cloud: InProcessCloud, job_ids: list[str]) -> list[str]:
    """Return the status of each job."""
    return [job(cloud, job_id)["status"] for job_id in job_ids]


def ticks(cloud: InProcessCloud, duration: timedelta) -> None:
    """Let the crons run every five minutes for a while."""
    end = cloud.clock() + duration
    while cloud.clock() < end:
        submit_batches(cloud.deps)
        poll_batches(cloud.deps)
        recover_jobs(cloud.deps)
        cloud.clock.advance(FIVE_MINUTES)


def batch_ids(cloud: InProcessCloud) -> list[str]:
    """Return the ids of all batches, the oldest first."""
    return [each.id for each in cloud.client.collection("batches").order_by("createdAt").stream()]


def alert_texts(cloud: InProcessCloud, kind: str) -> list[str]:
    """Return the texts of the alerts of a kind."""
    return [each.get("text") for each in cloud.client.collection("alerts").stream() if each.get("kind") == kind]


def letters(cloud: InProcessCloud) -> dict[str, str]:
    """Return the reasons of the dead letters by the path that each is about."""
    return {each.get("path"): each.get("reason") for each in cloud.client.collection("deadLetters").stream()}


DAMAGES: dict[str, dict[str, Any]] = {
    "a text for a time": {"createdAt": "yesterday"},
    "a text for a number": {"tokensCost": "one"},
    "a field that is gone": {"uid": None},
}


@pytest.mark.parametrize("damage", list(DAMAGES.values()), ids=list(DAMAGES))
def test_a_damaged_job_leaves_the_queue_to_the_others(cloud: InProcessCloud, damage: dict[str, Any]) -> None:
    """A job that cannot be read, at the head of the queue, is set aside and named; all others are answered, and it is
    answered itself once it is repaired."""
    first, *others = enqueue(cloud, "ann", 4)
    before = job(cloud, first)
    cloud.client.document(f"aiJobs/{first}").update(damage)
    assert submit_batches(cloud.deps)["damaged"] == 1
    assert submit_batches(cloud.deps)["damaged"] == 0, "it is met again by every run"
    cloud.clock.advance(timedelta(minutes=30))
    poll_batches(cloud.deps)
    assert statuses(cloud, others) == ["done"] * 3
    assert list(letters(cloud)) == [f"aiJobs/{first}"]
    (text,) = alert_texts(cloud, "document_damaged")
    assert text.startswith(f"aiJobs/{first}: {next(iter(damage))}: ")
    cloud.client.document(f"aiJobs/{first}").update({name: before[name] for name in damage})
    ticks(cloud, timedelta(hours=2))
    assert statuses(cloud, [first]) == ["done"]


def test_damaged_jobs_do_not_stop_a_closed_budget_or_a_page_of_jobs(cloud: InProcessCloud) -> None:
    """While nothing is sent, whoever waited too long is refunded beside a job that cannot be read; and a page of jobs
    goes on after it."""
    first, second, third = enqueue(cloud, "ann", 3)
    cloud.client.document(f"aiJobs/{second}").update(DAMAGES["a text for a number"])
    page = list_jobs(ListJobs(limit=2), "ann", cloud.deps)
    assert [each["jobId"] for each in page["jobs"]] == [third]
    (last,) = list_jobs(ListJobs(limit=2, cursor=page["nextCursor"]), "ann", cloud.deps)["jobs"]
    assert last["jobId"] == first
    cloud.configure(
        {**CONFIG, "budget": {"overrideMode": "closed", "overrideUntil": cloud.clock() + timedelta(days=9)}}
    )
    ticks(cloud, timedelta(hours=27))
    assert statuses(cloud, [first, second, third]) == ["failed", "queued", "failed"]


@pytest.mark.parametrize("state", ["building", "submitted"])
def test_a_damaged_batch_holds_up_no_other(cloud: InProcessCloud, state: str) -> None:
    """A batch that cannot be read is set aside and named; the others are taken further, and so is it once repaired."""
    cloud.configure({**CONFIG, "batch": {"jobsPerBatch": 1, "batchesPerRun": 2}})
    jobs = enqueue(cloud, "ann", 2)
    submit_batches(cloud.deps)
    damaged, _ = batch_ids(cloud)
    before = document(cloud, f"batches/{damaged}")
    cloud.client.document(f"batches/{damaged}").update({"model": None, "state": state})
    cloud.clock.advance(timedelta(minutes=30))
    counts = [submit_batches(cloud.deps), poll_batches(cloud.deps)]
    assert sum(count["damaged"] for count in counts) == 1
    assert sorted(statuses(cloud, jobs)) == ["done", "processing"]
    assert list(letters(cloud)) == [f"batches/{damaged}"]
    assert len(alert_texts(cloud, "document_damaged")) == 1
    cloud.client.document(f"batches/{damaged}").update({"model": before["model"], "state": "submitted"})
    ticks(cloud, timedelta(hours=2))
    assert statuses(cloud, jobs) == ["done", "done"]


def test_a_damaged_lease_holds_up_no_other(cloud: InProcessCloud) -> None:
    """An instant job that cannot be read is set aside; others whose call never came back are refunded."""
    jobs = enqueue(cloud, "ann", 2)
    for job_id in jobs:
        cloud.client.document(f"aiJobs/{job_id}").update({"status": "processing", "leaseUntil": cloud.clock()})
    cloud.client.document(f"aiJobs/{jobs[0]}").update({"region": None})
    counts = recover_jobs(cloud.deps)
    assert (counts["recovered"], counts["damaged"]) == (1, 1)
    assert statuses(cloud, jobs) == ["processing", "failed"]
    assert recover_jobs(cloud.deps)["damaged"] == 0


def test_a_damaged_shard_takes_no_hold_and_stops_nobody(cloud: InProcessCloud) -> None:
    """A shard of the budget that cannot be read is passed over by calls and batches, and made anew by the guard."""
    guard_budget(cloud.deps)
    day = cloud.clock().date().isoformat()
    for number in range(3):
        cloud.client.document(f"budget/{day}/shards/{number}").update({"limit": "much"})
    instant = enqueue(cloud, "ann", 12, mode="instant")
    queued = enqueue(cloud, "ann", 3)
    submit_batches(cloud.deps)
    assert statuses(cloud, instant) == ["done"] * 12
    assert statuses(cloud, queued) == ["processing"] * 3
    guard_budget(cloud.deps)
    shards = cloud.deps.store.budget_shards(day)
    assert {"0", "1", "2"} <= shards.keys()
    assert sum(shard.spent for shard in shards.values()) == sum(job(cloud, each)["hold"]["settled"] for each in instant)
