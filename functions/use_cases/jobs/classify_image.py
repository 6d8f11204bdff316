"""`classify_image`: charge, then classify now (instant) or queue (batch). See `intake` and `instant_lane`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions import log
from functions.core.jobs.jobs import Status, job_view
from functions.core.jobs.opening import Asked
from functions.core.shared.lanes import Lane
from functions.core.shared.records import RequestId
from functions.use_cases.jobs.instant_lane import classify_now
from functions.use_cases.jobs.intake import place
from functions.use_cases.jobs.orders import ImagePath, Options, new_order

if TYPE_CHECKING:
    from functions.wiring import Deps


class ClassifyImage(Options):
    """One photo, and how soon it is wanted. `request_id` is the idempotency key: the app makes a new one per photo."""

    request_id: RequestId
    image_path: ImagePath
    mode: Annotated[Lane, Field(strict=False)]
    allow_batch: bool = True


def classify_image(request: ClassifyImage, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the job as JSON, and the `balance` left when this call charged for it.

    A repeated `requestId` gets the stored job again and nothing is charged. While the instant lane is closed, an
    instant photo is served as a batch one, at that price, unless `allowBatch` is false: `mode` then differs from
    `requestedMode`, and `closedBecause` is `OPERATOR` or `BUDGET`.

    A photo that the user has sent before can be answered by the answer it got then, whichever lane is open: see
    `cached_answers`. `servedFrom` then says which one. While such a photo still waits for its answer, its job is
    returned, with `alreadySent`, and nothing is charged.

    Raises:
        NotYourImage, ImageNotFound, InvalidImage: about the photo; nothing is charged or stored.
        InstantClosed, BudgetExhausted, PriceChanged, AccountBlocked, RateLimited, DailyLimit, MonthlyLimit,
            InsufficientTokens, TeamNotFound, MemberLimit: nothing is charged or stored.
        KeyReused: the key belongs to another request.
        PhotoRefused: the model is against this photo; the charge is refunded.
        ProviderUnavailable: the instant lane's provider failed; the charge is refunded.
    """
    wanted = (request.request_id, request.image_path, request.mode, request.region, request.language)
    order = new_order(
        Asked(uid, *wanted, deps.new_id(), deps.clock(), request.payer), deps, allow_batch=request.allow_batch
    )
    log.about(jobId=order.job.job_id)
    balance = place([order], request, deps)
    if order.error is not None:
        raise order.error
    if order.version is None:
        return order.view()
    job = order.job
    # A queued one may be in a batch by now, if the reply to our charge was lost.
    if job.mode is Lane.INSTANT and job.status is Status.PROCESSING:
        job = classify_now(job, order.photo, order.version, deps)
    because = {"closedBecause": order.closed_because} if order.closed_because else {}
    return {**job_view(job), "balance": balance, **because}
