"""A run that stands still past its lease, while others take over, and then goes on as if nothing had happened.

The platform gives an instance no CPU once a request's time is up, and may give it some again much later: then the run
goes on in the middle of what it did.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Literal

import pytest

from functions.adapters.firestore import writes
from functions.core.batches.batches import LOST
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.jobs.recover_jobs import recover_jobs
from functions.wiring import Deps
from scripts.inprocess import CrashError, InProcessCloud
from tests.steps import batch_files, enqueue, listed, wallet

PAST_THE_LEASE = timedelta(minutes=20)
When = Literal["before", "after"]


def with_two_queued() -> InProcessCloud:
    """Return a cloud in which two photos are queued."""
    cloud = InProcessCloud(seed=1)
    enqueue(cloud, "ann", 2)
    return cloud


@pytest.fixture
def cloud() -> InProcessCloud:
    """A cloud in which two photos are queued."""
    return with_two_queued()


def submit_standing_still(cloud: InProcessCloud, at: str, number: int, meanwhile: Callable[[], object]) -> None:
    """Run a submitter that stands still when the `number`-th call of this name has come back."""
    standing_still(submit_batches, cloud, at, number, meanwhile)


def standing_still(
    run: Callable[[Deps], object],
    cloud: InProcessCloud,
    at: str,
    number: int,
    meanwhile: Callable[[], object],
    moment: When = "after",
) -> None:
    """Run a cron that stands still when the `number`-th call of this name has come back, or is about to be made."""
    calls = 0

    def stand_still(call: str, when: When) -> None:
        nonlocal calls
        calls += (call, when) == (at, moment)
        if calls == number:
            calls += 1
            cloud.clock.advance(PAST_THE_LEASE)
            meanwhile()

    with cloud.interrupting(stand_still):
        run(cloud.deps)


def ends(cloud: InProcessCloud) -> list[str]:
    """Return the status of each job."""
    return [job["status"] for job in listed(cloud, "aiJobs").values()]


def commits_until(state: str) -> int:
    """Return which of a submitter's commits brings its batch into a state."""
    cloud = with_two_queued()
    commits = found = 0

    def watch(call: str, when: When) -> None:
        nonlocal commits, found
        if (call, when) == ("firestore.Commit", "after"):
            commits += 1
            states = [batch["state"] for batch in listed(cloud, "batches").values()]
            found = found or (commits if state in states else 0)

    with cloud.interrupting(watch):
        submit_batches(cloud.deps)
    return found


def nothing_is_left(cloud: InProcessCloud) -> None:
    """Let the crons go on for a few hours: every job ends, and no batch leaves a file."""
    for _ in range(60):
        cloud.clock.advance(timedelta(minutes=5))
        submit_batches(cloud.deps)
        poll_batches(cloud.deps)
    assert set(ends(cloud)) <= {"done", "failed"}
    assert batch_files(cloud) == []


def everything_ends_well(cloud: InProcessCloud) -> None:
    """Let the crons go on for a few hours: all is done, nothing is left, nothing was sent or paid for twice."""
    nothing_is_left(cloud)
    assert ends(cloud) == ["done", "done"]
    states = Counter(batch["state"] for batch in listed(cloud, "batches").values())
    assert states["done"] == 1
    assert states.keys() <= {"done", "failed"}
    assert cloud.openai.requests["POST /v1/batches"] == 1


@pytest.mark.parametrize("commit", ["building", "uploaded"])
@pytest.mark.parametrize("others", [1, 2])
def test_a_submitter_that_stood_still_sends_nothing_twice(cloud: InProcessCloud, commit: str, others: int) -> None:
    """Its batch was taken over meanwhile: what it goes on to do is undone, or is not done."""

    def take_over() -> None:
        for _ in range(others):
            submit_batches(cloud.new_process())

    submit_standing_still(cloud, "firestore.Commit", commits_until(commit), take_over)
    everything_ends_well(cloud)


def test_files_written_after_the_batch_was_closed_are_removed(cloud: InProcessCloud) -> None:
    """A submitter that stood still just as it wrote a photo finds its batch closed, and tidies up."""
    cloud.configure({"batch": {"signedUrls": True}})
    standing_still(submit_batches, cloud, "storage.put_photo", 1, lambda: submit_batches(cloud.new_process()), "before")
    (closed,) = (batch.id for batch in cloud.client.collection("batches").stream() if batch.get("state") == "failed")
    assert [path for path in cloud.files.objects if path.startswith(f"batches/{closed}/")] == []


def test_a_list_written_after_the_batch_was_collected_is_removed(cloud: InProcessCloud) -> None:
    """A poller that stood still just as it stored what it had no time for finds that all is done."""
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(hours=1))

    def run_out_of_time(call: str, when: When) -> None:
        if (call, when) == ("storage.read_manifest", "after"):
            cloud.clock.advance(timedelta(minutes=8))  # of a run; its lease lasts longer
        if (call, when) == ("storage.write_manifest", "before"):
            cloud.interrupt = lambda _call, _when: None
            cloud.clock.advance(PAST_THE_LEASE)
            poll_batches(cloud.new_process())

    with cloud.interrupting(run_out_of_time):
        assert poll_batches(cloud.deps)["paused"] == 1
    assert batch_files(cloud) == []
    everything_ends_well(cloud)


