"""Photos that Storage does not hand out, or not in time."""

from datetime import timedelta

import pytest
from google.api_core import exceptions
from google.cloud.storage.exceptions import DataCorruption

from functions.core.shared.time_limits import FUNCTION_TIMEOUT
from functions.use_cases.batches.submit_batches import submit_batches
from scripts.inprocess import InProcessCloud
from tests.steps import FIVE_MINUTES, enqueue, job, statement, statuses
from tests.use_cases.batches.one_bad_item.steps import CONFIG, ticks


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
    assert [tokens for entry, tokens, _ in statement(cloud) if entry.startswith("refund:")] == [1]


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
