"""Jobs that cannot be sent, recovered or refunded, and those that wait behind them."""

from datetime import timedelta

from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.jobs.recover_jobs import recover_jobs
from scripts.inprocess import InProcessCloud
from tests.steps import FIVE_MINUTES, enqueue, job, letters, statuses, stored, wallet
from tests.use_cases.batches.one_bad_item.steps import ticks


def test_whoever_waited_too_long_is_refunded_beside_a_broken_wallet(cloud: InProcessCloud) -> None:
    """A refund that fails leaves the head of the queue to the others, and is made when the wallet is repaired."""
    jobs = [enqueue(cloud, user)[0] for user in ("ann", "bob")]
    before = wallet(cloud)
    cloud.client.document("users/ann/wallet/main").update({"balance": "many"})
    cloud.clock.advance(timedelta(hours=27))
    submit_batches(cloud.deps)
    assert statuses(cloud, jobs) == ["queued", "failed"]
    later = enqueue(cloud, "eve")
    assert submit_batches(cloud.deps)["jobs"] == 1
    cloud.client.document("users/ann/wallet/main").set(before)
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
    sizes = [stored(cloud, f"batches/{job(cloud, each)['batchId']}")["jobCount"] for each in jobs]
    assert sizes == [1] + [29] * 29


def test_whoever_waits_too_long_for_a_provider_is_refunded(cloud: InProcessCloud) -> None:
    """Also by a run that does not ask the provider."""
    jobs = enqueue(cloud, "ann", 3)
    cloud.openai.faults.add(kind="unavailable", endpoint="POST /v1/files", count=None)
    ticks(cloud, timedelta(hours=26, minutes=15))
    assert statuses(cloud, jobs) == ["failed"] * 3
