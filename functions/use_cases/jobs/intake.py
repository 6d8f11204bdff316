"""Taking photos in: check, charge and store. Shared by `classify_image` and `classify_images`.

check paths and prices, fetch the photos         nothing is charged for a photo that cannot be used
look the photos up                               one that the user has sent before is done by the answer it got then;
                                                 one that waits already is named, and not charged
charge + ledger entries + jobs, one transaction  a job's id follows from its key: a replay meets it and stops
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from functions.core.budget.holds import CostCeiling, NoRoom
from functions.core.config.runtime import CacheMode
from functions.core.jobs.cached import as_a_hit
from functions.core.jobs.idempotency import outlived_key, require_same_request
from functions.core.jobs.jobs import Status
from functions.core.jobs.opening import Opened, Replayed, decide
from functions.core.jobs.uploads import own_upload
from functions.core.shared.errors import BudgetExhausted, EcolaneError
from functions.core.shared.lanes import Lane
from functions.core.wallet.quotas import RecountNeeded
from functions.core.wallet.token_prices import Prices, prices_now, require_within
from functions.use_cases.budget.spending import instant_ceiling, least_ceiling, look_ahead, next_try
from functions.use_cases.jobs import admission
from functions.use_cases.jobs.cached_answers import look_up
from functions.use_cases.jobs.orders import Options, Order, move_to_batch

if TYPE_CHECKING:
    from functions.adapters.firestore import StoredWallet
    from functions.core.cache.entries import Remembered
    from functions.wiring import Deps


def place(orders: Sequence[Order], options: Options, deps: Deps) -> int | None:
    """Fetch, charge and store these orders of one user. Returns the balance left, None if nothing was charged.

    A refusal stands only if the key is new: the photo may be gone and the tokens spent since the first call with it.
    """
    uid = orders[0].job.uid
    prices = prices_now(deps.runtime().tokens, deps.queue().queued)
    cache = deps.runtime().cache
    may_hit = CacheMode.ON in cache.modes and not options.fresh
    for order in _waiting(orders):
        _check(order, options.max_tokens, prices)
        order.looked_up = cache.modes != {CacheMode.OFF}
        if not may_hit:
            order.error = order.error or order.unless_known
    seen = _look(orders, uid, deps, may_hit=may_hit)
    admission.fetch(orders, uid, deps)
    remembered = look_up(_waiting(orders), uid, deps, fresh=options.fresh)
    _answer_again([order for order in orders if order.named], deps)  # who has a job of its own keeps it
    balance = _open(orders, uid, seen, remembered, deps)
    if left := _left_alone(orders):
        later = _open(left, uid, None, None, deps)
        balance = balance if later is None else later
    admission.account_for(orders, uid, deps)
    if balance is None and any(order.version for order in orders):
        wallet = deps.store.get_wallet(uid, options.payer)  # the reply to our own charge was lost
        balance = wallet.balance if wallet else None
    return balance


def _waiting(orders: Sequence[Order]) -> list[Order]:
    return [order for order in orders if order.waiting]


def _check(order: Order, tokens_max: int | None, prices: Prices) -> None:
    """Refuse what can be refused without asking anybody."""
    try:
        own_upload(order.job.uid, order.job.image_path)
        require_within(order.job.tokens_cost, tokens_max, prices)
    except EcolaneError as error:
        order.error = error


def _look(orders: Sequence[Order], uid: str, deps: Deps, *, may_hit: bool) -> StoredWallet | None:
    """Refuse what the wallet does not allow, where that is worth a look before photos are fetched: see
    `functions.use_cases.jobs.admission`. What may be a hit is refused only if it could not be paid for as one. Returns
    the wallet as seen."""
    waiting = _waiting(orders)
    if not waiting or (len(orders) == 1 and not deps.callers.refused_lately(uid)):
        return None
    seen = deps.store.look_at_wallet(uid, waiting[0].job.payer)
    if seen is None:
        return None  # on first contact there are welcome tokens
    jobs = [as_a_hit(order.job, deps.runtime().tokens) if may_hit else order.job for order in waiting]
    decision = partial(decide, seen.wallet, jobs, runtime=deps.runtime())
    decided = look_ahead(decision, least_ceiling(deps), uid, deps)
    for order in waiting:
        order.error = decided.refused.get(order.job.job_id) if isinstance(decided, Opened) else None
    return seen


def _open(
    orders: Sequence[Order], uid: str, seen: StoredWallet | None, remembered: Remembered | None, deps: Deps
) -> int | None:
    """Charge for these orders, and answer those whose key was used before. Returns the balance left, None if nothing
    was charged."""
    balance = _charge(orders, uid, seen, remembered, deps)
    _answer_again([order for order in orders if order.error is not None], deps)
    return balance


def _left_alone(orders: Sequence[Order]) -> list[Order]:
    """Give each order the job of the same file in its call. Returns those whose first came to nothing, which go their
    own way."""
    left = []
    for order in orders:
        first = order.same_as
        if first is None or order.replayed or order.error is not None:
            continue
        if first.error is None:
            order.twin = first.twin or first.job
        else:
            order.same_as = None
            left.append(order)
    return left


def _charge(
    orders: Sequence[Order], uid: str, seen: StoredWallet | None, remembered: Remembered | None, deps: Deps
) -> int | None:
    """Charge for these orders in turn, as far as wallet and limits allow; a lone instant one with its hold. Returns the
    balance left, None if nothing was charged."""
    ceiling, balance, runtime = None, None, deps.runtime()
    while waiting := _waiting(orders):
        ceiling = ceiling or _ceiling(waiting[0], deps)
        decision = partial(decide, jobs=[order.job for order in waiting], ceiling=ceiling, runtime=runtime)
        match deps.store.open_jobs(uid, decision, seen, ceiling.hold, remembered, waiting[0].job.payer):
            case Opened() as opened:
                _note(waiting, opened)
                balance = opened.account.wallet.balance if opened.jobs else None
            case Replayed(cause):
                # Keys that were used before, or are being used right now, are answered; the others are tried again.
                if not _answer_again(waiting, deps) and not _refuse_outlived(waiting, deps):
                    raise cause
            case RecountNeeded() | NoRoom() as short:
                ceiling = _covered(waiting, next_try(ceiling, uid, short, deps), deps)
    return balance


def _ceiling(order: Order, deps: Deps) -> CostCeiling:
    """Return what covers an order's photo; one that is done by an earlier answer takes none of it."""
    asks_now = order.job.mode is Lane.INSTANT and order.job.status is Status.PROCESSING
    return instant_ceiling(order.job, order.photo, order.path, deps) if asks_now else least_ceiling(deps)


