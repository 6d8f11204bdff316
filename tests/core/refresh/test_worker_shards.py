"""Workers: which one a Scheduler job stands for, and which shards are its own."""

import pytest

from functions.core.refresh.worker_shards import WORKERS_MAX, Worker, worker_of


@pytest.mark.parametrize("name", [None, "", "firebase-schedule-refresh_credits-us-central1", "worker-1-of-2-", "-of-2"])
def test_any_other_name_is_the_only_worker(name: str | None) -> None:
    """A trigger that says nothing sees to everything."""
    worker = worker_of(name)
    assert (worker, str(worker), worker.shards(4)) == (Worker(1, 1), "1-of-1", [0, 1, 2, 3])


def test_a_name_says_which_worker_it_is() -> None:
    """The second of three takes every third shard, from the second on."""
    worker = worker_of("ecolane-refresh_credits-worker-2-of-3")
    assert (str(worker), worker.shards(8)) == ("2-of-3", [1, 4, 7])


@pytest.mark.parametrize("of", range(1, WORKERS_MAX + 1))
def test_workers_share_all_shards_and_none_twice(of: int) -> None:
    """However many there are, each shard has one worker, and their loads differ by one shard at most."""
    shares = [Worker(number, of).shards(16) for number in range(1, of + 1)]
    assert sorted(shard for share in shares for shard in share) == list(range(16))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("name", ["x-worker-0-of-2", "x-worker-3-of-2", "x-worker-1-of-0", "x-worker-1-of-17"])
def test_a_worker_that_cannot_be_is_refused(name: str) -> None:
    """A slip in a job's name is an error, and not a shard that nobody sees to."""
    with pytest.raises(ValueError, match="worker-"):
        worker_of(name)
