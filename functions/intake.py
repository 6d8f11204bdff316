"""Taking photos in: check, charge and store. Shared by `classify_image` and `classify_images`.

check the paths, fetch and prepare the photos    nothing is charged for a photo that cannot be used
charge + ledger entries + jobs, one transaction  a job's id follows from its key: a replay meets it and stops
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints

from functions.adapters.firestore import Opening
from functions.core.accounts import charge
from functions.core.budget import Hold, NoRoomError
from functions.core.earning import streak
from functions.core.errors import EcolaneError
from functions.core.idempotency import job_id_for, require_same_request
from functions.core.jobs import JOB_LIFETIME, Job, Lane, Status, shard_of
from functions.core.limits import admit, spend
from functions.core.pricing import Prices, expected_wait_minutes, prices_now, require_within
from functions.core.records import LanguageTag, Request, RequestId
from functions.core.refresh import contact
from functions.core.uploads import PATH_CHARACTERS_MAX, own_upload
from functions.spending import instant_closed, instant_closed_because, instant_hold, line_micros, with_hold

if TYPE_CHECKING:
    from functions.core.accounts import Account
    from functions.core.ledger import Wallet
    from functions.wiring import Deps

PHOTO_THREADS = 8
"""Photos fetched side by side: enough to hide Storage's latency, few enough to hold in memory."""

ImagePath = Annotated[str, StringConstraints(min_length=1, max_length=PATH_CHARACTERS_MAX)]


class Options(Request):
    """What the user wants besides: where and in which language, and the most that a photo may cost, in tokens."""

    region: Annotated[str, StringConstraints(pattern=r"^[\w ,.'()-]{2,64}$")] | None = None
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
        mode=Lane.INSTANT,
        region=options.region or runtime.default_region,
        language=options.language or runtime.default_language,
        status=Status.PROCESSING,
        tokens_cost=prices_now(runtime.tokens, deps.queue().queued).instant,
        points=runtime.tokens.points_per_classification,
        created_at=now,
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
        _move_to_batch(order, closed, deps)
    return order


def _queued(job: Job, deps: Deps) -> Job:
    """Return the job as it is in the batch lane."""
    queue = deps.queue()
    wait = timedelta(minutes=expected_wait_minutes(queue, deps.runtime().batch))
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


def _move_to_batch(order: Order, because: str, deps: Deps) -> None:
    """Serve an instant order by the batch lane, which says why, or refuse it if the caller does not want that."""
    if order.allow_batch:
        order.job, order.closed_because = _queued(order.job, deps), because
    else:
        order.error = instant_closed(because, deps)


def place(orders: Sequence[Order], options: Options, deps: Deps) -> int | None:
    """Fetch, charge and store these orders of one user. Returns the balance left, None if nothing was charged.

    A refusal stands only if the key is new: the photo may be gone and the tokens spent since the first call with it.
    """
    prices = prices_now(deps.runtime().tokens, deps.queue().queued)
    with ThreadPoolExecutor(min(PHOTO_THREADS, len(orders))) as pool:
        list(pool.map(lambda order: _fetch(order, options.max_tokens, prices, deps), orders))
    balance = _charge([order for order in orders if order.error is None], deps)
    refused = [order for order in orders if order.error is not None]
    _answer_again(refused, deps)
    return balance


def _fetch(order: Order, tokens_max: int | None, prices: Prices, deps: Deps) -> None:
    if order.error is not None:
        return
    try:
        path = own_upload(order.job.uid, order.job.image_path)
        order.photo = deps.prepare_photo(deps.files.read_photo(path), deps.runtime().images)
        require_within(order.job.tokens_cost, tokens_max, prices)
    except EcolaneError as error:
        order.error = error


def _charge(orders: Sequence[Order], deps: Deps) -> int | None:
    """Charge for as many of these orders as the wallet and its limits allow, in their order."""
    waiting = list(orders)
    while waiting:
        refusals: dict[str, EcolaneError] = {}
        try:
            opening = _opened(waiting, refusals, deps)
        except NoRoomError:
            for order in waiting:
                _move_to_batch(order, "BUDGET", deps)
            waiting = [order for order in waiting if order.error is None]
            continue
        if opening is None:
            # One of the keys was used before, or is being used right now: those are answered, the others tried again.
            _answer_again(waiting, deps)
            waiting = [order for order in waiting if not order.replayed and order.error is None]
            continue
        stored = {job.job_id: job for job in opening.jobs}
        for order in waiting:
            order.error = refusals.get(order.job.job_id)
            order.job = stored.get(order.job.job_id, order.job)
            order.version = opening.version if order.job.job_id in stored else None
        return opening.account.wallet.balance if opening.jobs else None
    return None


def _opened(orders: Sequence[Order], refusals: dict[str, EcolaneError], deps: Deps) -> Opening | None:
    """Store what may be stored of these orders; an instant one, which comes alone, with its hold.

    Raises:
        NoRoomError: the budget has no room for it.
    """
    first, micros = orders[0], line_micros(deps)

    def open_jobs(hold: Hold | None) -> Opening | None:
        first.job = first.job.model_copy(update={"hold": hold})
        at_most = hold.micros if hold else micros
        return deps.store.open_jobs(
            first.job.uid, first.job.opened_by, lambda wallet: _decide(wallet, orders, refusals, at_most, deps)
        )

    if first.job.mode is Lane.BATCH:
        return open_jobs(None)
    return with_hold(instant_hold(first.job, first.photo, deps), open_jobs, deps)


def _decide(
    wallet: Wallet | None, orders: Sequence[Order], refusals: dict[str, EcolaneError], micros: int, deps: Deps
) -> Opening:
    """Decide which of these jobs the user may have, what is left then, and where they stand in the queue.

    `micros` is the most that each of them can cost the operator, in micro-dollars.
    """
    runtime, now = deps.runtime(), orders[0].job.created_at
    rules = runtime.tokens
    account = contact(wallet, orders[0].job.uid, runtime, now)
    plan = runtime.plans.of(account.wallet.plan)
    priority = plan.priority + int(streak(account.wallet, now) >= rules.streak_days_for_priority)
    changes = {
        "priority": priority,
        "notify": account.wallet.push_tokens,
        "opened_by": orders[0].job.opened_by,
    }
    jobs: list[Job] = []
    refusals.clear()  # this runs again when the transaction does
    for order in orders:
        job = order.job
        try:
            admitted = admit(account, job.mode, plan, now)
            admitted = spend(admitted, micros, runtime.budget.per_user_daily_micros, now)
            account = _charged(admitted, job, now)
        except EcolaneError as error:
            refusals[job.job_id] = error
        else:
            jobs.append(job.model_copy(update=changes))
    return Opening(account, tuple(jobs))


def _charged(account: Account, job: Job, now: datetime) -> Account:
    return charge(account, job.job_id, job.tokens_cost, now, points=job.points)


def _answer_again(orders: Sequence[Order], deps: Deps) -> None:
    """Answer those whose key was used before with what is stored under it, or with the field that differs."""
    stored = deps.store.get_jobs([order.job.job_id for order in orders])
    for order in orders:
        found = stored.get(order.job.job_id)
        if found is None:
            continue
        try:
            require_same_request(found.job, order.job)
        except EcolaneError as error:
            order.error = error
        else:
            order.job, order.error, order.replayed = found.job, None, True