def _note(waiting: Sequence[Order], opened: Opened) -> None:
    stored = {job.job_id: job for job in opened.jobs}
    for order in waiting:
        order.error = opened.refused.get(order.job.job_id)
        order.version = None if order.error else opened.version
        order.job = stored.get(order.job.job_id, order.job)


def _covered(waiting: Sequence[Order], tried: CostCeiling | EcolaneError, deps: Deps) -> CostCeiling | None:
    """Return what covers the next try. None if these orders are refused, or go into the batch lane at its own price."""
    if isinstance(tried, CostCeiling):
        return tried
    for order in waiting:
        if isinstance(tried, BudgetExhausted) and order.allow_batch:
            move_to_batch(order, deps)
        else:
            order.error = tried
    return None


def _answer_again(orders: Sequence[Order], deps: Deps) -> bool:
    """Answer reused keys with what is stored under them, or with the field that differs. False if nothing is stored
    under any.

    What this very call has stored is its own: its reply was lost, and its retry was refused for what it had spent
    itself.
    """
    stored, ours = deps.store.get_jobs([order.job.job_id for order in orders]), {o.job.opened_by for o in orders}
    for order in orders:
        found = stored.get(order.job.job_id)
        if found is None:
            continue
        try:
            left_open = order.asked.preset is not None and order.asked.payer is None
            require_same_request(found.job, order.job, preset_pays=left_open)
        except EcolaneError as error:
            order.error = error
        else:
            order.replayed = found.job.opened_by not in ours
            order.job, order.error, order.version = found.job, None, None if order.replayed else found.version
    return bool(stored)


def _refuse_outlived(orders: Sequence[Order], deps: Deps) -> bool:
    """Refuse those whose key was used so long ago that its job is not kept any more. False if there are none."""
    job = orders[0].job
    outlived = deps.store.outlived_jobs(job.uid, job.payer, [order.job.job_id for order in orders])
    for order in orders:
        if order.job.job_id in outlived:
            order.error = outlived_key()
    return bool(outlived)