def dies(at: str, when: When) -> Callable[[str, When], None]:
    """Return an interruption that kills the process at a call."""

    def die(call: str, moment: When) -> None:
        if (call, moment) == (at, when):
            raise CrashError

    return die


@pytest.mark.parametrize("links", [False, True])
def test_a_submitter_that_stood_still_writes_no_file_that_nobody_looks_for(cloud: InProcessCloud, links: bool) -> None:
    """It would die before it tidies up, and whoever has closed the batch meanwhile does not come back to its files."""
    cloud.configure({"batch": {"signedUrls": links}})

    def take_over() -> None:
        submit_batches(cloud.new_process())
        cloud.interrupt = dies("storage.put_photo", "after") if links else dies("storage.read_input", "before")

    with suppress(CrashError):
        submit_standing_still(cloud, "storage.read_photo", 2, take_over)
    nothing_is_left(cloud)


@pytest.mark.parametrize("written", ["storage.write_manifest", "storage.write_input"])
def test_a_submitter_that_stood_still_reads_no_file_that_is_gone(cloud: InProcessCloud, written: str) -> None:
    """Its run goes on: a batch that others have given back, files and all, is no reason to fail."""
    submit_standing_still(cloud, written, 1, lambda: submit_batches(cloud.new_process()))
    everything_ends_well(cloud)


def test_a_poller_that_stood_still_writes_no_list_that_nobody_looks_for(cloud: InProcessCloud) -> None:
    """It has no time left for a batch that another one has closed, and dies once it has stored how far it came."""
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(hours=1))

    def take_over() -> None:
        poll_batches(cloud.new_process())
        cloud.interrupt = dies("firestore.Commit", "before")

    with suppress(CrashError):
        standing_still(poll_batches, cloud, "storage.read_manifest", 1, take_over)
    nothing_is_left(cloud)


@pytest.fixture
def claims_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each job is claimed by a request of its own, as each hundred of them are."""
    monkeypatch.setattr(writes, "BULK_WRITES_MAX", 1)


def close_batch(cloud: InProcessCloud) -> None:
    """Close the batch as another run does that finds its lease over, before the next job is claimed for it."""
    for batch in cloud.client.collection("batches").stream():
        batch.reference.update({"state": "failed"})


def test_nothing_is_claimed_for_a_batch_that_may_be_closed(cloud: InProcessCloud) -> None:
    """A submitter that stood still before its claim leaves the jobs to whoever comes next: it could die with them."""

    def take_over() -> None:
        close_batch(cloud)
        cloud.interrupt = dies("firestore.BatchWrite", "after")

    with suppress(CrashError):
        submit_standing_still(cloud, "firestore.Commit", commits_until("building"), take_over)
    assert ends(cloud) == ["queued", "queued"]


def test_a_claim_for_a_closed_batch_is_undone(cloud: InProcessCloud, claims_one_by_one: None) -> None:
    """A submitter that stood still in the middle of its claim gives back what it has claimed since."""
    submit_standing_still(cloud, "firestore.BatchWrite", 1, lambda: close_batch(cloud))
    assert ends(cloud) == ["queued", "queued"]
    everything_ends_well(cloud)


def test_a_poller_that_stood_still_collects_nothing(cloud: InProcessCloud, capsys: pytest.CaptureFixture[str]) -> None:
    """Another one has collected the batch by then, and has removed its list of jobs: that is no defect to report."""
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(hours=1))
    standing_still(poll_batches, cloud, "firestore.Commit", 1, lambda: poll_batches(cloud.new_process()))
    assert "batch_crashed" not in capsys.readouterr().err
    everything_ends_well(cloud)


def test_a_poller_that_stood_still_gives_no_answer_up(cloud: InProcessCloud) -> None:
    """It stood still, and then OpenAI did not hand the file out: whoever has the lease by then asks again."""
    submit_batches(cloud.deps)
    cloud.clock.advance(LOST)  # nothing is waited for any more
    cloud.openai.faults.add(kind="not_found", count=1)
    standing_still(poll_batches, cloud, "storage.read_manifest", 1, lambda: None)
    assert ends(cloud) == ["processing", "processing"]
    poll_batches(cloud.new_process())
    assert ends(cloud) == ["done", "done"]
    everything_ends_well(cloud)


def test_jobs_that_a_dead_batch_has_claimed_are_refunded(cloud: InProcessCloud, claims_one_by_one: None) -> None:
    """A run stands still in the middle of its claim, its batch is closed, it claims more, and dies: nobody else knows
    of these jobs, but they have a lease of their own."""

    def take_over() -> None:
        close_batch(cloud)
        cloud.interrupt = dies("firestore.BatchWrite", "after")

    with pytest.raises(CrashError):
        submit_standing_still(cloud, "firestore.BatchWrite", 1, take_over)
    assert ends(cloud) == ["processing", "processing"]
    cloud.clock.advance(timedelta(days=4))
    recover_jobs(cloud.new_process())
    assert ends(cloud) == ["failed", "failed"]
    assert wallet(cloud)["balance"] == 10
