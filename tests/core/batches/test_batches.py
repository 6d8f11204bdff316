"""How a batch is stored and polled, and how its jobs are called from the roll."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from pydantic import ValidationError

from functions.core.batches.batches import (
    INPUT_BYTES_MAX,
    LEASE_MARGIN,
    Batch,
    BatchManifest,
    BatchMember,
    BatchState,
    next_poll,
)
from tests.builders import NOW, batch, member


@pytest.mark.parametrize(
    ("age_minutes", "wait_minutes"),
    [(0, 5), (5, 5), (20, 5), (60, 15), (100, 25), (120, 30), (240, 30), (24 * 60, 30), (-10, 5)],
)
def test_polls_back_off_with_age(age_minutes: int, wait_minutes: int) -> None:
    """A young batch is looked at every five minutes, an old one every half hour; a clock set back does no harm."""
    now = NOW + timedelta(minutes=age_minutes)
    assert next_poll(NOW, now) == now + timedelta(minutes=wait_minutes)


def test_a_batch_of_a_whole_day_is_polled_about_fifty_times() -> None:
    """The back-off bounds what a slow batch costs: five-minute polls would be 288."""
    now, polls = NOW, 0
    while now < NOW + timedelta(hours=24):
        now, polls = next_poll(NOW, now), polls + 1
    assert 45 <= polls <= 60


def test_a_run_lets_go_of_its_batch_before_others_may_take_it() -> None:
    """The request that is begun last arrives before the lease is over."""
    leased = batch(due_at=NOW)
    assert leased.holds_lease(NOW - LEASE_MARGIN)
    assert not leased.holds_lease(NOW - LEASE_MARGIN + timedelta(seconds=1))


def test_a_full_input_file_fits_openais_limit() -> None:
    """OpenAI takes 200 MB a file; ours end below it."""
    assert 150_000_000 < INPUT_BYTES_MAX < 200_000_000


def test_a_batch_and_its_list_of_jobs_survive_storage() -> None:
    """What was written is what is read, times and states included."""
    stored = batch(state=BatchState.COLLECTING, job_count=3, error="token_limit_exceeded: too many")
    assert Batch.model_validate(stored.model_dump(by_alias=True)) == stored
    assert BatchMember.from_line(member(region="São\nTomé\u2028").to_line()) == member(region="São\nTomé\u2028")


def test_a_batch_never_costs_less_than_nothing() -> None:
    """A negative cost is a defect that is refused where it would be stored."""
    with pytest.raises(ValidationError, match=r"cost_?[mM]icros"):
        batch(cost_micros=-1)


# The roll


def manifest(*numbers: int) -> BatchManifest:
    """Return the roll of a batch with these jobs, in this order."""
    return BatchManifest(member(job_id=f"job-{number}").to_line() for number in numbers)


def ids(members: Iterable[BatchMember]) -> list[str]:
    """Return the ids of these jobs."""
    return [one.job_id for one in members]


def test_each_job_is_accounted_for_once() -> None:
    """A second line for the same job, or one for a job of another batch, finds nobody."""
    jobs = manifest(1, 2, 3)
    assert jobs.take("job-2") == member(job_id="job-2")
    assert jobs.take("job-2") is None
    assert jobs.take("job-9") is None
    assert ids(jobs.take_rest()) == ["job-1", "job-3"]
    assert ids(jobs.take_rest()) == []


def test_a_line_of_the_input_file_names_its_job() -> None:
    """Counted from 1, as OpenAI reports bad lines; a line that there is not names nobody, nor does one taken before."""
    jobs = manifest(5, 4)
    assert [jobs.take_line(number) for number in (0, -1, 3)] == [None, None, None]
    taken = jobs.take_line(2)
    assert taken is not None
    assert (taken.job_id, jobs.take_line(2)) == ("job-4", None)
    assert ids(jobs.take_rest()) == ["job-5"]


def test_a_job_that_was_put_back_is_called_again() -> None:
    """It has not ended: it is on the roll, in its old place, as it was."""
    jobs = manifest(1, 2, 3)
    taken = jobs.take("job-2")
    assert taken is not None
    jobs.put_back(taken)
    assert ids(BatchManifest(jobs.to_lines({})).take_rest()) == ["job-1", "job-2", "job-3"]


def test_a_line_that_cannot_be_read_costs_no_other() -> None:
    """The others keep their jobs, and the numbers of their lines; how many are damaged is told."""
    lines = [member(job_id="one").to_line(), b'{"job_id": 5}\n', b"{", member(job_id="four").to_line()]
    jobs = BatchManifest(lines)
    assert jobs.damaged == 2
    fourth = jobs.take_line(4)
    assert fourth is not None
    assert (fourth.job_id, ids(jobs.take_rest())) == ("four", ["one"])


def test_a_roll_that_was_begun_goes_on_where_it_was() -> None:
    """Stored in between it has the jobs that are left, under the numbers of their lines, and what became of others."""
    lines = [member(job_id=name).to_line() for name in ("one", "two", "three", "four")]
    manifest = BatchManifest(lines)
    manifest.take("three")
    manifest.take("one")
    stored = list(manifest.to_lines({"done": 2, "costMicros": 40}))
    assert len(stored) == len(lines) + 1
    for again in (
        BatchManifest(stored),
        BatchManifest(list(BatchManifest(stored).to_lines({"done": 2, "costMicros": 40}))),
    ):
        assert again.ended == {"done": 2, "costMicros": 40}
        assert again.take("one") is None
        assert again.take_line(1) is None
        second = again.take_line(2)
        assert second is not None
        assert second.job_id == "two"
        assert [left.job_id for left in again.take_rest()] == ["four"]
