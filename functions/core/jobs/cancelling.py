"""Cancelling queued jobs: what comes back, and what does not.

A job that waits for another attempt because of what its photo shows has cost the operator an answer already. It ends as
if it had failed: else whoever cancels in time would pay for no such photo.
"""

from collections.abc import Sequence
from datetime import datetime

from functions.core.config.runtime import RuntimeConfig
from functions.core.jobs.endings import Decision, Settled, paid_for_nothing, require_owner
from functions.core.jobs.jobs import BY_THE_PHOTO, Job, Status, counted_on
from functions.core.jobs.transitions import cancelled
from functions.core.refresh.refresh import credit_due
from functions.core.shared.errors import JobNotCancellable
from functions.core.shared.records import Fields
from functions.core.wallet.accounts import Account, refund
from functions.core.wallet.ledger import Wallet
from functions.core.wallet.quotas import count_failure, return_quota_of_cancelled


def cancelling(uid: str, runtime: RuntimeConfig, now: datetime) -> Decision:
    """Return the decision to cancel the user's queued job and refund it, after the credit due. A cancelled job stays
    so.

    Raises:
        JobNotFound: it is somebody else's.
        JobNotCancellable: it has left the queue; detail `status`.
    """

    def decide(wallet: Wallet | None, job: Job) -> Settled | None:
        require_owner(job, uid)
        if job.status is Status.CANCELLED:
            return None
        if job.status is not Status.QUEUED:
            raise JobNotCancellable("Only a queued job can be cancelled.", status=job.status)
        if wallet is None:
            return Settled(None, cancelled(now))
        account = credit_due(wallet, uid, runtime, now)
        if _came_to_nothing(job):
            return paid_for_nothing(account, job, cancelled(now), now)
        account = refund(account, job.job_id, job.tokens_cost, now, points=job.points, bought=job.tokens_bought)
        return Settled(return_quota_of_cancelled(account, job.mode, counted_on(job), now), cancelled(now))

    return decide


def cancelled_together(
    account: Account, jobs: Sequence[Job], now: datetime
) -> tuple[Account, list[Job], dict[str, Fields]]:
    """Cancel queued jobs of one user that one charge has paid. Returns the account, which has none of it back yet, the
    jobs whose price comes back, and the fields of each."""
    back, ended = list[Job](), dict[str, Fields]()
    for job in jobs:
        comes_back = True
        if _came_to_nothing(job):
            account, comes_back = count_failure(account, now)
        ended[job.job_id] = cancelled(now) if comes_back else {**cancelled(now), "chargeStands": True}
        back += [job] if comes_back else []
    return account, back, ended


def _came_to_nothing(job: Job) -> bool:
    return job.error is not None and job.error.code in BY_THE_PHOTO and job.cost_micros > 0
