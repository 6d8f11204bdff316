"""How a batch's jobs are stored, found and accounted for."""

from collections import Counter
from collections.abc import Iterable

from functions.core.batches.manifest import BatchManifest, BatchMember, in_tally, outcomes_and_tally
from tests.builders import member


def test_a_job_survives_storage() -> None:
    """What was written is what is read; a line ends where it ends, whatever a job's texts hold."""
    assert BatchMember.from_line(member(region="São\nTomé\u2028").to_line()) == member(region="São\nTomé\u2028")


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


def test_what_the_tally_counts_stands_among_the_outcomes() -> None:
    """Under names of its own, so that the next collector goes on counting."""
    ended = Counter(done=2, costMicros=90) + in_tally({"done": 2, "input": 700})
    (*_, line) = BatchManifest([]).to_lines(ended)
    assert outcomes_and_tally(BatchManifest([line]).ended) == (
        {"done": 2, "costMicros": 90},
        {"done": 2, "input": 700},
    )


def test_the_jobs_that_are_left_are_told() -> None:
    """By which results are known to be ours."""
    manifest = BatchManifest([member(job_id="one").to_line(), member(job_id="two").to_line()])
    manifest.take("one")
    assert list(manifest.job_ids()) == ["two"]
