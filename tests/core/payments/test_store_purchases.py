"""What RevenueCat shows: packs, the last period of each subscription, and what cannot be read."""

from datetime import timedelta
from typing import Any

import pytest

from functions.core.config.billing import BillingRules
from functions.core.payments.looks import Look
from functions.core.payments.payments import Stage, UnreadError
from functions.core.payments.store_purchases import PURCHASES_MAX, store_look
from tests.builders import NOW

RULES = BillingRules.model_validate(
    {
        "products": [
            {"name": "pack", "tokens": 10, "minor": 199, "storeIds": ["pack"]},
            {"name": "pro", "tokens": 100, "minor": 899, "plan": "pro", "storeIds": ["pro:monthly"]},
        ]
    }
)


def pack(**changes: Any) -> dict[str, Any]:
    """Return a pack as it is shown."""
    price = {"amount": 1.99, "currency": "USD"}
    return {"store_transaction_id": "70001", "purchase_date": "2026-11-20T08:00:00Z", "price": price, **changes}


def plan(**changes: Any) -> dict[str, Any]:
    """Return a subscription as it is shown."""
    return {**pack(store_transaction_id="GPA.1-2..3"), "expires_date": "2026-12-20T08:00:00Z", **changes}


def look(*packs: Any, plans: dict[str, Any] | None = None, **given: Any) -> Look:
    """Return what comes of an answer."""
    subscriber = {"non_subscriptions": {"pack": list(packs)}, "subscriptions": plans or {}}
    return store_look({"subscriber": subscriber}, "ann", NOW, RULES, **given)


def test_a_pack_is_a_payment() -> None:
    """Named by the store's transaction, worth what the config says of the product."""
    found = look(pack())
    (payment,) = found.payments
    told = (payment.payment_id, payment.reason, payment.product, payment.tokens, payment.facts.paid_minor)
    assert told == ("revenuecat:70001", "buy", "pack", 10, 199)
    assert (payment.currency, payment.sandbox, found.whole, found.tells_by_absence) == ("usd", False, True, True)


@pytest.mark.parametrize(
    ("price", "minor"),
    [
        ({"amount": "499", "currency": "JPY"}, 499),
        ({"amount": -1, "currency": "EUR"}, 0),
        (None, 199),
    ],
)
def test_prices_are_whole_numbers_of_the_smallest_unit(price: Any, minor: int) -> None:
    """Yen have no cents; without a price that of the product is taken."""
    assert look(pack(price=price)).payments[0].facts.paid_minor == minor


def test_the_price_of_a_product_in_yen_is_taken_as_it_is() -> None:
    """500 yen are not 5."""
    yen = RULES.model_copy(
        update={"products": tuple(each.model_copy(update={"minor": 500, "currency": "jpy"}) for each in RULES.products)}
    )
    subscriber = {"non_subscriptions": {"pack": [pack(price=None)]}, "subscriptions": {}}
    assert store_look({"subscriber": subscriber}, "ann", NOW, yen).payments[0].facts.paid_minor == 500


def test_a_period_is_a_payment_beside_its_subscription() -> None:
    """Its end, and whether it goes on."""
    found = look(plans={"pro:monthly": plan(is_sandbox=True)})
    assert [each.payment_id for each in found.payments] == ["revenuecat:GPA.1-2..3"]
    (state,) = found.subscriptions.values()
    assert list(found.subscriptions) == ["revenuecat:pro:monthly"]
    assert (state.plan, state.status, state.renews, state.sandbox) == ("pro", "active", True, True)
    assert state.period_end - NOW == timedelta(days=28, hours=20)


@pytest.mark.parametrize(
    ("changes", "status", "renews"),
    [
        ({"billing_issues_detected_at": "2026-11-21T08:00:00Z"}, "past_due", True),
        ({"unsubscribe_detected_at": "2026-11-21T08:00:00Z"}, "active", False),
        ({"refunded_at": "2026-11-21T08:00:00Z"}, "ended", True),
    ],
)
def test_what_has_become_of_a_subscription(changes: dict[str, Any], status: str, renews: bool) -> None:
    """Collected in vain, cancelled, or refunded, which takes its tokens back."""
    found = look(plans={"pro:monthly": plan(**changes)})
    (state,) = found.subscriptions.values()
    assert (state.status, state.renews) == (status, renews)
    back = [each.stage for each in found.payments[0].facts.reversals.values()]
    assert back == ([Stage.TAKEN] if status == "ended" else [])


@pytest.mark.parametrize("unpaid", [{"period_type": "trial"}, {"ownership_type": "FAMILY_SHARED"}])
def test_a_trial_and_a_familys_plan_bring_no_tokens(unpaid: dict[str, str]) -> None:
    """The user has paid nothing for it."""
    found = look(plans={"pro:monthly": plan(**unpaid)})
    assert (found.payments, len(found.subscriptions)) == ((), 1)


@pytest.mark.parametrize(
    ("purchases", "why"),
    [
        ({"packs": [pack(store_transaction_id=None)]}, "storeTransactionId|store_transaction_id"),
        ({"packs": [pack(store_transaction_id="a/b")]}, "characters that no document can be named by"),
        ({"plans": {"other": plan()}}, "sold as other"),
        ({"plans": {"pro:monthly": plan(expires_date=None)}}, "has no end"),
    ],
)
def test_one_purchase_that_cannot_be_read_costs_itself(purchases: dict[str, Any], why: str) -> None:
    """The others count; but nothing is taken for gone, since not all was understood."""
    found = look(pack(store_transaction_id="70002"), *purchases.get("packs", ()), plans=purchases.get("plans"))
    assert "revenuecat:70002" in {each.payment_id for each in found.payments}
    assert (found.whole, len(found.unread)) == (False, 1)
    assert any(part in found.unread[0] for part in why.split("|"))


@pytest.mark.parametrize("answer", [{}, {"subscriber": None}, {"subscriber": {"subscriptions": {}}}])
def test_an_answer_that_is_none_is_not_nothing_bought(answer: dict[str, Any]) -> None:
    """An empty object would take everything from everybody."""
    with pytest.raises(UnreadError, match="no purchases in it"):
        store_look(answer, "ann", NOW, RULES)


def test_a_refund_is_named_by_its_transaction_and_only_the_newest_packs_are_read() -> None:
    """The event's word, as a payment's name; a thousand packs of one product."""
    assert look(refunded="70001").refunded == {"revenuecat:70001"}
    many = look(*(pack(store_transaction_id=f"{n}") for n in range(PURCHASES_MAX + 1)))
    assert len(many.payments) == PURCHASES_MAX
