"""What Stripe's objects come to: payments with facts, the state of a subscription, and whose they are."""

from datetime import UTC, datetime
from typing import Any

import pytest

from functions.core.config.billing import BillingRules
from functions.core.payments.payments import Facts, Reversal, Stage, UnreadError
from functions.core.payments.stripe_objects import (
    pack_payment,
    payer_of,
    period_payment,
    saved_for,
    subscription_key,
    subscription_named,
    subscription_of,
)

RULES = BillingRules.model_validate(
    {"products": [{"name": "pro", "tokens": 100, "minor": 899, "plan": "pro", "stripePrice": "price_2"}]}
)
ABOUT = {"uid": "ann", "product": "pack", "tokens": "10"}


def intent(**changes: Any) -> dict[str, Any]:
    """Return a payment intent that has succeeded."""
    fields = {"id": "pi_1", "object": "payment_intent", "status": "succeeded", "amount_received": 199}
    return {**fields, "currency": "usd", "metadata": ABOUT, **changes}


def invoice(**changes: Any) -> dict[str, Any]:
    """Return a paid invoice of a period that begins at second 1,000."""
    lines = [{"period": {"start": start}, "pricing": {"price_details": {"price": "price_2"}}} for start in (500, 1_000)]
    details = {"subscription": "sub_1", "metadata": {"uid": "ann"}}
    fields = {"id": "in_1", "object": "invoice", "status": "paid", "amount_paid": 899, "currency": "usd"}
    return {**fields, "lines": {"data": lines}, "parent": {"subscription_details": details}, **changes}


def subscription(**changes: Any) -> dict[str, Any]:
    """Return a subscription in force, from second 1,000 to 2,000."""
    item = {
        "current_period_start": 1_000,
        "current_period_end": 2_000,
        "price": {"id": changes.pop("price", "price_2")},
    }
    fields = {"id": "sub_1", "object": "subscription", "status": "active", "cancel_at": None}
    return {**fields, "cancel_at_period_end": False, "items": {"data": [item]}, "metadata": {"uid": "ann"}, **changes}


@pytest.mark.parametrize(
    ("changes", "customer"),
    [
        ({"customer": "cus_1", "setup_future_usage": "off_session"}, "cus_1"),
        ({"customer": "cus_1", "setup_future_usage": None}, None),
        ({"customer": None, "setup_future_usage": "off_session"}, None),
    ],
)
def test_a_card_is_saved_for_the_customer_who_wanted_it(changes: dict[str, Any], customer: str | None) -> None:
    """A payment that was made once leaves nothing to pay with again."""
    assert saved_for(intent(**changes)) == customer


def test_a_pack_is_worth_what_its_metadata_says() -> None:
    """It was written when the checkout began; the amount is what Stripe received."""
    payment = pack_payment(intent(), ())
    assert payment is not None
    told = (payment.payment_id, payment.reason, payment.uid, payment.product, payment.tokens, payment.facts)
    assert told == ("stripe:pi_1", "buy", "ann", "pack", 10, Facts(paid_minor=199))
    assert payment.team_id is None
    for_a_team = pack_payment(intent(metadata={**ABOUT, "team": "green"}), ())
    assert for_a_team is not None
    assert (for_a_team.uid, for_a_team.payee) == ("ann", "team/green")
    waiting = pack_payment(intent(status="processing"), ())
    assert waiting is not None
    assert waiting.facts == Facts()


@pytest.mark.parametrize("metadata", [{}, None, {"uid": ""}, {"uid": 1}, {"uid": "ann"}])
def test_what_is_not_ours_is_no_pack(metadata: Any) -> None:
    """The account at Stripe may sell other things; what a subscription pays is not a pack either."""
    assert pack_payment(intent(metadata=metadata), ()) is None


