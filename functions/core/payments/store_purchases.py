"""What RevenueCat shows of a user's purchases in the stores: `GET /v1/subscribers/{app_user_id}`.

https://www.revenuecat.com/docs/api-v1/customers. A refunded pack is not shown any more, and a subscription shows its
last period alone, each with a transaction of its own.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from functions.core.config.billing import BillingRules, Product
from functions.core.config.plans import Plan
from functions.core.payments.currencies import minor_units
from functions.core.payments.looks import Look
from functions.core.payments.payments import Facts, Payment, Provider, Reversal, Stage, UnreadError, payment_id
from functions.core.payments.subscriptions import Status, Subscription
from functions.core.shared.records import problems
from functions.core.wallet.ledger import Reason

PURCHASES_MAX = 1_000
"""Of one user; the newest are kept if there are more."""


class _Price(BaseModel):
    amount: Decimal
    currency: str = Field(pattern="^[A-Za-z]{3}$")


class _Purchase(BaseModel):
    """A pack, or the last period of a subscription."""

    store_transaction_id: str = Field(coerce_numbers_to_str=True)
    purchase_date: AwareDatetime
    is_sandbox: bool = False
    price: _Price | None = None
    period_type: str = "normal"
    ownership_type: str = "PURCHASED"
    expires_date: AwareDatetime | None = None
    billing_issues_detected_at: AwareDatetime | None = None
    unsubscribe_detected_at: AwareDatetime | None = None
    refunded_at: AwareDatetime | None = None


def store_look(
    answer: Mapping[str, Any], uid: str, at: datetime, rules: BillingRules, refunded: str | None = None
) -> Look:
    """Return what RevenueCat's answer shows. `refunded`: the transaction that an event has named so. If a purchase
    cannot be read, the look is not whole: nothing is gone because it is not shown. Raises UnreadError for an answer
    that is none."""
    match answer.get("subscriber"):
        case {"non_subscriptions": dict(packs), "subscriptions": dict(plans)}:
            pass
        case _:
            raise UnreadError("RevenueCat's answer has no purchases in it")
    unread, payments, subscriptions = [], dict[str, Payment](), dict[str, Subscription]()
    for store_id, fields, in_period in _purchases(packs, plans):
        try:
            product, bought = _product(store_id, rules), _Purchase.model_validate(fields)
            payment = _payment(product, bought, uid)
            # Nothing is paid for a trial, and somebody else has paid for what is shared in a family: it is a plan only.
            if bought.period_type != "trial" and bought.ownership_type != "FAMILY_SHARED":
                payments[payment.payment_id] = payment
            if in_period:
                subscriptions[f"{Provider.REVENUECAT}:{store_id}"] = _subscription(product, bought)
        except ValidationError as error:
            unread.append("a purchase at RevenueCat: {}: {}".format(*problems(error)[0]))
        except (UnreadError, ValueError) as error:
            unread.append(str(error))
    named = frozenset({payment_id(Provider.REVENUECAT, refunded)}) if refunded else frozenset()
    shown = tuple(payments.values())
    whole = not unread
    return Look(Provider.REVENUECAT, uid, at, shown, subscriptions, whole=whole, refunded=named, unread=tuple(unread))


def _purchases(packs: Mapping[str, Any], plans: Mapping[str, Any]) -> Iterator[tuple[str, Any, bool]]:
    """Yield each purchase with the store's id of its product, and whether it is a period."""
    listed = [(store_id, fields) for store_id, several in packs.items() for fields in several]
    yield from ((store_id, fields, False) for store_id, fields in listed[-PURCHASES_MAX:])
    yield from ((store_id, fields, True) for store_id, fields in plans.items())


def _product(store_id: str, rules: BillingRules) -> Product:
    product = rules.sold_as(store_id)
    if product is None:
        raise UnreadError(f"no product in billing.products is sold as {store_id:.64}")
    return product


def _payment(product: Product, bought: _Purchase, uid: str) -> Payment:
    price = bought.price or _Price(
        amount=Decimal(product.minor) / minor_units(product.currency), currency=product.currency
    )
    currency = price.currency.lower()
    gone = {"refund": Reversal(minor=None, stage=Stage.TAKEN)} if bought.refunded_at else {}
    minor = max(int(price.amount * minor_units(currency)), 0)
    return Payment(
        payment_id=payment_id(Provider.REVENUECAT, bought.store_transaction_id),
        reason=Reason.BUY if product.plan is None else Reason.PERIOD,
        uid=uid,
        product=product.name,
        tokens=product.tokens,
        currency=currency,
        sandbox=bought.is_sandbox,
        facts=Facts(paid_minor=minor, reversals=gone),
        paid_at=bought.purchase_date,
    )


def _subscription(product: Product, bought: _Purchase) -> Subscription:
    if bought.expires_date is None:
        raise UnreadError("a subscription at RevenueCat has no end")
    status = Status.PAST_DUE if bought.billing_issues_detected_at else Status.ACTIVE
    return Subscription(
        provider=Provider.REVENUECAT,
        plan=product.plan or Plan.FREE,
        status=Status.ENDED if bought.refunded_at else status,
        period_end=bought.expires_date,
        renews=bought.unsubscribe_detected_at is None,
        sandbox=bought.is_sandbox,
    )
