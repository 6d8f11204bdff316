"""How a job passes from one state to the next: the fields of each change, and when another try is due. One update
writes them, guarded by the version read; `done` is written together with its result."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from functions.core.budget.holds import Hold
from functions.core.jobs.jobs import Failure, Job, JobError, Status
from functions.core.jobs.legs import Came, Tried
from functions.core.model.classification import Classification
from functions.core.model.usage import Usage
from functions.core.shared.lanes import Lane
from functions.core.shared.records import Fields

WAIT_MAX = timedelta(hours=26)
"""A batch job that has waited longer, OpenAI's 24 hours and our own trouble included, is failed and refunded."""

RETRY_BACKOFF = (timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4))
"""How long a job stays out of the queue after its first, second and any further failed attempt."""


UNUSABLE_ATTEMPTS_MAX = 2
"""A job is not tried again after its second unusable answer, whatever `attempts_max` says. Each is paid for; one may be
the model's slip, two are the photo's doing."""


def with_fields(job: Job, fields: Fields) -> Job:
    """Return the job as it is after an update of these stored fields."""
    return Job.model_validate({**job.model_dump(by_alias=True), **fields})


def done(
    result: Classification, usage: Usage | None, cost_micros: int, now: datetime, tried: Sequence[Tried] = ()
) -> Fields:
    """The result has come: the one write that makes a job `done` carries everything the app shows."""
    return {
        **_legs(tried),
        "status": Status.DONE,
        "result": result.as_json(),
        "usage": usage.model_dump(by_alias=True) if usage else None,
        "costMicros": cost_micros,
        "error": None,
        "completedAt": now,
        "leaseUntil": None,
        "queuedAt": None,
    }


def _legs(tried: Sequence[Tried]) -> Fields:
    """What came of each provider, where more than one was asked, or nobody knows what one bills."""
    told = len(tried) > 1 or any(leg.came == Came.DOUBTFUL for leg in tried)
    return {"tried": [leg.model_dump(by_alias=True) for leg in tried]} if told else {}


def failed(
    error: JobError, cost_micros: int, now: datetime, usage: Usage | None = None, tried: Sequence[Tried] = ()
) -> Fields:
    """The last attempt has failed; its refund goes into the same transaction. A useless answer still has its cost, and
    its usage if it told one."""
    billed = {} if usage is None else {"usage": usage.model_dump(by_alias=True)}
    return {
        **billed,
        **_legs(tried),
        "status": Status.FAILED,
        "error": error.told(),
        "costMicros": cost_micros,
        "completedAt": now,
        "leaseUntil": None,
        "queuedAt": None,
    }


def cancelled(now: datetime) -> Fields:
    """The user has changed their mind while the job was queued; its refund goes into the same transaction."""
    return {"status": Status.CANCELLED, "queuedAt": None, "completedAt": now}


def upgraded(
    opened_by: str,
    tokens_cost: int,
    lease_until: datetime,
    attempts: int,
    hold: Hold | None = None,
    arms: Mapping[str, str] = MappingProxyType({}),
    *,
    tokens_bought: int,
) -> Fields:
    """The user pays the difference and the job leaves the queue for the instant lane."""
    return {
        "mode": Lane.INSTANT,
        "status": Status.PROCESSING,
        "openedBy": opened_by,
        "tokensCost": tokens_cost,
        "tokensBought": tokens_bought,
        "leaseUntil": lease_until,
        "queuedAt": None,
        "estimatedCompletion": None,
        "attempts": attempts + 1,
        "hold": hold.model_dump(by_alias=True) if hold else None,
        "arms": dict(arms),
    }


def claimed(batch_id: str, attempts: int, lease_until: datetime) -> Fields:
    """A submitter took the job into its batch. Batches have leases of their own; the job's is for a batch that loses
    it."""
    return {"status": Status.PROCESSING, "batchId": batch_id, "attempts": attempts + 1, "leaseUntil": lease_until}


def unclaimed(at: datetime) -> Fields:
    """Out of its batch and back into the queue, to be taken from `at` on."""
    return {"status": Status.QUEUED, "batchId": None, "leaseUntil": None, "queuedAt": at}


def requeued(error: JobError, *, attempts: int, at: datetime) -> Fields:
    """The same after an attempt. `attempts` are those that count against the limit."""
    return {**unclaimed(at), "attempts": attempts, "error": error.told()}


def lease_moved(until: datetime, error: JobError, cost_micros: int) -> Fields:
    """What cannot be ended now stays under a lease, after which `recover_jobs` fails and refunds it for this reason."""
    return {
        "leaseUntil": until,
        "error": error.as_json(),
        "costMicros": cost_micros,
    }


def backoff(attempts: int) -> timedelta:
    """Return how long to wait after this many failed attempts."""
    return RETRY_BACKOFF[min(max(attempts, 1), len(RETRY_BACKOFF)) - 1]


def may_try_again(error: JobError, attempts: int, attempts_max: int) -> bool:
    """Whether a job that has failed so many times, now with a retryable error, has an attempt left."""
    unusable = error.code == Failure.ANSWER_UNUSABLE
    return attempts < (min(attempts_max, UNUSABLE_ATTEMPTS_MAX) if unusable else attempts_max)


def waited_too_long(created_at: datetime, now: datetime) -> bool:
    """Whether a batch job has waited longer than anybody should."""
    return now - created_at > WAIT_MAX
