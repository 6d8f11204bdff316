"""What the price library does not say: zones, an operator's price, and models that leave."""

from dataclasses import astuple
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from functions.core.config.price_overrides import PriceOverride
from functions.core.model.image_tokens import FORMULAS
from functions.core.model.prices import (
    AZURE,
    FLAT_AT_OPENAI,
    RETIRES,
    azure_terms,
    dearest,
    in_zone,
    priced,
    require_sound,
    retired,
)
from functions.core.model.usage import ModelPrice, UnknownPriceError
from functions.core.shared.errors import InvalidRequest
from functions.core.shared.lanes import Lane
from functions.core.shared.providers import Provider
from tests.builders import flat_price

D = Decimal
OPENAI, AZURE_AI, ANTHROPIC = Provider.OPENAI, Provider.AZURE, Provider.ANTHROPIC
LONG = ModelPrice(D("0.2"), D("0.02"), D("0.25"), D("0.75"))
LUNA = ModelPrice(D("0.1"), D("0.01"), D("0.125"), D("0.5"), ((272_000, LONG),))
TODAY = date(2026, 11, 29)


def named(since: date = TODAY, **changes: Any) -> PriceOverride:
    """Return a price of an operator's."""
    told: dict[str, Any] = {"provider": OPENAI, "model": "gpt-6-luna", "lane": Lane.INSTANT, "since": since}
    usd = {"input_usd_per_million": D("0.2"), "output_usd_per_million": D(1)}
    return PriceOverride(**told | usd | changes)


@pytest.mark.parametrize(
    ("provider", "model", "zone", "price"),
    [
        (OPENAI, "gpt-6-luna", None, "0.1 0.01 0.125 0.5 0.75"),
        (OPENAI, "gpt-6-luna", "eu", "0.11 0.011 0.1375 0.55 0.825"),
        (OPENAI, "gpt-6-luna-2026-09-22", "in", "0.11 0.011 0.1375 0.55 0.825"),
        (OPENAI, "gpt-4.1-mini", "eu", "0.1 0.01 0.125 0.5 0.75"),
        (AZURE_AI, "gpt-6-luna", "us", "0.11 0.011 0.1375 0.55 0.825"),
        (AZURE_AI, "gpt-6-luna", "eu", "0.12 0.012 0.15 0.6 0.9"),
        (AZURE_AI, "gpt-4o-mini", "eu", "0.11 0.011 0.138 0.55 0.825"),
        (ANTHROPIC, "claude-haiku-5-5", "us", "0.11 0.011 0.1375 0.55 0.825"),
    ],
    ids=str,
)
def test_a_zone_adds_what_its_provider_says(provider: Provider, model: str, zone: str | None, price: str) -> None:
    """To every kind of token, and to long requests; older meters of Azure's are rounded to a thousandth."""
    found = in_zone(LUNA, provider, model, zone)
    (_, long), *none = found.longer
    amounts = (found.input, found.cached, found.cache_write, found.output, long.output)
    assert (" ".join(f"{each.normalize():f}" for each in amounts), none) == (price, [])


@pytest.mark.parametrize(
    ("provider", "model", "zone"),
    [
        (AZURE_AI, "gpt-6-luna", "apac"),
        (AZURE_AI, "gpt-7", "eu"),
        (ANTHROPIC, "claude-haiku-5-5", "eu"),
        (ANTHROPIC, "claude-haiku-4-5", "us"),
    ],
    ids=str,
)
def test_a_zone_whose_price_nobody_knows_is_refused(provider: Provider, model: str, zone: str) -> None:
    """A tenth is no rule: nothing is guessed."""
    with pytest.raises(UnknownPriceError, match="not known"):
        in_zone(LUNA, provider, model, zone)


def test_every_model_on_offer_was_compared_with_azures_list() -> None:
    """And one that is not on offer was not."""
    assert AZURE.keys() == FORMULAS.keys()
    assert FORMULAS.keys() > FLAT_AT_OPENAI
    with pytest.raises(UnknownPriceError, match=r"model\.prices"):
        azure_terms("gpt-7")


