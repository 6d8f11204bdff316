"""Money in the smallest unit of its currency."""

import pytest

from functions.core.payments.currencies import minor_units, said


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(499, "usd", "4.99 usd"), (123_456, "eur", "1,234.56 eur"), (500, "jpy", "500 jpy"), (1_500, "KRW", "1,500 KRW")],
)
def test_an_amount_has_cents_where_its_currency_has(minor: int, currency: str, text: str) -> None:
    """500 yen are not 5."""
    assert said(minor, currency) == text


def test_a_unit_has_a_hundred_smallest_ones_or_is_one() -> None:
    """A currency that holds another's letters is not that."""
    assert [minor_units(each) for each in ("usd", "jpy", "xjpy")] == [100, 1, 100]
