"""Jobs, batches, leases and shards that cannot be read."""

from datetime import timedelta
from typing import Any

import pytest

from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.jobs.list_jobs import ListJobs, list_jobs
from functions.use_cases.jobs.recover_jobs import recover_jobs
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.inprocess import InProcessCloud
from tests.steps import enqueue, job, letters, statuses, stored
from tests.use_cases.batches.one_bad_item.steps import CONFIG, alert_texts, batch_ids, ticks

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
    before = stored(cloud, f"batches/{damaged}")
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
