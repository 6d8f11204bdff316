"""Checkouts: what can be bought on the web, what Stripe is asked for, and until when a page is looked at."""

from datetime import timedelta
from typing import Any

import pytest

from functions.core.config.billing import BillingRules, Product
from functions.core.config.plans import Plan
from functions.core.payments.checkouts import (
    LOOK_EVERY,
    SESSION_LIFETIME,
    SETTLES_WITHIN,
    checkout_for,
    looked_at,
    require_for_a_team,
    require_same_checkout,
    session_asked,
    sold_on_the_web,
)
from functions.core.payments.refusals import AlreadySubscribed, PurchaseNotHere, UnknownProduct
from functions.core.payments.subscriptions import PlanHeld
from functions.core.shared.errors import EcolaneError, InvalidRequest, KeyReused
from tests.builders import NOW

FREE, PRO = PlanHeld(Plan.FREE), PlanHeld(Plan.PRO, NOW, "revenuecat")
RULES = BillingRules.model_validate(
    {
        "sellOn": ["web"],
        "products": [
            {"name": "pack", "tokens": 10, "minor": 199, "stripePrice": "price_1"},
            {"name": "pro", "tokens": 100, "minor": 899, "plan": "pro", "stripePrice": "price_2"},
            {"name": "app_only", "tokens": 10, "minor": 199},
        ],
    }
)
PACK, PLAN, _ = RULES.products


@pytest.mark.parametrize(("name", "held"), [("pack", FREE), ("pack", PRO), ("pro", FREE)])
def test_what_is_sold_on_the_web_can_be_bought(name: str, held: PlanHeld) -> None:
    """A pack by everybody, a plan by who has none."""
    assert sold_on_the_web(name, RULES, held) == RULES.product(name)


@pytest.mark.parametrize(
    ("name", "rules", "refusal", "details"),
    [
        ("pack", RULES.model_copy(update={"sell_on": ()}), PurchaseNotHere, {"sellOn": []}),
        ("app_only", RULES, PurchaseNotHere, {"sellOn": ["web"]}),
        ("other", RULES, UnknownProduct, {"product": "other"}),
        ("pro", RULES, AlreadySubscribed, {"plan": "pro", "seller": "revenuecat"}),
    ],
)
def test_what_cannot_be_bought_says_why(
    name: str, rules: BillingRules, refusal: type[EcolaneError], details: dict[str, Any]
) -> None:
    """Nothing is sold, not this, not here, or it would be paid twice: once at the store, once here."""
    with pytest.raises(refusal) as refused:
        sold_on_the_web(name, rules, PRO)
    assert refused.value.details == details


def test_a_key_names_one_checkout() -> None:
    """The same user and key make the same id; another product under it, or one after an hour, is refused."""
    first, again = checkout_for("ann", "key-0001", PACK, NOW), checkout_for("ann", "key-0001", PACK, NOW)
    assert first == again
    assert checkout_for("bob", "key-0001", PACK, NOW).checkout_id != first.checkout_id
    require_same_checkout(first, again, NOW + SESSION_LIFETIME - timedelta(seconds=1))
    with pytest.raises(KeyReused, match="payer"):
        require_same_checkout(first, checkout_for("ann", "key-0001", PACK, NOW, "green"), NOW)
    with pytest.raises(KeyReused, match="product"):
        require_same_checkout(first, checkout_for("ann", "key-0001", PLAN, NOW), NOW)
    with pytest.raises(KeyReused, match="over"):
        require_same_checkout(first, again, NOW + SESSION_LIFETIME)


def test_a_team_buys_packs_alone() -> None:
    """Its plan is set by operators; and a card that is saved would pay for the buyer's own packs."""
    require_for_a_team(PACK, save_card=False)
    with pytest.raises(InvalidRequest, match="payer"):
        require_for_a_team(PLAN, save_card=False)
    with pytest.raises(InvalidRequest, match="saveCard"):
        require_for_a_team(PACK, save_card=True)


@pytest.mark.parametrize(
    ("product", "mode", "data"),
    [(PACK, "payment", "payment_intent_data"), (PLAN, "subscription", "subscription_data")],
)
def test_stripe_is_asked_for_a_page_that_knows_who_gets_what(product: Product, mode: str, data: str) -> None:
    """In the metadata of what is paid, which nobody but us can write."""
    checkout = checkout_for("ann", "key-0001", product, NOW)
    asked = session_asked(checkout, product, None, "https://eco.example/shop")
    about = {"uid": "ann", "product": product.name, "tokens": str(product.tokens)}
    assert (asked["mode"], asked[data]) == (mode, {"metadata": about})
    assert asked["line_items"] == [{"price": product.stripe_price, "quantity": 1}]
    assert asked["success_url"] == f"https://eco.example/shop?checkout={checkout.checkout_id}"
    assert asked["expires_at"] == int((NOW + SESSION_LIFETIME).timestamp())
    known = session_asked(checkout, product, "cus_1", "https://eco.example/?a=b")
    assert (known["customer"], known["success_url"]) == (
        "cus_1",
        f"https://eco.example/?a=b&checkout={checkout.checkout_id}",
    )


def test_stripe_keeps_which_team_a_pack_is_for() -> None:
    """With who has bought it."""
    checkout = checkout_for("ann", "key-0001", PACK, NOW, "green")
    asked = session_asked(checkout, PACK, None, "https://eco.example/shop")
    about = {"uid": "ann", "product": "pack", "tokens": "10", "team": "green"}
    assert asked["payment_intent_data"] == {"metadata": about}


def test_the_card_of_a_pack_is_kept_if_the_user_wants_it() -> None:
    """For automatic packs; that of a plan is kept by Stripe anyway."""
    pack, plan = (next(each for each in RULES.products if (each.plan is None) is alone) for alone in (True, False))
    for product, kept in ((pack, {"setup_future_usage": "off_session"}), (plan, {})):
        checkout = checkout_for("ann", "key-0001", product, NOW)
        asked = session_asked(checkout, product, None, "https://eco.example/shop", save_card=True)
        about = {"uid": "ann", "product": product.name, "tokens": str(product.tokens)}
        assert asked["payment_intent_data" if product is pack else "subscription_data"] == {"metadata": about, **kept}


@pytest.mark.parametrize(
    ("session", "age", "again"),
    [
        (None, timedelta(0), LOOK_EVERY),
        (None, 2 * SESSION_LIFETIME, None),
        ({"status": "open"}, timedelta(0), LOOK_EVERY),
        ({"status": "expired"}, timedelta(0), None),
        ({"status": "complete", "payment_status": "paid"}, timedelta(0), None),
        ({"status": "complete", "payment_status": "unpaid"}, timedelta(days=1), SESSION_LIFETIME),
        ({"status": "complete", "payment_status": "unpaid"}, SETTLES_WITHIN, None),
    ],
)
def test_a_page_is_looked_at_while_something_can_come_of_it(
    session: dict[str, Any] | None, age: timedelta, again: timedelta | None
) -> None:
    """In each run while it is open, for days while a bank takes its time, and then no more."""
    now = NOW + age
    expected = None if again is None else now + again
    assert looked_at(checkout_for("ann", "key-0001", PACK, NOW), session, now) == expected
