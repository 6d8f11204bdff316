"""Answers that a user disputes: not given again, counted, and, if it was given again, paid back.

A dispute is the user's word. It is counted by model, prompt and category, and is no label of the cache: of its hits one
in twenty is asked again, of disputed ones each would count, and a user in two hundred who disagrees with the model
would be taken for a cache that errs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from functions.core.jobs.jobs import Dispute, Job, Status
from functions.core.shared.errors import InvalidRequest
from functions.core.shared.records import Fields
from functions.core.wallet.accounts import Account, refund
from functions.core.wallet.ledger import Wallet


class DisputeReason(StrEnum):
    """What is wrong with an answer, as its user sees it."""

    WRONG_ITEM = "wrong_item"
    WRONG_DISPOSAL = "wrong_disposal"
    OTHER = "other"


@dataclass(frozen=True)
class Disputed:
    """The account to write, None if no price comes back; the job's fields; those of the job that it was served from,
    None if there is none; and by what the dispute is counted: model, prompt, category."""

    account: Account | None
    fields: Fields
    source_fields: Fields | None
    counted_by: tuple[str, str, str]


DisputeDecision = Callable[[Wallet | None, Job, Job | None, bool], Disputed | None]
"""Looks at a wallet, a job, the job that it was served from, and whether its price has come back already. None: it is
disputed already."""


def disputing(uid: str, reason: DisputeReason, now: datetime) -> DisputeDecision:
    """Return the decision to dispute the answer of the user's job. `core.jobs.endings.require_owner` comes before.

    Raises:
        InvalidRequest: the job has no answer.
    """
    dispute = {"dispute": Dispute(reason=reason, at=now).model_dump(by_alias=True)}

    def decide(wallet: Wallet | None, job: Job, source: Job | None, refunded: bool) -> Disputed | None:
        if job.dispute is not None:
            return None
        if job.status is not Status.DONE or job.result is None:
            raise InvalidRequest("jobId: this job has no answer.", field="jobId")
        result = job.result
        counted_by = (str(result.get("model")), str(result.get("promptVersion")), str(result.get("category")))
        if job.cache is None or not job.cache.served:
            return Disputed(None, dispute, None, counted_by)
        ours = source is not None and source.uid == uid and source.dispute is None
        account = _paid_back(wallet, job, now, refunded=refunded)
        return Disputed(account, dispute, dispute if ours else None, counted_by)

    return decide


def _paid_back(wallet: Wallet | None, job: Job, now: datetime, *, refunded: bool) -> Account | None:
    """Return the account with the price of a kept answer back in it. A user who was erased has none, and none is paid
    back twice, whether by this or by an operator."""
    if wallet is None or refunded:
        return None
    return refund(Account(wallet), job.job_id, job.tokens_cost, now, points=job.points, bought=job.tokens_bought)
