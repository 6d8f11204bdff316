"""`classify_image`: charge, then classify now (instant) or queue (batch).

check the path, fetch and prepare the photo      nothing is charged for a photo that cannot be used
charge + ledger entry + job, one transaction     the job's id follows from the key: a replay meets it and stops
instant: ask the provider                        under a lease, so that a crash here is found and refunded
instant: result, or failure + refund             guarded: only while the job is still as this call left it
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, StringConstraints

from functions import log
from functions.adapters.openai import ProviderDownError, ProviderRejectedError
from functions.core import ledger
from functions.core.attempts import Attempt, Terms, answered, failed_attempt, judge
from functions.core.earning import streak
from functions.core.errors import EcolaneError, InstantClosed, InvalidImage, ProviderUnavailable
from functions.core.jobs import (
    JOB_LIFETIME,
    Failure,
    Job,
    JobError,
    Lane,
    Status,
    job_id_for,
    job_view,
    require_same_request,
    with_fields,
)
from functions.core.ledger import Account, Wallet
from functions.core.limits import admit
from functions.core.pricing import Prices, prices_now, require_within
from functions.core.prompts import completion_request, image_data_url
from functions.core.records import LanguageTag, Request, RequestId
from functions.core.settlement import refunding
from functions.core.uploads import PATH_CHARACTERS_MAX, own_upload

if TYPE_CHECKING:
    from functions.core.runtime import RuntimeConfig
    from functions.wiring import Deps


class ClassifyImage(Request):
    """One photo, and how soon it is wanted.

    `request_id` is the idempotency key: the app makes a new one per photo. `max_tokens` is the most it may cost.
    """

    request_id: RequestId
    image_path: Annotated[str, StringConstraints(min_length=1, max_length=PATH_CHARACTERS_MAX)]
    mode: Annotated[Lane, Field(strict=False)]
    region: Annotated[str, StringConstraints(pattern=r"^[\w ,.'()-]{2,64}$")] | None = None
    language: LanguageTag | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    allow_batch: bool = True


def classify_image(request: ClassifyImage, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the job as JSON, and the `balance` left when this call charged for it.

    A repeated `requestId` gets the stored job again and nothing is charged. While the instant lane is closed, an
    instant photo is served as a batch one, at that price, unless `allowBatch` is false: `mode` then differs from
    `requestedMode`.

    Raises:
        NotYourImage, ImageNotFound, InvalidImage: about the photo; nothing is charged or stored.
        InstantClosed, PriceChanged, RateLimited, DailyLimit, InsufficientTokens: nothing is charged or stored.
        KeyReused: the key belongs to another request.
        ProviderUnavailable: the instant lane's provider failed; the charge is refunded.
    """
    runtime = deps.runtime()
    prices = prices_now(runtime.tokens, deps.queue().queued)
    job = _new_job(request, uid, deps, prices)
    try:
        if job.mode is not request.mode and not request.allow_batch:
            raise InstantClosed("The instant lane is closed now. Take the batch lane, or try again later.")
        own_upload(uid, request.image_path)
        photo = deps.prepare_photo(deps.files.read_photo(request.image_path), runtime.images)
        require_within(job.tokens_cost, request.max_tokens, prices)
        opened = deps.store.open_job(job, lambda wallet: _charged(wallet, job, runtime))
    except EcolaneError:
        # A refusal stands only if the key is new: the photo may be gone and the tokens spent since the first call.
        stored = deps.store.get_job(job.job_id)
        if stored is None:
            raise
        opened = None
    if opened is None:
        return _answer_again(job, deps)
    job = opened.job
    if job.mode is Lane.INSTANT:
        job = _classify_now(job, photo, opened.version, deps, runtime)
    return {**job_view(job), "balance": opened.balance}


def _charged(wallet: Wallet | None, job: Job, runtime: RuntimeConfig) -> tuple[Account, Job]:
    """Decide whether this user may have this job now, what is left then, and where it stands in the queue."""
    rules, now = runtime.tokens, job.created_at
    account = ledger.open_account(wallet, rules.welcome, now)
    plan = runtime.plans.of(account.wallet.plan)
    loyal = streak(account.wallet, now) >= rules.streak_days_for_priority
    account = admit(account, job.mode, plan, now)
    account = ledger.charge(account, job.job_id, job.tokens_cost, now, points=job.points)
    return account, job.model_copy(update={"priority": plan.priority + int(loyal)})


