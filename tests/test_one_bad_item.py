"""One bad item costs that item: the batch lane goes on beside a broken document, photo, answer or wallet.

Each of these faults stays until somebody mends it: those that pass by themselves are the subject of other tests.
"""

import contextlib
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud.storage.exceptions import DataCorruption

from functions.adapters.messaging import Sent
from functions.core.batches.reports import read_line
from functions.core.jobs.attempts import answered
from functions.core.shared.time_limits import FUNCTION_TIMEOUT
from functions.core.wallet.profile import PushSummary
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.jobs.classify_image import ClassifyImage, classify_image
from functions.use_cases.jobs.list_jobs import ListJobs, list_jobs
from functions.use_cases.jobs.recover_jobs import recover_jobs
from functions.use_cases.operations.guard_budget import guard_budget
from localcloud.openai.batch_state import Batch as StandInBatch
from scripts.inprocess import InProcessCloud
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
    """Let the crons run every five minutes for a while. A run fails if all that it had to do failed."""
    end = cloud.clock() + duration
    while cloud.clock() < end:
        for cron in (submit_batches, poll_batches, recover_jobs):
            with contextlib.suppress(RuntimeError):
                cron(cloud.deps)
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


# Photos


def unreadable(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch, error: Exception, *paths: str) -> None:
    """Have Storage answer with this error for these photos; for all of them, if none are named."""
    read = cloud.files.read_photo

    def failing(path: str) -> bytes:
        if not paths or path in paths:
            raise error
        return read(path)

    monkeypatch.setattr(cloud.files, "read_photo", failing)


def path_of(cloud: InProcessCloud, job_id: str) -> str:
    """Return where a job's photo is."""
    path: str = job(cloud, job_id)["imagePath"]
    return path


FORBIDDEN: Exception = exceptions.Forbidden("no")  # type: ignore[no-untyped-call]
UNAVAILABLE: Exception = exceptions.ServiceUnavailable("down")  # type: ignore[no-untyped-call]
PHOTO_ERRORS = [
    FORBIDDEN,
    UNAVAILABLE,
    DataCorruption(None, "checksum"),
    MemoryError(),
]


