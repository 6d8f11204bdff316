"""An order: one photo on its way in, in the lane that it can have now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints

from functions.core.jobs.idempotency import job_id_for
from functions.core.jobs.jobs import JOB_LIFETIME, Job, Status, shard_of
from functions.core.jobs.uploads import PATH_CHARACTERS_MAX
from functions.core.shared.errors import EcolaneError
from functions.core.shared.lanes import Lane
from functions.core.shared.locales import LanguageTag, Region
from functions.core.shared.records import Request, RequestId
from functions.core.shared.utc_days import day_of
from functions.core.wallet.token_prices import prices_now
from functions.use_cases.budget.spending import instant_closed, instant_closed_because, wait_minutes

if TYPE_CHECKING:
    from functions.wiring import Deps

ImagePath = Annotated[str, StringConstraints(min_length=1, max_length=PATH_CHARACTERS_MAX)]


class Options(Request):
    """What the user wants besides: where and in which language, and the most that a photo may cost, in tokens."""

    region: Region | None = None
    language: LanguageTag | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


@dataclass
class Order:
    """One photo on its way in: the job that is wanted, and what became of it.

    Afterwards either `error` is set, or `job` is the job as stored; `version` only if this call charged for it, and
    `closed_because` if it was wanted in the instant lane.
    """

    job: Job
    photo: bytes = b""
    error: EcolaneError | None = None
    version: datetime | None = None
    replayed: bool = False
    allow_batch: bool = True
    closed_because: str | None = None


def new_order(
    uid: str, request_id: RequestId, image_path: str, lane: Lane, options: Options, *, allow_batch: bool, deps: Deps
) -> Order:
    """Return an order that nothing was done for yet. A closed instant lane makes it a batch one, if that is allowed."""
    runtime, now = deps.runtime(), deps.clock()
    job_id = job_id_for(uid, request_id)
    job = Job(
        job_id=job_id,
        uid=uid,
        image_path=image_path,
        requested_mode=lane,
        requested_region=options.region,
        requested_language=options.language,
        mode=Lane.INSTANT,
        region=options.region or runtime.default_region,
        language=options.language or runtime.default_language,
        status=Status.PROCESSING,
        tokens_cost=prices_now(runtime.tokens, deps.queue().queued).instant,
        points=runtime.tokens.points_per_classification,
        created_at=now,
        day=day_of(now),
        shard=shard_of(job_id),
        estimated_completion=None,
        attempts=1,
        opened_by=deps.new_id(),
        lease_until=now + timedelta(seconds=runtime.instant.lease_seconds),
        expire_at=now + JOB_LIFETIME,
    )
    if lane is Lane.BATCH:
        return Order(_queued(job, deps))
    order = Order(job, allow_batch=allow_batch)
    closed = instant_closed_because(deps)
    if closed is not None:
        move_to_batch(order, closed, deps)
    return order


def _queued(job: Job, deps: Deps) -> Job:
    """Return the job as it is in the batch lane."""
    queue = deps.queue()
    wait = timedelta(minutes=wait_minutes(deps))
    changes = {
        "mode": Lane.BATCH,
        "status": Status.QUEUED,
        "tokens_cost": prices_now(deps.runtime().tokens, queue.queued).batch,
        "queued_at": job.created_at,
        "estimated_completion": job.created_at + wait,
        "attempts": 0,
        "lease_until": None,
        "hold": None,
    }
    return job.model_copy(update=changes)


def move_to_batch(order: Order, because: str, deps: Deps) -> None:
    """Serve an instant order by the batch lane, which says why, or refuse it if the caller does not want that."""
    if order.allow_batch:
        order.job, order.closed_because = _queued(order.job, deps), because
    else:
        order.error = instant_closed(because, deps)
