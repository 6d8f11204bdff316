"""Who may have photos fetched: what can be refused is refused before work is done for it.

Photos are downloaded and decoded before they are paid for. To read the wallet first would be a read more for each call
that goes well. So it is read only for calls of many photos, whose charge is then made under the version seen, and for
users whom it has refused lately. Fetched and unpaid photos count, in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from functions.core.jobs.uploads import digest_of
from functions.core.shared.errors import DailyLimit, EcolaneError, InsufficientTokens, RateLimited
from functions.core.shared.lanes import Lane
from functions.core.shared.utc_days import day_of
from functions.core.wallet.refusals import AccountBlocked, MemberLimit, MonthlyLimit, PlanRequired, TeamNotFound
from functions.use_cases.budget.spending import least_ceiling, look_ahead
from functions.use_cases.rollouts.serving import images_of

if TYPE_CHECKING:
    from functions.core.budget.holds import CostCeiling
    from functions.core.wallet.ledger import Wallet
    from functions.use_cases.jobs.orders import Order
    from functions.wiring import Deps

WALLETS = (
    AccountBlocked,
    InsufficientTokens,
    DailyLimit,
    MonthlyLimit,
    PlanRequired,
    RateLimited,
    TeamNotFound,
    MemberLimit,
)
"""What a wallet refuses with."""

PHOTO_THREADS = 8
"""Photos of one call fetched side by side, to hide Storage's latency. `process_memory.PHOTOS_IN_MEMORY_MAX` limits the
photos of all calls."""

PHOTOS_SECONDS = 30.0
"""After this a call begins with no further photo. Those that are left are to be sent again, with their requestIds."""

RETRY_AFTER_SECONDS = 10


def fetch(orders: Sequence[Order], uid: str, deps: Deps) -> None:
    """Fetch and prepare these orders' photos, as many as this user may have now; an unusable one sets its order's
    error."""
    waiting = [order for order in orders if order.error is None]
    granted = deps.callers.photos.take(uid, len(waiting))
    for order in waiting[granted:]:
        order.error = deps.callers.photos.exceeded("photos that came to nothing", len(waiting) - granted)
    if len(orders) == 1:
        for order in waiting[:granted]:  # an instance has no more callers than it can hold photos
            _fetch(order, deps)
        return
    end = monotonic() + PHOTOS_SECONDS
    with ThreadPoolExecutor(PHOTO_THREADS) as pool:
        list(pool.map(lambda order: _fetch_in_turn(order, end, deps), waiting[:granted]))


@contextmanager
def admitted(
    uid: str, payer: str | None, decide: Callable[[Wallet, CostCeiling], object], deps: Deps
) -> Iterator[None]:
    """Let one photo of this user be fetched and paid for inside. `decide` raises the wallet's refusal, and is asked
    first for users refused lately. An error inside counts as a photo unpaid. Raises RateLimited after too many of
    these, and what `decide` raises."""
    rate, callers = deps.callers.photos, deps.callers
    try:
        if callers.refused_lately(uid) and (seen := deps.store.look_at_wallet(uid, payer)):
            look_ahead(partial(decide, seen.wallet), least_ceiling(deps), uid, deps)
        if not rate.take(uid):
            raise rate.exceeded("photos that came to nothing")
        yield
    except WALLETS as error:
        callers.note_refusal(uid, refused=True)
        prompt_once([error], uid, deps)
        raise
    rate.give_back(uid, 1)
    callers.note_refusal(uid, refused=False)


def account_for(orders: Sequence[Order], uid: str, deps: Deps) -> None:
    """Remember how these orders of a user have ended. What was charged for has not come to nothing."""
    prompt_once([order.error for order in orders if order.error is not None], uid, deps)
    charged = sum(order.version is not None for order in orders)
    deps.callers.photos.give_back(uid, charged)
    if any(isinstance(order.error, WALLETS) for order in orders):
        deps.callers.note_refusal(uid, refused=True)
    elif charged:
        deps.callers.note_refusal(uid, refused=False)


def prompt_once(refused: Iterable[EcolaneError], uid: str, deps: Deps) -> None:
    """Leave the plans that would help in the first of these refusals of a user's, and only in the first call of the
    day that has any: that costs it a read and a write."""
    prompts = [error.details for error in refused if "plans" in error.details]
    kept = 1 if prompts and deps.store.claim_prompt(uid, day_of(deps.clock())) else 0
    for details in prompts[kept:]:
        del details["plans"]


def _fetch_in_turn(order: Order, end: float, deps: Deps) -> None:
    """Fetch a photo when there is room for it, which other calls may take until the end."""
    left = end - monotonic()
    if left <= 0 or not deps.callers.photos_in_memory.acquire(timeout=left):
        order.error = RateLimited(
            f"Too many photos are being read here. Send it again in {RETRY_AFTER_SECONDS} seconds.",
            retryAfter=RETRY_AFTER_SECONDS,
        )
        return
    try:
        _fetch(order, deps)
    finally:
        deps.callers.photos_in_memory.release()


def _fetch(order: Order, deps: Deps) -> None:
    try:
        upload = deps.files.read_photo(order.job.image_path)
        images = images_of(order.path, deps)
        if order.looked_up:
            photo, order.known = deps.recognise_photo(upload, images)
        else:
            photo = deps.prepare_photo(upload, images)
    except EcolaneError as error:
        order.error = error
    else:
        order.job = order.job.model_copy(update={"image_digest": digest_of(upload)})
        if order.job.mode is Lane.INSTANT:  # a batch reads it again when it is sent
            order.photo = photo
