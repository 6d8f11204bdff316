"""Promises without a subject of their own: erased users, lost replies, what a failed job says, a count of the queue."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from google.api_core import exceptions

from functions.core.jobs.jobs import FAILURE_TEXTS, Failure
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.wallet.get_wallet import GetWallet, get_wallet
from scripts.inprocess import InProcessCloud
from tests.steps import classify, enqueue, job, statement, stored, wallet


@pytest.fixture
def cloud() -> InProcessCloud:
    """The product in one process."""
    return InProcessCloud(seed=1)


def test_an_erased_user_stays_erased(cloud: InProcessCloud) -> None:
    """When a batch fails whose user is gone, wallet and ledger and all, the job ends and nothing is kept of them
    anew."""
    (job_id,) = enqueue(cloud, "ann")
    cloud.openai.faults.add(kind="batch_token_limit", count=None)
    submit_batches(cloud.deps)
    cloud.client.recursive_delete(cloud.client.document("users/ann"))
    cloud.files.objects.clear()
    for _ in range(40):
        cloud.clock.advance(timedelta(hours=1))
        cloud.openai.tick()
        submit_batches(cloud.deps)
        poll_batches(cloud.deps)
    assert job(cloud, job_id)["status"] == "failed"
    assert (statement(cloud), wallet(cloud)) == ([], {})


@pytest.mark.parametrize(("mode", "balance"), [("instant", 5), ("batch", 1)])
def test_a_charge_whose_reply_was_lost_is_answered_as_the_charge_that_it_is(
    cloud: InProcessCloud, mode: str, balance: int
) -> None:
    """Firestore has taken the commit, and says that it was aborted: the transaction runs again, and finds the tokens
    spent, by itself. The photo is classified all the same, and paid for once."""
    cloud.configure({"tokens": {"welcome": balance}})
    get_wallet(GetWallet(), "ann", cloud.deps)
    lost = iter([exceptions.Aborted("try again")])  # type: ignore[no-untyped-call]

    def lose(call: str, when: str) -> None:
        if (call, when) == ("firestore.Commit", "after"):
            for error in lost:
                raise error

    cloud.interrupt = lose
    answer = classify(cloud, "one", mode)
    assert (answer["status"], answer["balance"]) == ("done" if mode == "instant" else "queued", 0)
    assert get_wallet(GetWallet(), "ann", cloud.deps)["totalSpent"] == balance


def fail_in_the_instant_lane(cloud: InProcessCloud) -> str:
    """Have the provider refuse our key. Returns the job's id."""
    cloud.openai.faults.add(kind="refused", status=401, code="invalid_api_key")
    with pytest.raises(Exception, match="Your tokens were refunded") as refused:
        classify(cloud, "one")
    return str(refused.value.details["jobId"])  # type: ignore[attr-defined]


def fail_in_the_batch_lane(cloud: InProcessCloud) -> str:
    """Have a batch refused, and its job requeued. Returns its id."""
    (job_id,) = enqueue(cloud, "ann")
    cloud.openai.faults.add(kind="batch_token_limit")
    submit_batches(cloud.deps)
    for _ in range(3):
        cloud.clock.advance(timedelta(minutes=10))
        cloud.openai.tick()
        poll_batches(cloud.deps)
    return job_id


@pytest.mark.parametrize("fail", [fail_in_the_instant_lane, fail_in_the_batch_lane])
def test_a_user_reads_a_constant_and_the_operator_the_cause(
    cloud: InProcessCloud, capfd: pytest.CaptureFixture[str], fail: Callable[[InProcessCloud], str]
) -> None:
    """What a job says is one of our texts; what was behind it, as a key that was refused, is in the log."""
    error = job(cloud, fail(cloud))["error"]
    assert error["message"] == FAILURE_TEXTS[Failure(error["code"])]
    captured = capfd.readouterr()
    entries = [json.loads(line) for line in (captured.out + captured.err).splitlines()]
    told = [entry for entry in entries if entry["message"] in {"instant_failed", "answers_failed"}]
    assert told
    assert all(entry.get("cause") or entry.get("causes") for entry in told)


def test_the_queue_is_counted_with_what_has_just_been_given_back(cloud: InProcessCloud) -> None:
    """A run that takes up a batch of a dead one sends its jobs at once, and does not call the queue empty."""
    enqueue(cloud, "ann")

    def die(call: str, when: str) -> None:
        if (call, when) == ("openai.upload_input", "before"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), cloud.interrupting(die):
        submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(minutes=16))
    counts = submit_batches(cloud.deps)
    assert (counts["released"], counts["queued"], counts["jobs"]) == (1, 1, 1)
    assert stored(cloud, "stats/queue")["queued"] == 0


def test_a_batch_goes_when_its_jobs_go(cloud: InProcessCloud) -> None:
    """Its document says when, for the TTL policy."""
    enqueue(cloud, "ann")
    submit_batches(cloud.deps)
    (batch,) = cloud.client.collection("batches").limit(10).stream()
    assert (batch.get("expireAt") - batch.get("createdAt")).days == 90
