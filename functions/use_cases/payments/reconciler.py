"""What every way to a payment ends in: read at the provider what is true, join it to what is known, post the rest.

    an event, the app's word, the cron ──► version ► look ► settled      see `core.payments.billing`

It may die anywhere, and run several times at once: what was read is joined, and one commit has all that follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions import log
from functions.adapters.payments.answers import RETRY_AFTER_SECONDS
from functions.core.payments.billing import news_of, next_look, nothing_new, settled
from functions.core.payments.looks import Look
from functions.core.payments.payments import Provider, UnreadError
from functions.core.payments.refusals import BillingUnavailable
from functions.core.payments.store_purchases import store_look
from functions.core.shared.alerts import alert

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.adapters.firestore import StoredBilling
    from functions.adapters.payments.revenuecat import RevenueCat
    from functions.wiring import Deps

ROUNDS_MAX = 5
"""How often a payer is read anew because somebody else was faster, who then came through."""


def reconcile(
    uid: str, look_at: Callable[[StoredBilling], Look], deps: Deps, stored: StoredBilling | None = None
) -> None:
    """Bring a payer to what the provider shows. `look_at` asks the provider, after our version was read. Raises
    BillingUnavailable.

    A read, the look, then the reads and writes of `settle_payments`; one write if a whole look shows nothing new.
    """
    for _ in range(ROUNDS_MAX):
        stored = stored or deps.store.look_at_billing(uid)
        if _round(stored, look_at(stored), deps):
            return
        stored = None
    raise BillingUnavailable("Others are at your purchases. Try again.", retryAfter=RETRY_AFTER_SECONDS)


def _round(stored: StoredBilling, look: Look, deps: Deps) -> bool:
    """Settle a look, unless somebody else was faster."""
    runtime, now = deps.runtime(), deps.clock()
    grace_days = runtime.billing.grace_days
    if nothing_new(stored.billing, look, grace_days, now):
        return deps.store.put_off_billing(stored, {"lookAt": next_look(stored.billing, grace_days, now)})
    outcome = deps.store.settle_payments(look, stored.version, lambda books: settled(books, look, runtime, now))
    if outcome is None:
        return False
    before, after = outcome
    for name, payment in after.payments.items():
        known = before.payments.get(name)
        if tokens := payment.given - (known.given if known else 0):
            log.info(log.Event.PAYMENT_POSTED, payment=name, product=payment.product, tokens=tokens)
    for kind, texts in news_of(before, after, look).items():
        log.warning(log.Event.PAYMENT_WAITS, kind=kind, payments=texts)
        deps.store.create_alert(alert(kind, f"{texts[0]}. {len(texts)} in all.", now))
    return True


def reconcile_stores(
    uid: str, revenuecat: RevenueCat, deps: Deps, refunded: str | None = None, stored: StoredBilling | None = None
) -> None:
    """Bring a user to what RevenueCat shows of them; `refunded` is a transaction that an event has named so. Raises
    BillingUnavailable."""

    def look_at(_stored: StoredBilling) -> Look:
        at = deps.clock()
        answer = revenuecat.purchases(uid)
        try:
            return store_look(answer, uid, at, deps.runtime().billing, refunded)
        except UnreadError as error:
            return Look(Provider.REVENUECAT, uid, at, unread=(str(error),))

    reconcile(uid, look_at, deps, stored)
