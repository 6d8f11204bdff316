"""A checkout: what somebody is about to buy at Stripe. It is stored before Stripe is asked, so no sale is unknown.

stored   by the request's key, with what the product is and brings
session  made at Stripe under the checkout's id as the idempotency key, then noted
paid     a webhook says so, or `reconcile_billing` sees it: the payment has its own document
"""

import hashlib
from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime

from functions.core.config.billing import BillingRules, Place, Product
from functions.core.config.plans import Plan
from functions.core.payments.refusals import AlreadySubscribed, PurchaseNotHere, UnknownProduct
from functions.core.payments.subscriptions import PlanHeld
from functions.core.shared.errors import InvalidRequest, KeyReused
from functions.core.shared.idempotency import require_same_payload
from functions.core.shared.records import Kept
from functions.core.wallet.figures import Count

SESSION_LIFETIME = timedelta(hours=1)
"""Of Stripe's page. Until it is over, each run of `reconcile_billing` looks whether it was paid."""

LOOK_EVERY = timedelta(minutes=10)
"""Less than the time between two runs, so that each run looks."""

SETTLES_WITHIN = timedelta(days=14)
"""A bank debit is known after days."""

CHECKOUT_LIFETIME = timedelta(days=90)


class Checkout(Kept):
    """A checkout as stored in `checkouts/{checkoutId}`: what a user buys, for a team if there is a `team_id`. `session`
    is Stripe's id of its page, `look_at` when to look at it next, None once it is through."""

    checkout_id: str
    uid: str
    team_id: str | None = None
    product: str
    tokens: Count
    session: str | None = None
    created_at: AwareDatetime
    look_at: AwareDatetime | None
    expire_at: AwareDatetime


def checkout_for(uid: str, request_id: str, product: Product, now: datetime, team_id: str | None = None) -> Checkout:
    """Return the checkout that a request names, for the user or a team."""
    checkout_id = hashlib.sha256(f"{uid}\n{request_id}".encode()).hexdigest()[:32]
    about = {"uid": uid, "team_id": team_id, "product": product.name, "tokens": product.tokens}
    times = {"created_at": now, "look_at": now + LOOK_EVERY, "expire_at": now + CHECKOUT_LIFETIME}
    return Checkout(checkout_id=checkout_id, **about, **times)


def sold_on_the_web(name: str, rules: BillingRules, held: PlanHeld) -> Product:
    """Return the product of this name, if this user can buy it on the web.

    Raises:
        PurchaseNotHere: nothing is sold on the web, or not this; detail `sellOn`.
        UnknownProduct: there is no such product; detail `product`.
        AlreadySubscribed: a plan is paid for already; details `plan` and `seller`.
    """
    product = rules.product(name)
    if Place.WEB not in rules.sell_on or (product is not None and product.stripe_price is None):
        raise PurchaseNotHere("This is not sold here.", sellOn=[each.value for each in rules.sell_on])
    if product is None:
        raise UnknownProduct("There is no such product.", product=name)
    if product.plan is not None and held.plan is not Plan.FREE:
        raise AlreadySubscribed(
            f"You have the plan {held.plan} already. Change it where you bought it.",
            plan=held.plan.value,
            seller=held.provider,
        )
    return product


def require_for_a_team(product: Product, *, save_card: bool) -> None:
    """Check that something can be bought for a team: a pack, once. Raises InvalidRequest."""
    if product.plan is not None:
        raise InvalidRequest("payer: a team buys packs of tokens, and no plan.", field="payer")
    if save_card:
        raise InvalidRequest("saveCard: a saved card pays for your own packs. Buy one of those.", field="saveCard")


def require_same_checkout(stored: Checkout, wanted: Checkout, now: datetime) -> None:
    """Check that a repeated key names the same product and payer, and that its page is still open. Raises KeyReused."""
    require_same_payload(
        {"product": stored.product, "payer": stored.team_id}, {"product": wanted.product, "payer": wanted.team_id}
    )
    if now - stored.created_at >= SESSION_LIFETIME:
        raise KeyReused("This checkout is over. Use a new requestId.", field="requestId")


def session_asked(
    checkout: Checkout, product: Product, customer: str | None, return_url: str, *, save_card: bool = False
) -> dict[str, Any]:
    """Return what Stripe is asked for: a page that sells the product. What is paid carries who gets what: Stripe keeps
    that, and nobody but us can write it. A pack's card can be saved for automatic packs; a plan's always is."""
    about = {"uid": checkout.uid, "product": checkout.product, "tokens": str(checkout.tokens)}
    if checkout.team_id:
        about["team"] = checkout.team_id
    mode = "payment" if product.plan is None else "subscription"
    joint = "&" if "?" in return_url else "?"
    asked: dict[str, Any] = {
        "mode": mode,
        "line_items": [{"price": product.stripe_price, "quantity": 1}],
        "success_url": f"{return_url}{joint}checkout={checkout.checkout_id}",
        "cancel_url": return_url,
        "expires_at": int((checkout.created_at + SESSION_LIFETIME).timestamp()),
        ("payment_intent_data" if mode == "payment" else "subscription_data"): {"metadata": about},
    }
    if save_card and mode == "payment":
        asked["payment_intent_data"]["setup_future_usage"] = "off_session"
    return {**asked, "customer": customer} if customer else asked


def looked_at(checkout: Checkout, session: dict[str, Any] | None, now: datetime) -> datetime | None:
    """Return when to look at a checkout again that has this session at Stripe, None if there is nothing to come.

    A page that was never noted was never shown to anybody. One that is complete and unpaid waits for a bank.
    """
    status = (session or {}).get("status")
    age = now - checkout.created_at
    if status == "complete" and session and session.get("payment_status") == "unpaid":
        return now + SESSION_LIFETIME if age < SETTLES_WITHIN else None
    if status in {"complete", "expired"}:
        return None
    return now + LOOK_EVERY if age < 2 * SESSION_LIFETIME else None
