"""`open_billing_portal`: where a plan is changed or cancelled: at Stripe, or at the store that sold it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.config.plans import Plan
from functions.core.payments.payments import Provider
from functions.core.payments.refusals import NothingBought
from functions.core.shared.records import Request

if TYPE_CHECKING:
    from functions.wiring import Deps


class OpenBillingPortal(Request):
    """No parameters."""


def open_billing_portal(_request: OpenBillingPortal, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the `seller` of the caller's plan, and the `url` of Stripe's page for it; None for a store, which the app
    opens by itself. A read.

    Raises:
        NothingBought: no plan was ever bought.
        BillingUnavailable: Stripe does not answer.
    """
    billing, rules = deps.store.look_at_billing(uid).billing, deps.runtime().billing
    held = billing.held(rules.grace_days, deps.clock())
    if held.plan is not Plan.FREE and held.provider == Provider.REVENUECAT:
        return {"seller": Provider.REVENUECAT, "url": None}
    if billing.customer is None or deps.stripe is None:
        raise NothingBought("You have no plan that could be managed.")
    return {"seller": Provider.STRIPE, "url": deps.stripe.open_portal(billing.customer, rules.return_url)}
