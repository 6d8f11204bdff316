"""The instant lane: ask a provider about one charged job, another one if that fails, and settle it. Shared by
`classify_image` and `upgrade_job`.

ask      under the job's lease, so that a crash here is found and refunded
settle   the result, or the failure with its refund; guarded: only while the job is still as its opener left it

    first fails, whoever's fault but the photo's ──► second, in what is left of the call's time ──► settled, each leg
                                                                                                    under its own model
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from functions import log
from functions.adapters.time_budget import STORE_PATIENCE_SECONDS, since_arrival
from functions.core.budget.anomalies import Terms, UsageAnomalies
from functions.core.jobs.attempts import Attempt, answered, failed_attempt, judge, tried
from functions.core.jobs.endings import refunding
from functions.core.jobs.jobs import BY_THE_PATH, Failure, Job, JobError, Status
from functions.core.jobs.transitions import with_fields
from functions.core.model.dialects.dialect import dialect_of
from functions.core.model.prompts import image_data_url
from functions.core.model.provider_errors import Trouble
from functions.core.model.refusals import ProviderDownError, ProviderRejectedError
from functions.core.shared.errors import InvalidImage, PhotoRefused, ProviderUnavailable
from functions.core.shared.photos import PhotoProblem
from functions.core.shared.providers import split
from functions.core.shared.time_limits import CALL_TIMEOUT
from functions.use_cases.budget.spending import report_doubts
from functions.use_cases.cache.labels import compared
from functions.use_cases.jobs.failover import tell_operators
from functions.use_cases.rollouts.outcomes import note_outcome
from functions.use_cases.rollouts.serving import Served, held_for, may_serve

if TYPE_CHECKING:
    from datetime import datetime

    from functions.wiring import Deps

PROVIDER_SECONDS_MIN = 0.1
"""Then the provider is as good as not asked, and the charge comes back."""


def classify_now(job: Job, photo: bytes, version: datetime, deps: Deps) -> Job:
    """Return the job with its result. Each error refunds the charge, except a PhotoRefused with `refunded` false,
    beyond `core.wallet.quotas.FAILURES_REFUNDED_MAX`.

    Raises:
        InvalidImage: the provider cannot read this photo.
        PhotoRefused: the model, or the provider's rules, are against it.
        ProviderUnavailable: it gave no usable answer. Details `retryAfter`, `jobId`.
    """
    path = held_for(job, deps)
    legs = _ask(job, path, photo, deps)
    try:
        return _settle(job, path, legs, version, deps)
    finally:  # a stop for everybody, and what operators hear, is written when the user's job is
        first = legs[0].attempt.error
        note_outcome(job.arms, job.uid, deps, failed=first is not None and first.code in BY_THE_PATH)
        tell_operators([leg.down for leg in legs if leg.down], path, deps)


@dataclass(frozen=True)
class _Leg:
    """What one provider made of the photo, and on which terms; `down` if it was the provider that failed."""

    attempt: Attempt
    terms: Terms
    retry_after: int
    down: ProviderDownError | None = None


def _settle(job: Job, path: Served, legs: list[_Leg], version: datetime, deps: Deps) -> Job:
    for leg in legs:
        anomalies = UsageAnomalies()
        anomalies.add(job.job_id, leg.attempt, leg.terms)
        report_doubts(anomalies, deps)
    attempt, terms = legs[-1].attempt, legs[-1].terms
    came = [tried(leg.attempt, leg.terms) for leg in legs]
    error = attempt.error or JobError(code=Failure.PROVIDER_UNAVAILABLE, message="the answer came after the lease")
    if attempt.answer is not None:
        fields = answered(attempt.answer, attempt, job, terms, deps.clock(), path.prompt, came, path.side_max)
        fields = {**fields, **compared(job.cache, attempt.answer, replace(path, model=terms.model), deps)}
        if deps.store.update_job(job, version, fields):
            return with_fields(job, fields)
        # Written already (the reply was lost), or the lease ran out and the charge was refunded: the job says which.
        stored = deps.store.get_job(job.job_id)
        if stored is not None and stored.job.status is Status.DONE:
            return stored.job
    log.warning(log.Event.INSTANT_FAILED, jobId=job.job_id, code=error.code, cause=error.message)
    spent = job.cost_micros + sum(leg.micros for leg in came)
    usage = terms.believed(attempt)
    ours = refunding(lambda j: j.opened_by == job.opened_by, error, spent, deps.clock(), usage, came)
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
        retryAfter=legs[-1].retry_after,
        jobId=job.job_id,
    )


def _ask(job: Job, path: Served, photo: bytes, deps: Deps) -> list[_Leg]:
    """Ask the first provider, and the second if that fails for no fault of the photo's and may still see it. All of it
    in the call's one time."""
    rules = deps.runtime()
    ends = since_arrival() + min(rules.instant.provider_timeout_seconds, _seconds_left())
    url = image_data_url(photo)
    seconds = max(ends - since_arrival(), PROVIDER_SECONDS_MIN)
    if path.second is None:
        return [_leg(job, path, path.model, url, seconds, deps)]
    first = _leg(job, path, path.model, url, min(rules.providers.first_seconds, seconds / 2), deps)
    if first.down is None or not may_serve(path.second, job.region, deps):
        return [first]
    log.warning(log.Event.FAILED_OVER, jobId=job.job_id, model=path.model, second=path.second, cause=str(first.down))
    left = max(ends - since_arrival(), PROVIDER_SECONDS_MIN)
    return [first, _leg(job, path, path.second, url, left, deps)]


def _leg(job: Job, path: Served, model: str, image_url: str, seconds: float, deps: Deps) -> _Leg:
    provider, known_as = split(model)
    identifier, wait = deps.safety_identifier(job.uid, provider), deps.runtime().instant.retry_after_seconds
    terms = Terms(model, deps.model_price(model), *_held_for(model, job))
    body = dialect_of(model).completion_request(
        known_as, image_url, job.region, job.language, prompt=path.prompt, identifier=identifier
    )
    try:
        completion = deps.asked(model).complete(body, seconds, job.uid)
    except ProviderDownError as problem:
        unreported = problem.may_be_billed
        attempt = failed_attempt(Failure.PROVIDER_UNAVAILABLE, str(problem), unreported=unreported)
        return _Leg(attempt, terms, problem.retry_after_seconds or wait, problem)
    except ProviderRejectedError as problem:
        refused = problem.trouble is Trouble.POLICY
        return _Leg(failed_attempt(Failure.PROVIDER_REJECTED, str(problem), refused=refused), terms, wait)
    return _Leg(judge(completion), terms, wait)


def _held_for(model: str, job: Job) -> tuple[int, int]:
    """Return the most that this model's answer can cost, and how many percent of its estimate that is."""
    if job.hold is None:
        return 0, 100
    second = job.hold.second
    return (
        (second.micros, second.percent)
        if second and second.model == model
        else (job.hold.line_micros, job.hold.percent)
    )


def _seconds_left() -> float:
    """Return the provider's time, so that the answer or a refund is stored before the platform ends the call: what came
    before, as a slow body or a slow Storage, is taken off."""
    return max(CALL_TIMEOUT.total_seconds() - STORE_PATIENCE_SECONDS - since_arrival(), PROVIDER_SECONDS_MIN)