@pytest.mark.parametrize(
    ("reversal", "stage", "minor"),
    [
        ({"object": "refund", "status": "succeeded"}, Stage.TAKEN, 50),
        ({"object": "refund", "status": "failed"}, Stage.RETURNED, 50),
        ({"object": "dispute", "status": "warning_needs_response"}, Stage.ANNOUNCED, 50),
        ({"object": "dispute", "status": "needs_response", "currency": "eur"}, Stage.TAKEN, None),
        ({"object": "dispute", "status": "won"}, Stage.RETURNED, 50),
        ({"object": "dispute", "status": "lost"}, Stage.LOST, 50),
    ],
)
def test_refunds_and_disputes_take_back(reversal: dict[str, Any], stage: Stage, minor: int | None) -> None:
    """As far as each has come; all of it, if the amount is in another currency."""
    payment = pack_payment(intent(), [{"id": "x_1", "amount": 50, "currency": "usd", **reversal}])
    assert payment is not None
    assert payment.facts.reversals == {"x_1": Reversal(minor=minor, stage=stage)}


def test_a_status_that_nobody_knows_waits_for_an_operator() -> None:
    """Nothing is guessed about money."""
    with pytest.raises(UnreadError, match="a refund is 'odd'"):
        pack_payment(intent(), [{"id": "re_1", "object": "refund", "status": "odd", "amount": 1, "currency": "usd"}])


def test_a_period_is_one_payment_whatever_its_invoices() -> None:
    """Named by the subscription and its beginning, of the line that begins last; paid only by a paid invoice."""
    payment = period_payment(invoice(), (), RULES)
    assert payment is not None
    told = (payment.payment_id, payment.reason, payment.product, payment.tokens, payment.facts.paid_minor)
    assert told == ("stripe:sub_1:1000", "period", "pro", 100, 899)
    draft = period_payment(invoice(status="draft"), (), RULES)
    assert draft is not None
    assert draft.facts.paid_minor is None


@pytest.mark.parametrize(
    "other",
    [{"parent": None}, {"parent": {"subscription_details": {"metadata": {"uid": "ann"}}}}, {"lines": {"data": []}}],
)
def test_an_invoice_of_something_else_is_no_period(other: dict[str, Any]) -> None:
    """Of nobody, of no subscription, or for nothing."""
    assert period_payment(invoice(**other), (), RULES) is None


def test_a_part_of_a_period_brings_nothing() -> None:
    """A change of plan that is prorated is no period: neither alone nor beside one."""
    price = {"price_details": {"price": "price_2"}}
    part = {"parent": {"subscription_item_details": {"proration": True}}, "period": {"start": 1_500}, "pricing": price}
    assert period_payment(invoice(lines={"data": [part]}), (), RULES) is None
    both = period_payment(invoice(lines={"data": [*invoice()["lines"]["data"], part]}), (), RULES)
    assert both is not None
    assert both.payment_id == "stripe:sub_1:1000"


@pytest.mark.parametrize(
    ("changes", "status", "end", "renews"),
    [
        ({}, "active", 2_000, True),
        ({"status": "past_due"}, "past_due", 1_000, True),
        ({"cancel_at_period_end": True, "cancel_at": 2_000}, "active", 2_000, False),
        ({"cancel_at": 1_500}, "active", 1_500, False),
        ({"status": "unpaid"}, "ended", 2_000, True),
    ],
)
def test_the_state_of_a_subscription(changes: dict[str, Any], status: str, end: int, renews: bool) -> None:
    """While a renewal is collected the paid period has ended; one that is cancelled goes on to its end."""
    found = subscription_of(subscription(**changes), RULES)
    assert (found.status, found.period_end, found.renews) == (status, datetime.fromtimestamp(end, UTC), renews)
    assert (found.provider, found.plan) == ("stripe", "pro")


def test_a_price_that_is_no_products_is_told() -> None:
    """The operator has to name it in the config."""
    with pytest.raises(UnreadError, match="sold as price_9"):
        subscription_of(subscription(price="price_9"), RULES)


def test_whose_something_is() -> None:
    """By its metadata, or that of its subscription."""
    assert [payer_of(each) for each in (intent(), invoice(), subscription(), {}, invoice(parent={}))] == [
        "ann",
        "ann",
        "ann",
        None,
        None,
    ]
    assert (subscription_named(invoice()), subscription_named({}), subscription_key("sub_1")) == (
        "sub_1",
        None,
        "stripe:sub_1",
    )
