"""What comes back of cancelled jobs: all of it, unless the operator has paid for nothing too often."""

import pytest

from functions.core.config.runtime import RuntimeConfig
from functions.core.jobs.cancelling import cancelled_together, cancelling
from functions.core.jobs.endings import Settled
from functions.core.jobs.jobs import BY_THE_PHOTO, Failure, Job, JobError, Status
from functions.core.shared.lanes import Lane
from functions.core.wallet.accounts import Account, charge, open_account
from functions.core.wallet.ledger import Today, Wallet
from functions.core.wallet.quotas import FAILURES_REFUNDED_MAX
from tests.builders import NOW, job

TODAY = NOW.date().isoformat()


def queued(number: int, code: Failure | None, cost: int = 200) -> Job:
    """Return a job that waits; for another attempt, if the first has failed with this code, and cost so much."""
    error = JobError(code=code, message="") if code else None
    waiting = job(job_id=f"job-{number}", mode=Lane.BATCH, status=Status.QUEUED, tokens_cost=1)
    return waiting.model_copy(update={"error": error, "cost_micros": cost if code else 0})


def paid_for(*jobs: Job, failed: int = 0) -> Wallet:
    """Return the wallet of a user who has paid for these, and has had so many photos for nothing today."""
    account = open_account(None, 10, NOW)
    for each in jobs:
        account = charge(account, each.job_id, each.tokens_cost, NOW)
    return account.with_fields(today=Today(day=TODAY, batch=len(jobs), failed=failed)).wallet


@pytest.mark.parametrize("code", sorted(BY_THE_PHOTO))
@pytest.mark.parametrize("failed", [0, FAILURES_REFUNDED_MAX - 1, FAILURES_REFUNDED_MAX])
def test_who_cancels_between_two_attempts_is_refunded_a_few_times_a_day(code: Failure, failed: int) -> None:
    """As if it had failed: each counts, and keeps its place of the day."""
    waiting = queued(1, code)
    decided = cancelling(waiting.uid, RuntimeConfig(), NOW)(paid_for(waiting, failed=failed), waiting)
    assert isinstance(decided, Settled)
    assert decided.account is not None
    stands = failed == FAILURES_REFUNDED_MAX
    assert decided.account.wallet.balance == 10 - stands
    assert (decided.fields["status"], decided.fields.get("chargeStands", False)) == (Status.CANCELLED, stands)
    assert (decided.account.wallet.today.failed, decided.account.wallet.today.batch) == (failed + 1, 1)


@pytest.mark.parametrize(
    "waiting", [queued(1, None), queued(1, Failure.LINE_MISSING), queued(1, Failure.ANSWER_UNUSABLE, 0)]
)
def test_what_is_not_the_photos_doing_comes_back_however_often(waiting: Job) -> None:
    """No attempt yet, one that failed for another reason, or one that was not billed."""
    wallet = paid_for(waiting, failed=FAILURES_REFUNDED_MAX)
    decided = cancelling(waiting.uid, RuntimeConfig(), NOW)(wallet, waiting)
    assert isinstance(decided, Settled)
    assert decided.account is not None
    assert (decided.account.wallet.balance, decided.account.wallet.today.failed) == (10, FAILURES_REFUNDED_MAX)


def test_of_jobs_cancelled_together_each_is_looked_at() -> None:
    """Two of these come back: the one that had no attempt, and the last that may."""
    jobs = [queued(1, Failure.ANSWER_UNUSABLE), queued(2, Failure.ANSWER_UNUSABLE), queued(3, None)]
    account = Account(paid_for(*jobs, failed=FAILURES_REFUNDED_MAX - 1))
    counted, back, ended = cancelled_together(account, jobs, NOW)
    assert [each.job_id for each in back] == ["job-1", "job-3"]
    assert [each.get("chargeStands", False) for each in ended.values()] == [False, True, False]
    assert {each["status"] for each in ended.values()} == {Status.CANCELLED}
    assert (counted.wallet.balance, counted.wallet.today.failed) == (7, FAILURES_REFUNDED_MAX + 1)
