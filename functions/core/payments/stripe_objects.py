"""What Stripe's objects tell: payments with their facts, and the state of a subscription.

The shapes are those of API 2026-10-28 (https://docs.stripe.com/api). What is not ours, since nothing of it carries our
metadata, is None; what is ours and cannot be read raises UnreadError.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from functions.core.config.billing import BillingRules, Product
from functions.core.config.plans import Plan
from functions.core.payments.payments import Facts, Payment, Provider, Reversal, Stage, UnreadError, payment_id
from functions.core.payments.subscriptions import Status, Subscription
from functions.core.wallet.ledger import Reason

Object = Mapping[str, Any]
"""An object of Stripe's, as its JSON has it."""

_REFUNDS = {
    "pending": Stage.TAKEN,
    "requires_action": Stage.TAKEN,
    "succeeded": Stage.TAKEN,
    "failed": Stage.RETURNED,
    "canceled": Stage.RETURNED,
}
"""https://docs.stripe.com/api/refunds/object#refund_object-status: the money leaves when a refund begins."""

_DISPUTES = {
    "warning_needs_response": Stage.ANNOUNCED,
    "warning_under_review": Stage.ANNOUNCED,
    "warning_closed": Stage.RETURNED,
    "needs_response": Stage.TAKEN,
    "under_review": Stage.TAKEN,
    "won": Stage.RETURNED,
    "prevented": Stage.RETURNED,
    "lost": Stage.LOST,
}
"""https://docs.stripe.com/api/disputes/object#dispute_object-status: a warning takes no money."""

_STATUSES = {"active": Status.ACTIVE, "trialing": Status.TRIALING, "past_due": Status.PAST_DUE}
"""https://docs.stripe.com/api/subscriptions/object#subscription_object-status: the plan of any other has ended."""


def payer_of(each: Object) -> str | None:
    """Return for whom something was bought: a payment, a subscription, or the subscription of an invoice."""
    about = each
    if each.get("object") == "invoice":
        about = (each.get("parent") or {}).get("subscription_details") or {}
    uid = (about.get("metadata") or {}).get("uid")
    return uid if isinstance(uid, str) and uid else None


def subscription_named(invoice: Object) -> str | None:
    """Return the id of the subscription that an invoice belongs to."""
    details = (invoice.get("parent") or {}).get("subscription_details") or {}
    name = details.get("subscription")
    return name if isinstance(name, str) else None


def pack_payment(intent: Object, reversals: Iterable[Object]) -> Payment | None:
    """Return the payment of a pack, with the refunds and disputes that were read beside it."""
    uid, about = payer_of(intent), intent.get("metadata") or {}
    if uid is None or "tokens" not in about:
        return None
    payment = _payment(
        payment_id(Provider.STRIPE, intent["id"]),
        Reason.BUY,
        uid,
        str(about.get("product")),
        int(about["tokens"]),
        intent["currency"],
        _facts(intent["amount_received"] if intent["status"] == "succeeded" else None, intent["currency"], reversals),
        intent.get("created"),
    )
    return payment.model_copy(update={"team_id": about.get("team")})


def saved_for(intent: Object) -> str | None:
    """Return the customer whose card was saved with this payment of a pack."""
    customer = intent.get("customer")
    return customer if intent.get("setup_future_usage") == "off_session" and isinstance(customer, str) else None


def period_payment(invoice: Object, reversals: Iterable[Object], rules: BillingRules) -> Payment | None:
    """Return the payment of a subscription's period. All invoices of one period are one payment: a second one, as for a
    change within it, brings nothing more. An invoice that is not paid brings nothing, nor does the part of a period
    that a change is prorated for: going up and down again would bring the tokens of a period each time."""
    uid, subscription = payer_of(invoice), subscription_named(invoice)
    lines = [each for each in invoice["lines"]["data"] if not _prorated(each)]
    if uid is None or subscription is None or not lines:
        return None
    line = max(lines, key=lambda each: each["period"]["start"])
    product = _sold_as(line["pricing"]["price_details"]["price"], rules)
    paid = invoice["amount_paid"] if invoice["status"] == "paid" else None
    return _payment(
        payment_id(Provider.STRIPE, subscription, str(line["period"]["start"])),
        Reason.PERIOD,
        uid,
        product.name,
        product.tokens,
        invoice["currency"],
        _facts(paid, invoice["currency"], reversals),
        (invoice.get("status_transitions") or {}).get("paid_at"),
    )


def subscription_of(each: Object, rules: BillingRules) -> Subscription:
    """Return the state of a subscription. While a renewal is collected, the paid period is the one before."""
    item = each["items"]["data"][0]
    status = _STATUSES.get(each["status"], Status.ENDED)
    ends = item["current_period_start"] if status is Status.PAST_DUE else item["current_period_end"]
    cancelled = each.get("cancel_at")
    return Subscription(
        provider=Provider.STRIPE,
        plan=_sold_as(item["price"]["id"], rules).plan or Plan.FREE,
        status=status,
        period_end=datetime.fromtimestamp(min(ends, cancelled or ends), UTC),
        renews=not (each["cancel_at_period_end"] or cancelled),
    )


def subscription_key(name: str) -> str:
    """Return under which name a subscription is kept with its payer."""
    return payment_id(Provider.STRIPE, name)


def _prorated(line: Object) -> bool:
    details = (line.get("parent") or {}).get("subscription_item_details") or {}
    return bool(details.get("proration"))


def _sold_as(price: str, rules: BillingRules) -> Product:
    product = rules.sold_as(price)
    if product is None:
        raise UnreadError(f"no product in billing.products is sold as {price:.64}")
    return product


def _facts(paid: int | None, currency: str, reversals: Iterable[Object]) -> Facts:
    return Facts(paid_minor=paid, reversals={each["id"]: _reversal(each, currency) for each in reversals})


def _reversal(each: Object, currency: str) -> Reversal:
    stages = _REFUNDS if each["object"] == "refund" else _DISPUTES
    stage = stages.get(each["status"])
    if stage is None:
        raise UnreadError(f"a {each['object']} is {each['status']!r:.40}, which this release does not know")
    return Reversal(minor=each["amount"] if each["currency"] == currency else None, stage=stage)


def _payment(
    name: str, reason: Reason, uid: str, product: str, tokens: int, currency: str, facts: Facts, paid: int | None
) -> Payment:
    return Payment(
        payment_id=name,
        reason=reason,
        uid=uid,
        product=product,
        tokens=tokens,
        currency=currency,
        facts=facts,
        paid_at=datetime.fromtimestamp(paid, UTC) if paid else None,
    )
