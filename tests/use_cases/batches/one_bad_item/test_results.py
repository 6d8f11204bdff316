"""Results, refunds and pushes that fail for one job or user."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from functions.adapters.messaging import Sent
from functions.core.batches.reports import read_line
from functions.core.jobs.attempts import answered
from functions.core.wallet.profile import PushSummary
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from scripts.inprocess import InProcessCloud
from tests.steps import batch_files, enqueue, held, job, letters, statement, statuses, stored, wallet
from tests.use_cases.batches.one_bad_item.steps import CONFIG, batch_ids, ticks


@pytest.mark.parametrize("patched", ["read_line", "parse"])
def test_an_answer_that_nobody_can_make_sense_of_costs_itself(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch, patched: str
) -> None:
    """Its photo is tried again and refunded after its attempts, whatever the error; the other results are there."""
    bad, *others = enqueue(cloud, "ann", 5)
    if patched == "read_line":
        monkeypatch.setattr("functions.use_cases.batches.collector.read_line", failing_for(bad, read_line))
    else:
        monkeypatch.setattr("functions.use_cases.batches.endings.answered", failing_for(bad, answered))
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(minutes=30))
    poll_batches(cloud.deps)
    assert statuses(cloud, others) == ["done"] * 4
    ticks(cloud, timedelta(hours=8))
    assert (job(cloud, bad)["status"], job(cloud, bad)["completedAt"] is not None) == ("failed", True)
    assert [tokens for entry, tokens, _ in statement(cloud) if entry.startswith("refund:")] == [1]
    assert held(cloud) == 0


def failing_for(job_id: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that fails at one job, in a way nobody foresaw."""

    def failing(*args: Any, **kwargs: Any) -> Any:
        if any(job_id in (getattr(arg, "job_id", None), str(arg)) or job_id in str(arg)[:200] for arg in args):
            raise ZeroDivisionError("nobody foresaw this")
        return function(*args, **kwargs)

    return failing


@pytest.mark.parametrize("kept_broken", [timedelta(minutes=20), timedelta(hours=9)])
def test_a_refund_that_fails_waits_alone(cloud: InProcessCloud, kept_broken: timedelta) -> None:
    """A user whose wallet is damaged gets the tokens back when it is repaired, however late; everybody else's results
    are there at once, and the batch is not closed without that user, until it has been tried a few times."""
    users = ("ann", "bob", "eve", "joe")
    jobs = {user: enqueue(cloud, user)[0] for user in users}
    cloud.openai.faults.add(kind="line_error", status=400, code="invalid_image", custom_id=jobs["ann"])
    cloud.openai.faults.add(kind="line_error", status=400, code="invalid_image", custom_id=jobs["bob"])
    submit_batches(cloud.deps)
    before = wallet(cloud)
    cloud.client.document("users/ann/wallet/main").update({"balance": "many"})
    cloud.clock.advance(timedelta(minutes=30))
    assert poll_batches(cloud.deps)["unended"] == 1
    assert statuses(cloud, [jobs[user] for user in users]) == ["processing", "failed", "done", "done"]
    (batch_id,) = batch_ids(cloud)
    assert stored(cloud, f"batches/{batch_id}")["state"] == "collecting"
    ticks(cloud, kept_broken)
    cloud.client.document("users/ann/wallet/main").set(before)
    ticks(cloud, timedelta(hours=3))
    assert statuses(cloud, [jobs["ann"]]) == ["failed"]
    assert job(cloud, jobs["ann"])["error"]["code"] == "PROVIDER_REJECTED"
    assert wallet(cloud)["balance"] == 200
    batch = stored(cloud, f"batches/{batch_id}")
    assert (batch["state"], batch["doneCount"], batch["failedCount"]) == ("done", 2, 2)
    assert batch["costMicros"] == sum(job(cloud, each)["costMicros"] for each in jobs.values())
    assert bool(letters(cloud)) is (kept_broken > timedelta(hours=5))
    assert batch_files(cloud) == []
    assert held(cloud) == 0


def test_a_result_that_cannot_be_written_keeps_no_other_from_being_there(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One document that Firestore will not take leaves the results beside it, written in the same call, as they are."""
    bad, *others = enqueue(cloud, "ann", 4)
    submit_batches(cloud.deps)

    def unstorable(*args: Any, **more: Any) -> Any:
        fields = answered(*args, **more)
        return {**fields, "costMicros": 2**70} if args[2].job_id == bad else fields

    monkeypatch.setattr("functions.use_cases.batches.endings.answered", unstorable)
    cloud.clock.advance(timedelta(minutes=30))
    counts = poll_batches(cloud.deps)
    assert (counts["done"], counts["unended"]) == (3, 1)
    assert statuses(cloud, [bad, *others]) == ["processing", "done", "done", "done"]
    monkeypatch.undo()
    ticks(cloud, timedelta(hours=1))
    assert statuses(cloud, [bad]) == ["done"]


def test_a_damaged_line_of_the_list_of_jobs_costs_its_job_a_round(cloud: InProcessCloud) -> None:
    """The others of its batch are collected; whose line it was is found by its claim, and sent again."""
    jobs = enqueue(cloud, "ann", 3)
    submit_batches(cloud.deps)
    (path,) = (path for path in cloud.files.objects if path.endswith("jobs.jsonl"))
    first, *rest = cloud.files.objects[path].splitlines(keepends=True)
    cloud.files.objects[path] = b"".join([first.replace(b"uid", b"XXX"), *rest])
    cloud.clock.advance(timedelta(minutes=30))
    poll_batches(cloud.deps)
    assert sorted(statuses(cloud, jobs)) == ["done", "done", "queued"]
    ticks(cloud, timedelta(hours=1))
    assert statuses(cloud, jobs) == ["done"] * 3


def test_pushes_end_with_the_run(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messaging that takes its time keeps the next batches waiting for a minute at most."""
    cloud.configure({**CONFIG, "batch": {"jobsPerBatch": 400, "batchesPerRun": 1}})
    jobs = [enqueue(cloud, f"user-{number}")[0] for number in range(250)]
    for job_id in jobs:
        cloud.client.document(f"aiJobs/{job_id}").update({"notify": ["token"]})
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(minutes=30))

    def slow(news: list[PushSummary]) -> Sent:
        cloud.clock.advance(timedelta(minutes=8))
        return Sent(len(news))

    monkeypatch.setattr(cloud.messaging, "send", slow)
    assert poll_batches(cloud.deps)["pushed"] == 100
    assert set(statuses(cloud, jobs)) == {"done"}
