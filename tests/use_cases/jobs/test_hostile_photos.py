"""Photos that cost the operator and come to nothing: what one user, and many, can do with them."""

from datetime import timedelta

import pytest

from functions.core.shared.errors import DailyLimit, EcolaneError, PhotoRefused
from functions.core.wallet.quotas import FAILURES_REFUNDED_MAX
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.bulk.cancel_bulk import CancelBulk, cancel_bulk
from functions.use_cases.bulk.run_bulk import run_bulk
from functions.use_cases.bulk.start_bulk import StartBulk, start_bulk
from functions.use_cases.jobs.cancel_job import CancelJob, cancel_job
from scripts.inprocess import InProcessCloud
from tests.steps import PHOTO, classify, listed, wallet

KINDS = ["refusal", "cut_answer"]


@pytest.fixture
def cloud() -> InProcessCloud:
    """An empty cloud in which users begin with enough to try."""
    cloud = InProcessCloud(seed=1)
    cloud.configure({"tokens": {"welcome": 60}})
    return cloud


def ask(cloud: InProcessCloud, key: str, lane: str, uid: str = "eve") -> EcolaneError | None:
    """Have a photo classified. Returns what is refused."""
    try:
        classify(cloud, key, lane, uid, allowBatch=False)
    except EcolaneError as error:
        return error
    return None


def paid(cloud: InProcessCloud, uid: str = "eve") -> int:
    """Return what a user has paid, in tokens."""
    return int(wallet(cloud, uid)["totalSpent"])


def billed(cloud: InProcessCloud) -> int:
    """Return what users' jobs have cost the operator, in micro-dollars."""
    return sum(int(job["costMicros"]) for job in listed(cloud, "aiJobs").values())


@pytest.mark.parametrize("kind", KINDS)
def test_the_instant_lane_ends_after_a_few_photos_for_nothing(cloud: InProcessCloud, kind: str) -> None:
    """Three are refunded; then it is closed to their user until tomorrow, and to nobody else."""
    cloud.openai.faults.add(kind=kind, endpoint="*", count=None)
    for number in range(FAILURES_REFUNDED_MAX):
        assert ask(cloud, f"{number}", "instant") is not None
        assert paid(cloud) == 0
    spent = billed(cloud)
    assert spent > 0
    for number in range(10):
        cloud.clock.advance(timedelta(seconds=20))
        assert isinstance(ask(cloud, f"more-{number}", "instant"), DailyLimit)
    assert billed(cloud) == spent
    cloud.openai.faults.clear()
    assert ask(cloud, "honest", "instant", "ann") is None
    cloud.clock.advance(timedelta(days=1))
    assert ask(cloud, "tomorrow", "instant") is None


@pytest.mark.parametrize("kind", KINDS)
def test_in_the_batch_lane_they_are_paid_for(cloud: InProcessCloud, kind: str) -> None:
    """Three are refunded, the price of the others stays, and each counts for the day's limit."""
    cloud.openai.faults.add(kind=kind, endpoint="*", count=None)
    photos = FAILURES_REFUNDED_MAX + 4
    for number in range(photos):
        assert ask(cloud, f"{number}", "batch") is None
    for _ in range(24):
        submit_batches(cloud.deps)
        cloud.clock.advance(timedelta(minutes=20))
        poll_batches(cloud.deps)
    jobs = listed(cloud, "aiJobs").values()
    assert [job["status"] for job in jobs] == ["failed"] * photos
    assert sum(job["chargeStands"] for job in jobs) == paid(cloud) == photos - FAILURES_REFUNDED_MAX
    today = wallet(cloud, "eve")["today"]
    assert (today["batch"], today["failed"]) == (photos, photos)


def test_photos_sent_at_once_are_paid_for_from_the_fourth_on(cloud: InProcessCloud) -> None:
    """Those that are let in before the first has failed: the user is told that the price is kept, and it is."""
    cloud.openai.faults.add(kind="refusal", endpoint="*", count=None)
    refused: list[EcolaneError | None] = []
    waiting = [f"request-{number}" for number in range(FAILURES_REFUNDED_MAX)]

    def meanwhile(call: str, when: str) -> None:
        """Ask for the next photo while the provider looks at the one before."""
        if call == "openai.complete" and when == "before" and waiting:
            refused.append(ask(cloud, waiting.pop(), "instant"))

    cloud.interrupt = meanwhile
    refused.append(ask(cloud, "first", "instant"))
    told = [error.details["refunded"] for error in refused if isinstance(error, PhotoRefused)]
    assert told == [True] * FAILURES_REFUNDED_MAX + [False]
    assert paid(cloud) == 5


@pytest.mark.parametrize("together", [False, True])
def test_who_cancels_between_two_attempts_pays_all_the_same(cloud: InProcessCloud, together: bool) -> None:
    """A photo that the model talks about without end waits for a second attempt after the first has been paid for: who
    cancels it then, alone or with its bulk job, has three refunded, and each counts for the day."""
    cloud.openai.faults.add(kind="cut_answer", endpoint="*", count=None)
    photos = FAILURES_REFUNDED_MAX + 4
    if together:
        paths = [cloud.upload("eve", f"{number}.jpg", PHOTO) for number in range(photos)]
        bulk_id = start_bulk(StartBulk(requestId="many-photos", images=paths), "eve", cloud.deps)["bulkId"]
        run_bulk(cloud.deps)
    else:
        assert [ask(cloud, f"{number}", "batch") for number in range(photos)] == [None] * photos
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(minutes=20))
    poll_batches(cloud.deps)
    waiting = listed(cloud, "aiJobs")
    assert all(job["status"] == "queued" and job["costMicros"] > 0 for job in waiting.values())
    if together:
        cancel_bulk(CancelBulk(bulkId=bulk_id), "eve", cloud.deps)
        run_bulk(cloud.deps)
    else:
        for job_id in waiting:
            cancel_job(CancelJob(jobId=job_id), "eve", cloud.deps)
    jobs = listed(cloud, "aiJobs").values()
    assert [job["status"] for job in jobs] == ["cancelled"] * photos
    assert sum(job["chargeStands"] for job in jobs) == paid(cloud) == photos - FAILURES_REFUNDED_MAX
    assert wallet(cloud, "eve")["today"]["failed"] == photos


def test_an_outage_costs_its_users_nothing(cloud: InProcessCloud) -> None:
    """Calls that may be billed and were not answered are no user's fault, however many."""
    cloud.openai.faults.add(kind="server_error", endpoint="*", count=None)
    for number in range(3 * FAILURES_REFUNDED_MAX):
        cloud.clock.advance(timedelta(seconds=20))
        assert not isinstance(ask(cloud, f"{number}", "instant"), DailyLimit)
        assert paid(cloud) == 0
