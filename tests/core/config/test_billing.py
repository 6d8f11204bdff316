"""What is sold: products that say what they bring, each known by one name and one id of its seller."""

import pytest
from pydantic import ValidationError

from functions.core.config.billing import BillingRules, Product

PACK = {"name": "pack", "tokens": 10, "minor": 199, "stripePrice": "price_1", "storeIds": ["pack", "eco.pack"]}


def test_a_product_is_found_by_its_name_and_by_what_it_is_sold_as() -> None:
    """By our name, the price at Stripe, or a product of a store; nothing else is it."""
    rules = BillingRules.model_validate({"products": [PACK]})
    (pack,) = rules.products
    assert [rules.product("pack"), rules.sold_as("price_1"), rules.sold_as("eco.pack")] == [pack] * 3
    assert [rules.product("other"), rules.sold_as("price_2")] == [None, None]


def test_nothing_is_sold_before_somebody_says_where() -> None:
    """The flag: packs and plans are there, and no place to buy them at."""
    rules = BillingRules()
    assert (rules.sell_on, len(rules.products)) == ((), 6)


@pytest.mark.parametrize("wrong", [{"tokens": 0}, {"plan": "free"}])
def test_a_product_brings_something(wrong: dict[str, object]) -> None:
    """A pack of nothing, or a plan that everybody has, would be sold for nothing."""
    with pytest.raises(ValidationError, match="a pack of tokens, or a plan"):
        Product.model_validate({**PACK, **wrong})


@pytest.mark.parametrize("other", [{"name": "pack"}, {"stripePrice": "price_1"}, {"storeIds": ["eco.pack"]}])
def test_what_was_bought_is_never_a_guess(other: dict[str, object]) -> None:
    """Two products with one name, or sold as one, are refused."""
    second = {"name": "other", "tokens": 20, "minor": 299, **other}
    with pytest.raises(ValidationError, match="two products have one name"):
        BillingRules.model_validate({"products": [PACK, second]})


def test_automatic_packs_are_sold_on_the_web_up_to_a_limit() -> None:
    """Nowhere at first; and not with a limit of nothing."""
    assert not BillingRules().sells_packs
    assert not BillingRules.model_validate({"sellOn": ["ios"]}).sells_packs
    assert BillingRules.model_validate({"sellOn": ["web"]}).sells_packs
    assert not BillingRules.model_validate({"sellOn": ["web"], "payPerUse": {"monthlyMaxMinor": 0}}).sells_packs
