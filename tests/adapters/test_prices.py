"""Prices come from the maintained table, and a model without one stops the work instead of working for nothing."""

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from genai_prices.types import ModelPrice as TablePrice
from genai_prices.types import Tier, TieredPrices

from functions.adapters import prices
from functions.adapters.prices import model_price
from functions.core.model.usage import UnknownPriceError, Usage, cost_micros
from functions.deploy import params
from tests.builders import NOW

DEFAULT_MODEL = str(params.OPENAI_MODEL.default)


@pytest.mark.parametrize(
    ("model", "input_price", "cached", "output"),
    [
        ("gpt-4o-mini", "0.15", "0.075", "0.60"),
        ("gpt-4o", "2.50", "1.25", "10"),
        ("gpt-4.1-nano", "0.10", "0.025", "0.40"),
    ],
)
def test_a_known_model_has_its_published_price(model: str, input_price: str, cached: str, output: str) -> None:
    """Dollars a million tokens, as on OpenAI's price page."""
    price = model_price(model, NOW)
    assert (price.input, price.cached, price.output) == (Decimal(input_price), Decimal(cached), Decimal(output))


def test_the_default_model_has_a_price() -> None:
    """A deploy without changes never meets an unknown price."""
    price = model_price(DEFAULT_MODEL, NOW)
    assert 0 < price.cached <= price.input < price.output


def test_a_photo_with_the_default_model_costs_a_fraction_of_a_cent() -> None:
    """About 1,500 tokens in and 250 out stay below a tenth of a cent each, half of it in a batch."""
    price, usage = model_price(DEFAULT_MODEL, NOW), Usage(input_tokens=1_500, output_tokens=250)
    instant = cost_micros(usage, price, batch=False)
    assert 0 < instant < 10_000
    assert cost_micros(usage, price, batch=True) == pytest.approx(instant / 2, abs=1)


@pytest.mark.parametrize("model", ["gpt-99-imaginary", "", "claude-sonnet-4", "../gpt-4o"])
def test_an_unknown_model_is_an_error_that_says_what_to_do(model: str) -> None:
    """Never free: the message names the model and the setting to change."""
    with pytest.raises(UnknownPriceError, match="OPENAI_MODEL"):
        model_price(model, NOW)


def table(monkeypatch: pytest.MonkeyPatch, **listed: Any) -> None:
    """Let the price table list these prices for every model."""
    info = SimpleNamespace(get_prices=lambda _: TablePrice(**listed))
    monkeypatch.setattr(prices, "get_snapshot", lambda: SimpleNamespace(find_provider_model=lambda *_: (None, info)))


@pytest.mark.parametrize(
    "listed",
    [
        {},
        {"input_mtok": Decimal(1)},
        {"output_mtok": Decimal(1)},
        {"input_mtok": Decimal(0), "output_mtok": Decimal(1)},
        {"input_mtok": Decimal(1), "output_mtok": Decimal(0)},
        {"input_mtok": Decimal(-1), "output_mtok": Decimal(1)},
        {"input_mtok": Decimal(1_001), "output_mtok": Decimal(1)},
        {"input_mtok": Decimal(1), "output_mtok": Decimal(1_001)},
    ],
    ids=str,
)
def test_a_price_that_is_missing_or_absurd_is_refused(monkeypatch: pytest.MonkeyPatch, listed: dict[str, Any]) -> None:
    """A slip in the table is an error, not a free or ruinous photo."""
    table(monkeypatch, **listed)
    with pytest.raises(UnknownPriceError, match="missing or out of range"):
        model_price("gpt-4o", NOW)


def test_cached_tokens_without_a_price_of_their_own_cost_the_full_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the table does not say is booked at the safe side."""
    table(monkeypatch, input_mtok=Decimal(2), output_mtok=Decimal(8))
    price = model_price("gpt-4o", NOW)
    assert (price.cached, price.cache_write) == (Decimal(2), Decimal(2))


def test_a_cached_price_of_nothing_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A zero where a price should stand counts as missing."""
    table(monkeypatch, input_mtok=Decimal(2), output_mtok=Decimal(8), cache_read_mtok=Decimal(0))
    assert model_price("gpt-4o", NOW).cached == Decimal(2)


def test_of_tiered_prices_a_photo_pays_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiers begin at hundreds of thousands of tokens."""
    tiered = TieredPrices(base=Decimal(2), tiers=[Tier(start=200_000, price=Decimal(4))])
    table(monkeypatch, input_mtok=tiered, output_mtok=Decimal(8))
    assert model_price("gpt-4o", NOW).input == Decimal(2)


def test_the_price_is_that_of_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prices are dated: the table is asked for the time of the answer."""
    asked: list[datetime] = []

    def get_prices(moment: datetime) -> TablePrice:
        asked.append(moment)
        return TablePrice(input_mtok=Decimal(1), output_mtok=Decimal(2))

    info = SimpleNamespace(get_prices=get_prices)
    monkeypatch.setattr(prices, "get_snapshot", lambda: SimpleNamespace(find_provider_model=lambda *_: (None, info)))
    model_price("gpt-4o", datetime(2030, 1, 1, tzinfo=UTC))
    assert asked == [datetime(2030, 1, 1, tzinfo=UTC)]