def test_an_operators_price_raises_the_listed_one_and_lowers_it_only_if_it_says_so() -> None:
    """Kind by kind: what is left out counts as other input, but not below the list; long requests follow."""
    dearer = priced(LUNA, named())
    assert astuple(dearer)[:4] == (D("0.2"), D("0.2"), D("0.2"), D(1))
    assert dearer.of_input(272_001) == ModelPrice(D("0.2"), D("0.2"), D("0.25"), D(1))
    lower: dict[str, Any] = {"input_usd_per_million": D("0.05"), "output_usd_per_million": D("0.6")}
    assert astuple(priced(LUNA, named(**lower)))[:4] == (D("0.1"), D("0.05"), D("0.125"), D("0.6"))
    contract: dict[str, Any] = {
        "cached_usd_per_million": D("0.005"),
        "cache_write_usd_per_million": D("0.06"),
        "cheaper": True,
    }
    agreed = ModelPrice(D("0.05"), D("0.005"), D("0.06"), D("0.6"))
    assert priced(LUNA, named(**lower, **contract)) == priced(None, named(**lower, **contract)) == agreed
    assert priced(LUNA, None) == LUNA
    with pytest.raises(UnknownPriceError):
        priced(None, None)


def test_the_higher_of_two_prices_is_the_higher_for_any_request() -> None:
    """Also where they have other lengths."""
    plain, other = flat_price("0.15", "0.4"), flat_price("0.05", longer=((100_000, LONG),))
    both = dearest(dearest(LUNA, plain), other)
    for tokens in (1, 100_000, 100_001, 272_000, 272_001):
        rates = [price.of_input(tokens) for price in (LUNA, plain, other)]
        assert astuple(both.of_input(tokens))[:4] == tuple(
            max(each) for each in zip(*map(_amounts, rates), strict=True)
        )


def _amounts(price: ModelPrice) -> tuple[Decimal, ...]:
    return price.input, price.cached, price.cache_write, price.output


@pytest.mark.parametrize(
    ("override", "says"),
    [
        (named(date(2025, 11, 29)), "must begin from 2026-10-29 to 2027-11-30"),
        (named(date(2036, 11, 29)), "must begin from"),
        (named(input_usd_per_million=D("0.09")), "below the listed 0.1 in"),
        (named(output_usd_per_million=D("0.4")), "cheaper: true"),
        (named(cached_usd_per_million=D("0.005")), "0.01 cached"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_a_price_that_would_not_hold_is_refused(override: PriceOverride, says: str) -> None:
    """In a year that is a slip, or lower than the list without a word that this is meant."""
    with pytest.raises(InvalidRequest, match=says) as refused:
        require_sound(override, LUNA, TODAY)
    assert refused.value.details["field"] == "model.prices"


def test_a_sound_price_is_taken() -> None:
    """A higher one, a lower one that says so, or one that nobody lists."""
    for override, listed in (
        (named(), LUNA),
        (named(input_usd_per_million=D("0.1"), output_usd_per_million=D("0.5")), LUNA),
        (named(input_usd_per_million=D("0.05"), cheaper=True), LUNA),
        (named(input_usd_per_million=D("0.05")), None),
    ):
        require_sound(override, listed, TODAY)


@pytest.mark.parametrize(
    ("name", "day", "gone"),
    [
        ("gpt-5-nano", date(2026, 12, 10), False),
        ("gpt-5-nano", date(2026, 12, 11), True),
        ("gpt-5-nano-2025-08-07", date(2026, 12, 11), True),
        ("gpt-6-luna", date(2030, 1, 1), False),
        ("azure/gpt-5-nano", date(2026, 12, 11), False),
    ],
)
def test_a_model_leaves_on_the_day_that_openai_has_named(name: str, day: date, *, gone: bool) -> None:
    """At OpenAI; another provider has days of its own."""
    assert retired(name, day) is gone
    assert RETIRES.keys() < FORMULAS.keys()
