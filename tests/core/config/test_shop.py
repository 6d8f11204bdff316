"""The prices of perks."""

from functions.core.config.shop import Perk, ShopRules


def test_nothing_is_sold_until_it_has_a_price() -> None:
    """Each by itself."""
    assert [ShopRules().price(perk) for perk in Perk] == [None, None]
    assert [ShopRules(streak_saver=3).price(perk) for perk in Perk] == [None, 3]
    assert [ShopRules(priority_day=2).price(perk) for perk in Perk] == [2, None]