def _new_job(request: ClassifyImage, uid: str, deps: Deps, prices: Prices) -> Job:
    runtime, now = deps.runtime(), deps.clock()
    instant = request.mode is Lane.INSTANT and runtime.instant.open
    return Job(
        job_id=job_id_for(uid, request.request_id),
        uid=uid,
        image_path=request.image_path,
        requested_mode=request.mode,
        mode=Lane.INSTANT if instant else Lane.BATCH,
        region=request.region or runtime.default_region,
        language=request.language or runtime.default_language,
        status=Status.PROCESSING if instant else Status.QUEUED,
        tokens_cost=prices.of(Lane.INSTANT if instant else Lane.BATCH),
        points=runtime.tokens.points_per_classification,
        created_at=now,
        estimated_completion=None if instant else now + timedelta(minutes=runtime.batch.expected_minutes),
        attempts=1 if instant else 0,
        opened_by=deps.new_id(),
        lease_until=now + timedelta(seconds=runtime.instant.lease_seconds) if instant else None,
        expire_at=now + JOB_LIFETIME,
    )


def _answer_again(job: Job, deps: Deps) -> dict[str, Any]:
    """Answer a repeated key with what is stored under it."""
    stored = deps.store.get_job(job.job_id)
    if stored is None:
        raise RuntimeError(f"job {job.job_id} exists and cannot be read")
    require_same_request(stored.job, job)
    return job_view(stored.job)


def _classify_now(job: Job, photo: bytes, version: datetime, deps: Deps, runtime: RuntimeConfig) -> Job:
    """Ask the provider and settle: the result, or the failure with its refund."""
    attempt, retry_after = _ask(job, photo, deps, runtime)
    terms = Terms(deps.settings.openai_model, deps.model_price(), batch=False)
    error = attempt.error or JobError(code=Failure.PROVIDER_UNAVAILABLE, message="the answer came after the lease")
    if attempt.answer is not None:
        fields = answered(attempt.answer, attempt, job, terms, deps.clock())
        if deps.store.update_job(job.job_id, version, fields):
            return with_fields(job, fields)
        # Written already (the reply was lost), or the lease ran out and the charge was refunded: the job says which.
        stored = deps.store.get_job(job.job_id)
        if stored is not None and stored.job.status is Status.DONE:
            return stored.job
    log.warning(log.Event.INSTANT_FAILED, jobId=job.job_id, code=error.code, cause=error.message)
    ours = refunding(lambda j: j.opened_by == job.opened_by, error, terms.cost_micros(attempt), deps.clock())
    deps.store.close_job(job.job_id, job.uid, ours)
    if error.code is Failure.PROVIDER_REJECTED:
        raise InvalidImage("The classifier does not take this photo. Your tokens are back; choose another photo.")
    raise ProviderUnavailable(
        "The classifier is not available now. Your tokens are back; try again later with a new requestId.",
        retryAfter=retry_after,
        jobId=job.job_id,
    )


def _ask(job: Job, photo: bytes, deps: Deps, runtime: RuntimeConfig) -> tuple[Attempt, int]:
    """Return the attempt, and after how many seconds another one makes sense should it have failed."""
    body = completion_request(deps.settings.openai_model, image_data_url(photo), job.region, job.language)
    retry_after = runtime.instant.retry_after_seconds
    try:
        completion = deps.provider.complete(body, runtime.instant.provider_timeout_seconds)
    except ProviderDownError as problem:
        attempt = failed_attempt(Failure.PROVIDER_UNAVAILABLE, str(problem))
        return attempt, problem.retry_after_seconds or retry_after
    except ProviderRejectedError as problem:
        return failed_attempt(Failure.PROVIDER_REJECTED, str(problem)), retry_after
    if completion.usage is None:
        log.error(log.Event.USAGE_UNREPORTED, jobId=job.job_id)
    return judge(completion), retry_after
