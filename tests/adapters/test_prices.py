"""Prices come from the maintained table, and a model without one stops the work instead of working for nothing."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from genai_prices.types import ModelPrice as TablePrice
from genai_prices.types import Tier, TieredPrices

from functions.adapters import prices
from functions.adapters.prices import model_price
from functions.core.model.usage import UnknownPriceError
from tests.builders import NOW


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
