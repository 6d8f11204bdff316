"""Tokens into money."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from functions.core.model.usage import Usage, cost_micros
from tests.builders import BATCH_PRICE, PRICE, flat_price


@pytest.mark.parametrize(
    ("usage", "instant", "batch"),
    [
        (Usage(input_tokens=1_000, output_tokens=200), 400 + 320, 360),
        (Usage(input_tokens=1_000, cached_tokens=600, output_tokens=0), 160 + 24, 92),
        (Usage(input_tokens=1_000, cache_write_tokens=200, output_tokens=0), 320 + 100, 210),
        (
            Usage(input_tokens=1_000, cached_tokens=600, cache_write_tokens=200, output_tokens=200),
            80 + 24 + 100 + 320,
            262,
        ),
        (Usage(input_tokens=0, output_tokens=0), 0, 0),
    ],
    ids=["plain", "cached", "cache write", "all kinds", "nothing"],
)
def test_each_kind_of_token_has_the_price_of_its_lane(usage: Usage, instant: int, batch: int) -> None:
    """The cost is the invoice's arithmetic: plain, cached and cache-writing input, output, each at its own price."""
    assert cost_micros(usage, PRICE) == instant
    assert cost_micros(usage, BATCH_PRICE) == batch


@pytest.mark.parametrize(("tokens", "micros"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)])
def test_half_a_micro_dollar_is_rounded_up(tokens: int, micros: int) -> None:
    """At half a micro-dollar a token, one token costs one micro-dollar: never free."""
    half = flat_price("0.5")
    assert cost_micros(Usage(input_tokens=tokens, output_tokens=0), half) == micros


def test_a_long_request_is_billed_by_its_length_as_a_whole() -> None:
    """Cached tokens count for the length; at the limit itself the request is not long."""
    price = flat_price("1", "2", longer=((1_000, flat_price("5", "9")),))
    for tokens, micros in ((1_000, 1_000 + 20), (1_001, 5_005 + 90)):
        assert cost_micros(Usage(input_tokens=tokens, cached_tokens=900, output_tokens=10), price) == micros


def test_ten_thousand_photos_cost_what_the_invoice_says() -> None:
    """Rounding each answer keeps the sum within 1 % of the exact arithmetic."""
    usage = Usage(input_tokens=813, cached_tokens=128, output_tokens=217)
    exact = (685 * BATCH_PRICE.input + 128 * BATCH_PRICE.cached + 217 * BATCH_PRICE.output) * 10_000
    assert abs(cost_micros(usage, BATCH_PRICE) * 10_000 - exact) <= exact / 100


counts = st.integers(0, 100_000)


@given(plain=counts, cached=counts, written=counts, output=counts)
def test_the_cost_is_a_whole_number_and_a_batch_never_costs_more(
    plain: int, cached: int, written: int, output: int
) -> None:
    """For any usage: an integer, not negative, and the batch within half a micro-dollar of half of it."""
    usage = Usage(
        input_tokens=plain + cached + written, cached_tokens=cached, cache_write_tokens=written, output_tokens=output
    )
    instant, batch = cost_micros(usage, PRICE), cost_micros(usage, BATCH_PRICE)
    assert isinstance(instant, int)
    assert 0 <= batch <= instant
    assert abs(2 * batch - instant) <= 2


@pytest.mark.parametrize("field", ["input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens"])
def test_a_negative_count_is_no_usage(field: str) -> None:
    """Nobody is paid for asking."""
    with pytest.raises(ValidationError):
        Usage.model_validate({"input_tokens": 1, "output_tokens": 1, field: -1})