@pytest.mark.parametrize("error", PHOTO_ERRORS, ids=lambda error: type(error).__name__)
def test_a_photo_that_stays_unreadable_costs_itself(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Its batch is sent without it; it is tried again alone, refunded after its attempts, and nobody else waits."""
    bad, *others = enqueue(cloud, "ann", 4)
    unreadable(cloud, monkeypatch, error, path_of(cloud, bad))
    counts = submit_batches(cloud.deps)
    assert (counts["jobs"], counts["unreadable"]) == (3, 1)
    assert (job(cloud, bad)["status"], job(cloud, bad)["attempts"]) == ("queued", 1)
    for _ in range(2):
        others += enqueue(cloud, "ann", 2)
        cloud.clock.advance(FIVE_MINUTES)
        submit_batches(cloud.deps)
    assert (job(cloud, bad)["status"], job(cloud, bad)["attempts"]) == ("failed", 3)
    ticks(cloud, timedelta(hours=1))
    assert statuses(cloud, others) == ["done"] * 7
    assert [entry["delta"] for entry in ledger(cloud, "ann") if entry["reason"] == "refund"] == [1]


def ledger(cloud: InProcessCloud, user: str) -> list[dict[str, Any]]:
    """Return a user's ledger."""
    return [each.to_dict() or {} for each in cloud.client.collection("users", user, "ledger").order_by("seq").stream()]


@pytest.mark.parametrize("count", [1, 3, 70])
def test_when_no_photo_can_be_read_nobody_loses_an_attempt(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Then it is Storage that is down: the run fails, everything waits, and all is sent once Storage is back."""
    jobs = enqueue(cloud, "ann", count)
    with monkeypatch.context() as down:
        unreadable(cloud, down, UNAVAILABLE)
        ticks(cloud, timedelta(hours=1))
        cloud.clock.advance(FIVE_MINUTES)
        with pytest.raises(RuntimeError, match="crashed"):
            submit_batches(cloud.deps)
    assert {(job(cloud, each)["status"], job(cloud, each)["attempts"]) for each in jobs} == {("queued", 0)}
    ticks(cloud, timedelta(hours=1))
    assert statuses(cloud, jobs) == ["done"] * count


def test_one_photo_alone_that_storage_refuses_is_given_up(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing else is queued, an error that is no outage's counts: the photo is not read for a day."""
    (bad,) = enqueue(cloud, "ann")
    unreadable(cloud, monkeypatch, FORBIDDEN)
    ticks(cloud, timedelta(minutes=30))
    assert (job(cloud, bad)["status"], job(cloud, bad)["attempts"]) == ("failed", 3)


def test_photos_that_cannot_be_read_do_not_block_those_behind_them(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole batch of unreadable photos at the head of the queue lets the next ones pass."""
    cloud.configure({**CONFIG, "batch": {"jobsPerBatch": 3, "batchesPerRun": 2}})
    bad, good = enqueue(cloud, "ann", 3), enqueue(cloud, "bob", 3)
    unreadable(cloud, monkeypatch, FORBIDDEN, *(path_of(cloud, each) for each in bad))
    with pytest.raises(RuntimeError, match="crashed"):
        submit_batches(cloud.deps)
    cloud.clock.advance(FIVE_MINUTES)
    submit_batches(cloud.deps)
    assert statuses(cloud, good) == ["processing"] * 3


def test_a_full_file_and_a_run_out_of_time_stop_reading(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit, or has no time left, is not read, loses no attempt and keeps its place in the queue."""
    jobs = enqueue(cloud, "ann", 100)
    read: list[str] = []
    original = cloud.files.read_photo

    def counted(path: str) -> bytes:
        read.append(path)
        return original(path)

    monkeypatch.setattr(cloud.files, "read_photo", counted)
    monkeypatch.setattr("functions.use_cases.batches.batch_files.INPUT_BYTES_MAX", 10_000)
    cloud.configure({**CONFIG, "batch": {"batchesPerRun": 1}})
    counts = submit_batches(cloud.deps)
    assert 0 < counts["jobs"] < 32 - 8
    assert (counts["released"], len(read) <= 2 * 32) == (100 - counts["jobs"], True)
    waiting = [each for each in jobs if job(cloud, each)["status"] == "queued"]
    assert {job(cloud, each)["attempts"] for each in waiting} == {0}
    assert all(job(cloud, each)["queuedAt"] == job(cloud, each)["createdAt"] for each in waiting)

    def slow(path: str) -> bytes:
        cloud.clock.advance(timedelta(seconds=10))
        return original(path)

    monkeypatch.undo()
    monkeypatch.setattr(cloud.files, "read_photo", slow)
    started = cloud.clock()
    counts = submit_batches(cloud.deps)
    assert counts["jobs"] > 0
    assert counts["jobs"] + counts["released"] == len(waiting)
    assert cloud.clock() - started < FUNCTION_TIMEOUT - timedelta(seconds=60)


# Results


@pytest.mark.parametrize("patched", ["read_line", "parse"])
def test_an_answer_that_nobody_can_make_sense_of_costs_itself(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch, patched: str
) -> None:
    """Its photo is tried again and refunded after its attempts, whatever the error; the other results are there."""
    bad, *others = enqueue(cloud, "ann", 5)
    if patched == "read_line":
        monkeypatch.setattr("functions.use_cases.batches.collector.read_line", failing_for(bad, read_line))
    else:
        monkeypatch.setattr("functions.use_cases.jobs.endings.answered", failing_for(bad, answered))
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(minutes=30))
    poll_batches(cloud.deps)
    assert statuses(cloud, others) == ["done"] * 4
    ticks(cloud, timedelta(hours=8))
    assert (job(cloud, bad)["status"], job(cloud, bad)["completedAt"] is not None) == ("failed", True)
    assert [entry["delta"] for entry in ledger(cloud, "ann") if entry["reason"] == "refund"] == [1]
    assert held(cloud) == 0


def failing_for(job_id: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that fails at one job, in a way nobody foresaw."""

    def failing(*args: Any, **kwargs: Any) -> Any:
        if any(job_id in (getattr(arg, "job_id", None), str(arg)) or job_id in str(arg)[:200] for arg in args):
            raise ZeroDivisionError("nobody foresaw this")
        return function(*args, **kwargs)

    return failing


def held(cloud: InProcessCloud) -> int:
    """Return the micro-dollars that are held for somebody."""
    return sum(each.get("reserved") for each in cloud.client.collection_group("shards").stream())


@pytest.mark.parametrize("kept_broken", [timedelta(minutes=20), timedelta(hours=9)])
def test_a_refund_that_fails_waits_alone(cloud: InProcessCloud, kept_broken: timedelta) -> None:
    """A user whose wallet is damaged gets the tokens back when it is repaired, however late; everybody else's results
    are there at once, and the batch is not closed without that user, until it has been tried a few times."""
    users = ("ann", "bob", "eve", "joe")
    jobs = {user: enqueue(cloud, user)[0] for user in users}
    cloud.openai.faults.add(kind="line_error", status=400, code="invalid_image", custom_id=jobs["ann"])
    cloud.openai.faults.add(kind="line_error", status=400, code="invalid_image", custom_id=jobs["bob"])
    submit_batches(cloud.deps)
    wallet = document(cloud, "users/ann/wallet/main")
    cloud.client.document("users/ann/wallet/main").update({"balance": "many"})
    cloud.clock.advance(timedelta(minutes=30))
    assert poll_batches(cloud.deps)["unended"] == 1
    assert statuses(cloud, [jobs[user] for user in users]) == ["processing", "failed", "done", "done"]
    (batch_id,) = batch_ids(cloud)
    assert document(cloud, f"batches/{batch_id}")["state"] == "collecting"
    ticks(cloud, kept_broken)
    cloud.client.document("users/ann/wallet/main").set(wallet)
    ticks(cloud, timedelta(hours=3))
    assert statuses(cloud, [jobs["ann"]]) == ["failed"]
    assert job(cloud, jobs["ann"])["error"]["code"] == "PROVIDER_REJECTED"
    assert document(cloud, "users/ann/wallet/main")["balance"] == 200
    batch = document(cloud, f"batches/{batch_id}")
    assert (batch["state"], batch["doneCount"], batch["failedCount"]) == ("done", 2, 2)
    assert batch["costMicros"] == sum(job(cloud, each)["costMicros"] for each in jobs.values())
    assert bool(letters(cloud)) is (kept_broken > timedelta(hours=5))
    assert [path for path in cloud.files.objects if path.startswith("batches/")] == []
    assert held(cloud) == 0


def test_a_result_that_cannot_be_written_keeps_no_other_from_being_there(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One document that Firestore will not take leaves the results beside it, written in the same call, as they are."""
    bad, *others = enqueue(cloud, "ann", 4)
    submit_batches(cloud.deps)

    def unstorable(*args: Any) -> Any:
        fields = answered(*args)
        return {**fields, "costMicros": 2**70} if args[2].job_id == bad else fields

    monkeypatch.setattr("functions.use_cases.jobs.endings.answered", unstorable)
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


# Batches at the provider


def reported_as(monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Have the provider report each batch with these changes."""
    public = StandInBatch.public
    monkeypatch.setattr(StandInBatch, "public", lambda batch, now: {**public(batch, now), **change(public(batch, now))})


def test_a_hundred_batches_that_are_not_found_hold_up_no_other(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each poll moves a batch on, whatever comes of it: a newer one that has ended is collected within minutes."""
    cloud.configure({**CONFIG, "batch": {"jobsPerBatch": 1, "batchesPerRun": 20, "pollsPerRun": 10}})
    jobs = enqueue(cloud, "ann", 20)
    submit_batches(cloud.deps)
    gone = batch_ids(cloud)
    for batch_id in gone:
        cloud.client.document(f"batches/{batch_id}").update({"openaiBatchId": "batch_gone"})
    cloud.clock.advance(FIVE_MINUTES)
    (newer,) = enqueue(cloud, "bob")
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(minutes=10))
    ticks(cloud, timedelta(minutes=25))
    assert statuses(cloud, [newer]) == ["done"]
    assert {document(cloud, f"batches/{batch_id}")["state"] for batch_id in gone} == {"submitted"}
    ticks(cloud, timedelta(hours=29))
    assert set(statuses(cloud, jobs)) == {"failed"}
    assert held(cloud) == 0


@pytest.mark.parametrize("error", ["crash", "down"])
def test_every_error_about_a_batch_has_an_end(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    """A batch that crashes every poll, or about which OpenAI never answers again, is given up after 28 hours: its jobs
    are refunded, its hold is booked, and operators find a dead letter or its alert."""
    jobs = enqueue(cloud, "ann", 2)
    submit_batches(cloud.deps)
    if error == "crash":
        monkeypatch.setattr(cloud.files, "read_manifest", lambda _batch_id: 1 // 0)
    else:
        cloud.openai.faults.add(kind="server_error", endpoint="GET /v1/batches/*", count=None)
    ticks(cloud, timedelta(hours=31))
    assert statuses(cloud, jobs) == ["failed"] * 2
    assert document(cloud, "users/ann/wallet/main")["balance"] == 200
    assert {document(cloud, f"batches/{each}")["state"] for each in batch_ids(cloud)} <= {"done", "failed"}
    assert held(cloud) == 0


def test_a_provider_that_is_down_is_not_asked_about_every_batch(cloud: InProcessCloud) -> None:
    """After five batches in a row without an answer the run stops: each may take half a minute."""
    cloud.configure({**CONFIG, "batch": {"jobsPerBatch": 1, "batchesPerRun": 20}})
    enqueue(cloud, "ann", 12)
    submit_batches(cloud.deps)
    cloud.openai.faults.add(kind="unavailable", endpoint="GET /v1/batches/*", count=None)
    cloud.clock.advance(timedelta(minutes=30))
    cloud.openai.requests.reset()
    assert poll_batches(cloud.deps)["delayed"] == 5
    assert sum(cloud.openai.requests.values()) == 5


def test_an_unknown_state_is_waited_for_and_told(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state that OpenAI adds crashes nothing: it is reported, and the batch is collected when it has ended."""
    (job_id,) = enqueue(cloud, "ann")
    submit_batches(cloud.deps)
    with monkeypatch.context() as patch:
        reported_as(patch, lambda _batch: {"status": "paused"})
        cloud.clock.advance(timedelta(minutes=30))
        assert poll_batches(cloud.deps)["crashed"] == 0
    (batch_id,) = batch_ids(cloud)
    assert document(cloud, f"batches/{batch_id}")["providerState"] == "paused"
    assert any("'paused'" in text for text in alert_texts(cloud, "batch_stuck"))
    ticks(cloud, timedelta(hours=1))
    assert statuses(cloud, [job_id]) == ["done"]


def test_an_unknown_state_that_stays_is_given_up_as_any(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """After 26 hours the batch is cancelled, after 28 its jobs are refunded."""
    (job_id,) = enqueue(cloud, "ann")
    submit_batches(cloud.deps)
    reported_as(monkeypatch, lambda _batch: {"status": "paused"})
    ticks(cloud, timedelta(hours=29))
    (batch_id,) = batch_ids(cloud)
    assert document(cloud, f"batches/{batch_id}")["cancelRequested"] is True
    assert statuses(cloud, [job_id]) == ["failed"]


def test_paid_answers_are_waited_for(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that is `completed` with three answers, and names its file only twenty minutes later, brings all three at
    their first attempt."""
    jobs = enqueue(cloud, "ann", 3)
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(minutes=30))
    with monkeypatch.context() as patch:
        reported_as(patch, lambda _batch: {"output_file_id": None})
        ticks(cloud, timedelta(minutes=20))
        assert statuses(cloud, jobs) == ["processing"] * 3
    ticks(cloud, timedelta(minutes=30))
    assert [(job(cloud, each)["status"], job(cloud, each)["attempts"]) for each in jobs] == [("done", 1)] * 3


@pytest.mark.parametrize("never", ["named", "there"])
def test_answers_that_never_come_are_waited_for_a_while(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch, never: str
) -> None:
    """A file that is never named, or never found, costs its photos an attempt after two hours, and is booked."""
    (job_id,) = enqueue(cloud, "ann")
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(minutes=30))
    with monkeypatch.context() as patch:
        if never == "named":
            reported_as(patch, lambda _batch: {"output_file_id": None})
        else:
            cloud.openai.faults.add(kind="not_found", endpoint="GET /v1/files/*", count=None)
        ticks(cloud, timedelta(minutes=90))
        assert statuses(cloud, [job_id]) == ["processing"]
        ticks(cloud, timedelta(minutes=90))
    cloud.openai.faults.clear()
    assert document(cloud, f"batches/{batch_ids(cloud)[0]}")["costMicros"] > 0
    ticks(cloud, timedelta(hours=1))
    assert (job(cloud, job_id)["status"], job(cloud, job_id)["attempts"]) == ("done", 2)


def test_a_link_that_timed_out_is_another_attempt(cloud: InProcessCloud) -> None:
    """A photo that the provider could not download in time, by the link that it was sent, is not refused for it."""
    (job_id,) = enqueue(cloud, "ann")
    cloud.openai.faults.add(kind="line_error", status=400, code="invalid_image_url")
    ticks(cloud, timedelta(hours=2))
    assert (job(cloud, job_id)["status"], job(cloud, job_id)["attempts"]) == ("done", 2)


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


# Submitters


def test_a_lost_batch_among_too_many_is_not_created_again(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever cannot tell whether OpenAI has a batch does not pay for it twice: it is looked for again, and its jobs
    are refunded after a day."""
    monkeypatch.setattr("functions.adapters.providers.openai.LISTED_BATCHES_MAX", 3)
    (job_id,) = enqueue(cloud, "ann")
    cloud.openai.faults.add(kind="reply_lost", endpoint="POST /v1/batches")
    submit_batches(cloud.deps)
    (batch_id,) = batch_ids(cloud)
    for number in range(5):
        cloud.deps.provider.create_batch(f"other-{number}", document(cloud, f"batches/{batch_id}")["inputFileId"])
    cloud.openai.requests.reset()
    ticks(cloud, timedelta(hours=6))
    assert document(cloud, f"batches/{batch_id}")["state"] == "uploaded"
    ticks(cloud, timedelta(hours=24))
    assert cloud.openai.requests["POST /v1/batches"] == 0
    assert statuses(cloud, [job_id]) == ["failed"]
    assert held(cloud) == 0
    assert list(letters(cloud)) == [f"batches/{batch_id}"]


def test_one_failed_look_does_not_give_up_a_batch_that_is_there(cloud: InProcessCloud) -> None:
    """No submitter ran for 29 hours, and the first look fails: the next one finds the batch, answered and paid for."""
    (job_id,) = enqueue(cloud, "ann")
    cloud.openai.faults.add(kind="reply_lost", endpoint="POST /v1/batches")
    submit_batches(cloud.deps)
    (batch_id,) = batch_ids(cloud)
    cloud.openai.tick()
    cloud.clock.advance(timedelta(hours=29))
    cloud.openai.faults.add(kind="server_error", endpoint="GET /v1/batches")
    submit_batches(cloud.deps)
    assert document(cloud, f"batches/{batch_id}")["failedPolls"] == 1
    ticks(cloud, timedelta(hours=2))
    assert statuses(cloud, [job_id]) == ["done"]
    assert document(cloud, f"batches/{batch_id}")["failedPolls"] == 0
    assert letters(cloud) == {}


def test_whoever_waited_too_long_is_refunded_beside_a_broken_wallet(cloud: InProcessCloud) -> None:
    """A refund that fails leaves the head of the queue to the others, and is made when the wallet is repaired."""
    jobs = [enqueue(cloud, user)[0] for user in ("ann", "bob")]
    wallet = document(cloud, "users/ann/wallet/main")
    cloud.client.document("users/ann/wallet/main").update({"balance": "many"})
    cloud.clock.advance(timedelta(hours=27))
    submit_batches(cloud.deps)
    assert statuses(cloud, jobs) == ["queued", "failed"]
    later = enqueue(cloud, "eve")
    assert submit_batches(cloud.deps)["jobs"] == 1
    cloud.client.document("users/ann/wallet/main").set(wallet)
    ticks(cloud, timedelta(hours=2))
    assert statuses(cloud, [*jobs, *later]) == ["failed", "failed", "done"]


def test_jobs_that_cannot_be_recovered_give_way(cloud: InProcessCloud) -> None:
    """A hundred leases of a user whose wallet is damaged do not keep the next user from a refund."""
    jobs = [*enqueue(cloud, "ann", 100), *enqueue(cloud, "bob")]
    for number, job_id in enumerate(jobs):
        lease = cloud.clock() - timedelta(minutes=200 - number)
        cloud.client.document(f"aiJobs/{job_id}").update({"status": "processing", "leaseUntil": lease})
    cloud.client.document("users/ann/wallet/main").update({"balance": "many"})
    recover_jobs(cloud.deps)
    assert statuses(cloud, [jobs[-1]]) == ["failed"]
    assert recover_jobs(cloud.deps)["crashed"] == 0
    assert len(letters(cloud)) == 100


def test_while_the_provider_takes_nothing_one_job_asks_for_all(cloud: InProcessCloud) -> None:
    """An outage costs a claim now and then, and not one for each job and run; the first photo that gets through brings
    all the others with it, in the order in which they were asked for."""
    jobs = enqueue(cloud, "ann", 30)
    fault = cloud.openai.faults.add(kind="refused", status=401, endpoint="POST /v1/files", count=None)
    claims: list[int] = []
    for _ in range(36):
        before = cloud.openai.requests["POST /v1/files"]
        counts = submit_batches(cloud.deps)
        assert cloud.openai.requests["POST /v1/files"] - before <= 1
        claims.append(counts["released"])
        cloud.clock.advance(FIVE_MINUTES)
    assert claims[0] == 30
    assert set(claims[1:]) == {0, 1}
    assert 5 <= sum(claims[1:]) <= 10
    assert all(job(cloud, each)["queuedAt"] == job(cloud, each)["createdAt"] for each in jobs)
    assert {job(cloud, each)["attempts"] for each in jobs} == {0}
    cloud.openai.faults.remove(fault)
    for _ in range(6):
        submit_batches(cloud.deps)
        cloud.clock.advance(FIVE_MINUTES)
    sizes = [document(cloud, f"batches/{job(cloud, each)['batchId']}")["jobCount"] for each in jobs]
    assert sizes == [1] + [29] * 29


def test_whoever_waits_too_long_for_a_provider_is_refunded(cloud: InProcessCloud) -> None:
    """Also by a run that does not ask the provider."""
    jobs = enqueue(cloud, "ann", 3)
    cloud.openai.faults.add(kind="unavailable", endpoint="POST /v1/files", count=None)
    ticks(cloud, timedelta(hours=26, minutes=15))
    assert statuses(cloud, jobs) == ["failed"] * 3
