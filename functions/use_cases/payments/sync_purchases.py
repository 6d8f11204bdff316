"""`sync_purchases`: the app says that something was bought just now, so nobody waits for a webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.shared.records import JobId, Request
from functions.use_cases.payments.payers import wallet_of
from functions.use_cases.payments.reconciler import reconcile_stores
from functions.use_cases.payments.stripe_looks import reconcile_object

if TYPE_CHECKING:
    from functions.wiring import Deps


class SyncPurchases(Request):
    """Which checkout has come back from Stripe; none for purchases in a store."""

    checkout_id: JobId | None = None


def sync_purchases(request: SyncPurchases, uid: str, deps: Deps) -> dict[str, Any]:
    """Return `balance`, `purchased`, `owed` and `plan` after a look at the provider. It also claims what was bought
    before the caller's first visit. Somebody else's checkout changes nothing. Raises BillingUnavailable."""
    wallet_of(uid, deps)
    if request.checkout_id is None:
        if deps.revenuecat is not None:
            reconcile_stores(uid, deps.revenuecat, deps)
    elif deps.stripe is not None:
        checkout = deps.store.get_checkout(request.checkout_id)
        if checkout is not None and checkout.uid == uid and checkout.session is not None:
            reconcile_object(checkout.session, deps.stripe, deps)
    return wallet_of(uid, deps).as_json(include={"balance", "purchased", "owed", "plan"})
