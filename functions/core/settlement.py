"""How a job that failed for good ends: its refund and its failure are one decision, for one transaction."""

from collections.abc import Callable
from datetime import datetime

from functions.core.jobs import Fields, Job, JobError, Status, failed
from functions.core.ledger import Account, Wallet, empty_wallet, refund
from functions.core.limits import readmit

Decision = Callable[[Wallet | None, Job], tuple[Account, Fields] | None]
"""Looks at a wallet and a job as they are now. None: this job is not, or no longer, the caller's to end."""


def refunding(held: Callable[[Job], bool], error: JobError, cost_micros: int, now: datetime) -> Decision:
    """Return the decision to fail a job and give its price back, as long as it is still processing for this caller.

    `held` tells whether the job is still the caller's. `cost_micros` is all that was spent on it, which the operator
    owes the provider although the user gets the tokens back.
    """

    def decide(wallet: Wallet | None, job: Job) -> tuple[Account, Fields] | None:
        if job.status is not Status.PROCESSING or not held(job):
            return None
        # A refund finds its way even if the wallet was removed meanwhile: the tokens were the user's.
        account = Account(wallet or empty_wallet(now))
        account = refund(account, job.job_id, job.tokens_cost, now, points=job.points)
        return readmit(account, job.mode, job.created_at, now), failed(error, cost_micros, now)

    return decide
