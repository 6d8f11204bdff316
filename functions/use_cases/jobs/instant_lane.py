"""The instant lane: ask the provider about one charged job and settle it. Shared by `classify_image` and `upgrade_job`.

ask      under the job's lease, so that a crash here is found and refunded
settle   the result, or the failure with its refund; guarded: only while the job is still as its opener left it
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from functions import log
from functions.adapters.time_budget import STORE_PATIENCE_SECONDS, since_arrival
from functions.core.budget.anomalies import Terms, UsageAnomalies
from functions.core.cache.notes import labelling
from functions.core.jobs.attempts import Attempt, answered, failed_attempt, judge
from functions.core.jobs.endings import refunding
from functions.core.jobs.jobs import BY_THE_PATH, Failure, Job, JobError, Status
from functions.core.jobs.transitions import with_fields
from functions.core.model.dialects.openai import completion_request
from functions.core.model.prompts import image_data_url
from functions.core.model.provider_errors import Trouble
from functions.core.model.refusals import ProviderDownError, ProviderRejectedError
from functions.core.shared.errors import InvalidImage, PhotoRefused, ProviderUnavailable
from functions.core.shared.photos import PhotoProblem
from functions.core.shared.time_limits import CALL_TIMEOUT
from functions.use_cases.budget.spending import report_doubts
from functions.use_cases.rollouts.serving import Served, held_for, note_outcome

if TYPE_CHECKING:
    from functions.core.model.classification import Answer
    from functions.wiring import Deps

PROVIDER_SECONDS_MIN = 0.1
"""Then the provider is as good as not asked, and the charge comes back."""


def classify_now(job: Job, photo: bytes, version: datetime, deps: Deps, kept: Answer | None = None) -> Job:
    """Return the job with its result. Each error refunds the charge, except a PhotoRefused with `refunded` false,
    beyond `core.wallet.quotas.FAILURES_REFUNDED_MAX`. `kept` is the cache's answer, which the model's is compared with.

    Raises:
        InvalidImage: the provider cannot read this photo.
        PhotoRefused: the model, or the provider's rules, are against it.
        ProviderUnavailable: it gave no usable answer. Details `retryAfter`, `jobId`.
    """
    path = held_for(job, deps)
    attempt, retry_after = _ask(job, path, photo, deps)
    try:
        return _settle(job, path, attempt, retry_after, version, kept, deps)
    finally:  # a stop for everybody is written when the user's job is
        note_outcome(job.arms, job.uid, deps, failed=attempt.error is not None and attempt.error.code in BY_THE_PATH)


def _settle(
    job: Job, path: Served, attempt: Attempt, retry_after: int, version: datetime, kept: Answer | None, deps: Deps
) -> Job:
    held, percent = (job.hold.line_micros, job.hold.percent) if job.hold else (0, 100)
    terms = Terms(path.model, deps.model_price(path.model), most_micros=held, percent=percent)
    anomalies = UsageAnomalies()
    anomalies.add(job.job_id, attempt, terms)
    report_doubts(anomalies, deps)
    error = attempt.error or JobError(code=Failure.PROVIDER_UNAVAILABLE, message="the answer came after the lease")
    if attempt.answer is not None:
        fields = answered(attempt.answer, attempt, job, terms, deps.clock(), path.prompt)
        if kept is not None and job.cache is not None:
            fields = {**fields, **labelling(job.cache, kept, attempt.answer, deps.clock())}
        if deps.store.update_job(job, version, fields):
            return with_fields(job, fields)
        # Written already (the reply was lost), or the lease ran out and the charge was refunded: the job says which.
        stored = deps.store.get_job(job.job_id)
        if stored is not None and stored.job.status is Status.DONE:
            return stored.job
    log.warning(log.Event.INSTANT_FAILED, jobId=job.job_id, code=error.code, cause=error.message)
    spent = job.cost_micros + terms.cost_micros(attempt)
    usage = terms.believed(attempt)
    ours = refunding(lambda j: j.opened_by == job.opened_by, error, spent, deps.clock(), usage)
    stored = deps.store.settle_job(job.job_id, job.uid, ours)
    if stored is not None and stored.job.charge_stands:
        message = "The classifier cannot use this photo, nor several others of yours today. This one is not refunded."
        raise PhotoRefused(message, jobId=job.job_id, refunded=False)
    if attempt.refused:
        message = "The classifier refuses this photo. Your tokens were refunded; choose another photo."
        raise PhotoRefused(message, jobId=job.job_id, refunded=True)
    if error.code is Failure.PROVIDER_REJECTED:
        raise InvalidImage(
            PhotoProblem.REFUSED,
            "The classifier cannot read this photo. Your tokens were refunded; choose another photo.",
        )
    raise ProviderUnavailable(
        "The classifier is not available now. Your tokens were refunded; try again later with a new requestId.",
        retryAfter=retry_after,
        jobId=job.job_id,
    )


def _ask(job: Job, path: Served, photo: bytes, deps: Deps) -> tuple[Attempt, int]:
    """Return the attempt, and after how many seconds another one makes sense should it have failed."""
    rules = deps.runtime().instant
    image, identifier = image_data_url(photo), deps.safety_identifier(job.uid)
    body = completion_request(path.model, image, job.region, job.language, prompt=path.prompt, identifier=identifier)
    try:
        completion = deps.provider.complete(body, min(rules.provider_timeout_seconds, _seconds_left()), job.uid)
    except ProviderDownError as problem:
        unreported = problem.may_be_billed
        attempt = failed_attempt(Failure.PROVIDER_UNAVAILABLE, str(problem), unreported=unreported)
        return attempt, problem.retry_after_seconds or rules.retry_after_seconds
    except ProviderRejectedError as problem:
        refused = problem.trouble is Trouble.POLICY
        return failed_attempt(Failure.PROVIDER_REJECTED, str(problem), refused=refused), rules.retry_after_seconds
    return judge(completion), rules.retry_after_seconds


def _seconds_left() -> float:
    """Return the provider's time, so that the answer or a refund is stored before the platform ends the call: what came
    before, as a slow body or a slow Storage, is taken off."""
    return max(CALL_TIMEOUT.total_seconds() - STORE_PATIENCE_SECONDS - since_arrival(), PROVIDER_SECONDS_MIN)
