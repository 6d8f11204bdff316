"""Taking photos in: check, charge and store. Shared by `classify_image` and `classify_images`.

check paths and prices, fetch the photos         nothing is charged for a photo that cannot be used
charge + ledger entries + jobs, one transaction  a job's id follows from its key: a replay meets it and stops
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from functions.adapters.firestore import Opening
from functions.core.budget.holds import Hold, NoRoomError
from functions.core.jobs.idempotency import outlived_key, require_same_request
from functions.core.jobs.jobs import Job
from functions.core.jobs.uploads import own_upload
from functions.core.refresh.refresh import credit_due
from functions.core.shared.errors import EcolaneError, RateLimited
from functions.core.shared.lanes import Lane
from functions.core.wallet.accounts import charge
from functions.core.wallet.earning import streak
from functions.core.wallet.quotas import ActualSpend, add_cost, recounted, use_quota
from functions.core.wallet.token_prices import Prices, prices_now, require_within
from functions.use_cases.budget.spending import instant_hold, line_micros, with_hold, within_cap
from functions.use_cases.jobs import admission
from functions.use_cases.jobs.orders import Options, Order, move_to_batch

if TYPE_CHECKING:
    from functions.adapters.firestore import StoredWallet
    from functions.core.wallet.ledger import Wallet
    from functions.wiring import Deps


def place(orders: Sequence[Order], options: Options, deps: Deps) -> int | None:
    """Fetch, charge and store these orders of one user. Returns the balance left, None if nothing was charged.

    A refusal stands only if the key is new: the photo may be gone and the tokens spent since the first call with it.
    """
    uid = orders[0].job.uid
    prices = prices_now(deps.runtime().tokens, deps.queue().queued)
    for order in _without_error(orders):
        _check(order, options.max_tokens, prices)
    seen = _look(orders, uid, deps)
    admission.fetch(orders, uid, deps)
    balance = _charge(_without_error(orders), seen, deps)
    _answer_again([order for order in orders if order.error is not None], deps)
    admission.account_for(orders, uid, deps)
    if balance is None and any(order.version for order in orders):
        wallet = deps.store.get_wallet(uid)  # the reply to our own charge was lost
        balance = wallet.balance if wallet else None
    return balance


def _without_error(orders: Sequence[Order]) -> list[Order]:
    return [order for order in orders if order.error is None]


def _check(order: Order, tokens_max: int | None, prices: Prices) -> None:
    """Refuse what can be refused without asking anybody."""
    try:
        own_upload(order.job.uid, order.job.image_path)
        require_within(order.job.tokens_cost, tokens_max, prices)
    except EcolaneError as error:
        order.error = error


def _look(orders: Sequence[Order], uid: str, deps: Deps) -> StoredWallet | None:
    """Refuse what the wallet does not allow, where it is worth a look before photos are fetched. Returns the wallet as
    it was seen. See `functions.use_cases.jobs.admission`."""
    waiting = _without_error(orders)
    if not waiting or (len(orders) == 1 and not deps.callers.refused_lately(uid)):
        return None
    seen = deps.store.look_at_wallet(uid)
    if seen is None:
        return None  # on first contact there are welcome tokens
    refusals: dict[str, EcolaneError] = {}
    micros = line_micros(deps)

    def decide(recount: ActualSpend | None) -> Opening:
        return _decide(seen.wallet, waiting, refusals, CostCeiling(micros, recount), deps)

    try:
        within_cap(uid, decide, deps)
    except RateLimited as busy:
        refusals = {order.job.job_id: busy for order in waiting}
    for order in waiting:
        order.error = refusals.get(order.job.job_id)
    return seen


def _charge(orders: Sequence[Order], seen: StoredWallet | None, deps: Deps) -> int | None:
    """Charge for as many of these orders as the wallet and its limits allow, in their order."""
    waiting = list(orders)
    while waiting:
        refusals: dict[str, EcolaneError] = {}
        try:
            opening = _opened(waiting, refusals, seen, deps)
        except NoRoomError:
            for order in waiting:
                move_to_batch(order, "BUDGET", deps)
            waiting = _without_error(waiting)
            continue
        except RateLimited as busy:
            for order in waiting:
                order.error = busy
            return None
        if opening is None:
            # One of the keys was used before, or is being used right now: those are answered, the others tried again.
            if not _answer_again(waiting, deps):
                _refuse_outlived(waiting, deps)
            waiting = [order for order in _without_error(waiting) if not order.replayed]
            continue
        stored = {job.job_id: job for job in opening.jobs}
        for order in waiting:
            order.error = refusals.get(order.job.job_id)
            order.job = stored.get(order.job.job_id, order.job)
            order.version = opening.version if order.job.job_id in stored else None
        return opening.account.wallet.balance if opening.jobs else None
    return None


def _opened(
    orders: Sequence[Order], refusals: dict[str, EcolaneError], seen: StoredWallet | None, deps: Deps
) -> Opening | None:
    """Store what may be stored of these orders; an instant one, which comes alone, with its hold.

    Raises:
        NoRoomError: the budget has no room for it.
        RateLimited: see `functions.use_cases.budget.spending.within_cap`.
    """
    first, micros = orders[0], line_micros(deps)

    def open_jobs(hold: Hold | None, recount: ActualSpend | None) -> Opening | None:
        first.job = first.job.model_copy(update={"hold": hold})
        most = CostCeiling(hold.micros if hold else micros, recount)
        return deps.store.open_jobs(
            first.job.uid, first.job.opened_by, lambda wallet: _decide(wallet, orders, refusals, most, deps), seen
        )

    if first.job.mode is Lane.BATCH:
        return within_cap(first.job.uid, partial(open_jobs, None), deps)
    return with_hold(instant_hold(first.job, first.photo, deps), first.job.uid, open_jobs, deps)


@dataclass(frozen=True)
class CostCeiling:
    """The most that each photo can cost the operator, in micro-dollars, and what today's have come to, if it was added
    up."""

    micros: int
    recount: ActualSpend | None


def _decide(
    wallet: Wallet | None, orders: Sequence[Order], refusals: dict[str, EcolaneError], most: CostCeiling, deps: Deps
) -> Opening:
    """Decide which of these jobs the user may have, what is left then, and where they stand in the queue."""
    runtime, now = deps.runtime(), orders[0].job.created_at
    rules, cap = runtime.tokens, runtime.budget.per_user_daily_micros
    account = credit_due(wallet, orders[0].job.uid, runtime, now)
    account = recounted(account, len(orders) * most.micros, cap, now, most.recount)
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
            admitted = use_quota(add_cost(account, most.micros, cap, now), Lane(job.mode), plan, now)
            account = charge(admitted, job.job_id, job.tokens_cost, now, points=job.points)
        except EcolaneError as error:
            refusals[job.job_id] = error
        else:
            jobs.append(job.model_copy(update=changes))
    return Opening(account, tuple(jobs))


def _answer_again(orders: Sequence[Order], deps: Deps) -> bool:
    """Answer those whose key was used before with what is stored under it, or with the field that differs. False if
    nothing is stored under any of them.

    What this very call has stored is its own: its reply was lost, and what the charge was refused for when it was tried
    again is what it had spent itself.
    """
    stored, ours = deps.store.get_jobs([order.job.job_id for order in orders]), {o.job.opened_by for o in orders}
    for order in orders:
        found = stored.get(order.job.job_id)
        if found is None:
            continue
        try:
            require_same_request(found.job, order.job)
        except EcolaneError as error:
            order.error = error
        else:
            order.replayed = found.job.opened_by not in ours
            order.job, order.error, order.version = found.job, None, None if order.replayed else found.version
    return bool(stored)


def _refuse_outlived(orders: Sequence[Order], deps: Deps) -> None:
    """Refuse those whose key was used so long ago that its job is not kept any more. The others are unharmed."""
    outlived = deps.store.outlived_jobs(orders[0].job.uid, [order.job.job_id for order in orders])
    for order in orders:
        if order.job.job_id in outlived:
            order.error = outlived_key()
