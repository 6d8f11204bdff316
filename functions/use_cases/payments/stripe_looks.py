"""What an object at Stripe comes to: followed to what was bought, a pack or a plan, and that looked at.

    dispute, refund ──► payment intent ──► its pack
    checkout session ──►       └► invoice ──► its subscription, with the period that the invoice is for

Each arrow is a call to Stripe.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from functions.adapters.payments.answers import unavailable
from functions.core.payments.looks import Look
from functions.core.payments.payments import Provider, UnreadError
from functions.core.payments.stripe_objects import (
    pack_payment,
    payer_of,
    period_payment,
    saved_for,
    subscription_key,
    subscription_named,
    subscription_of,
)
from functions.core.payments.subscriptions import Status
from functions.use_cases.payments.reconciler import reconcile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from functions.adapters.firestore import StoredBilling
    from functions.adapters.payments.stripe import Stripe
    from functions.core.payments.stripe_objects import Object
    from functions.wiring import Deps

T = TypeVar("T")

STEPS_MAX = 5
"""From a dispute to a subscription: dispute, payment intent, invoice, subscription; and one to spare."""


class Followed(NamedTuple):
    """Where following an object has led: to a payment intent of a pack, an invoice or a subscription, with the refunds
    and disputes that were met on the way."""

    bought: Object
    reversals: Sequence[Object]


def reconcile_object(object_id: str, stripe: Stripe, deps: Deps) -> bool:
    """Look at what an object belongs to. False if that is nothing of ours. Raises BillingUnavailable."""
    found = _followed(object_id, stripe)
    if found is None:
        return False
    bought, reversals = found
    uid = payer_of(bought)
    if uid is None:
        return False
    if bought["object"] == "payment_intent":
        reconcile(uid, lambda stored: pack_look(stored, bought, reversals, deps), deps)
        return True
    name = subscription_named(bought) if bought["object"] == "invoice" else str(bought["id"])
    if name is None:
        return False

    def look_at(_stored: StoredBilling) -> Look:
        subscription = _there(name, stripe)
        invoice = bought if bought["object"] == "invoice" else stripe.newest_invoice(name)
        return _plan_look(uid, [(subscription, invoice, reversals)], deps, whole=False)

    reconcile(uid, look_at, deps)
    return True


def reconcile_plans(stored: StoredBilling, stripe: Stripe, deps: Deps) -> None:
    """Look at all subscriptions of a payer, and at the newest invoice of each. Raises BillingUnavailable."""
    customer = stored.billing.customer
    if customer is None:
        return

    def look_at(_stored: StoredBilling) -> Look:
        found = stripe.subscriptions_of(customer)
        return _plan_look(
            stored.uid, [(each, stripe.newest_invoice(each["id"]), ()) for each in found], deps, whole=True
        )

    reconcile(stored.uid, look_at, deps, stored)


def end_plans(stored: StoredBilling, stripe: Stripe) -> None:
    """Cancel what a payer who has deleted the account would still be charged for. Raises BillingUnavailable."""
    for name, each in stored.billing.subscriptions.items():
        if each.provider == Provider.STRIPE and each.status != Status.ENDED:
            stripe.end_subscription(name.partition(":")[2])


def _followed(object_id: str, stripe: Stripe) -> Followed | None:
    name: object = object_id
    reversals: Sequence[Object] = ()
    for _ in range(STEPS_MAX):
        if not isinstance(name, str):
            return None
        each = _there(name, stripe)
        match each["object"]:
            case "refund" | "dispute":
                reversals, name = [each], each["payment_intent"]
            case "checkout.session":
                name = each["subscription"] or each["payment_intent"]
            case "payment_intent" if payer_of(each) is None:
                name = stripe.invoice_of(str(name))
            case _:
                return Followed(each, reversals)
    return None


def _there(name: str, stripe: Stripe) -> Object:
    """Read an object that an event or another object has named. It may not be everywhere yet."""
    found = stripe.read(name)
    if found is None:
        raise unavailable(Provider.STRIPE, f"{name.partition('_')[0]}_ is not there (yet)")
    return found


def pack_look(stored: StoredBilling, intent: Object, reversals: Sequence[Object], deps: Deps) -> Look:
    """Return what a payment of a pack shows. Its customer is the payer's if none is known yet: plans are looked at by
    that one."""
    unread: list[str] = []
    payment = _understood(partial(pack_payment, intent, reversals), unread)
    shown = (payment,) if payment else ()
    customer = stored.billing.customer or saved_for(intent)
    return Look(Provider.STRIPE, stored.uid, deps.clock(), shown, customer=customer, unread=tuple(unread))


def _plan_look(
    uid: str, found: Sequence[tuple[Object, Object | None, Sequence[Object]]], deps: Deps, *, whole: bool
) -> Look:
    rules, unread = deps.runtime().billing, list[str]()
    payments, subscriptions = [], {}
    for subscription, invoice, reversals in found:
        state = _understood(partial(subscription_of, subscription, rules), unread)
        if state is not None:
            subscriptions[subscription_key(subscription["id"])] = state
        paid = _understood(partial(period_payment, invoice, reversals, rules), unread) if invoice else None
        payments += [paid] if paid else []
    customer = next((str(each["customer"]) for each, _, _ in found), None)
    return Look(
        Provider.STRIPE,
        uid,
        deps.clock(),
        tuple(payments),
        subscriptions,
        customer,
        whole=whole and not unread,
        unread=tuple(unread),
    )


def _understood(read: Callable[[], T], unread: list[str]) -> T | None:
    try:
        return read()
    except UnreadError as error:
        unread.append(str(error))
        return None
