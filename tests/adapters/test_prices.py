"""Prices come from the maintained table, and a model without one stops the work instead of working for nothing."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from genai_prices.types import ModelPrice as TablePrice
from genai_prices.types import Tier, TieredPrices

from functions.adapters import prices
from functions.adapters.prices import model_price
from functions.core.model.image_tokens import FORMULAS
from functions.core.model.usage import ModelPrice, UnknownPriceError
from tests.builders import NOW


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("model", ["gpt-99-imaginary", "", "claude-sonnet-4", "../gpt-4o"])
def test_an_unknown_model_is_an_error_that_says_what_to_do(model: str, *, batch: bool) -> None:
    """Never free: the message names the model and the setting to change."""
    with pytest.raises(UnknownPriceError, match="OPENAI_MODEL"):
        model_price(model, NOW, batch=batch)


def table(monkeypatch: pytest.MonkeyPatch, in_batch: dict[str, Decimal] | None = None, **listed: Any) -> None:
    """Let the price table list these prices for every model, with others `in_batch`."""

    def get_prices(_: object, context: object = None) -> TablePrice:
        return TablePrice(**(listed | (in_batch or {} if context else {})))

    info = SimpleNamespace(get_prices=get_prices)
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
        {"input_mtok": Decimal(1), "output_mtok": Decimal(1), "cache_read_mtok": Decimal(-1)},
        {"input_mtok": Decimal(1), "output_mtok": Decimal(1), "cache_write_mtok": Decimal(1_001)},
    ],
    ids=str,
)
def test_a_price_that_is_missing_or_absurd_is_refused(monkeypatch: pytest.MonkeyPatch, listed: dict[str, Any]) -> None:
    """A slip in the table is an error, not a free or ruinous photo."""
    table(monkeypatch, **listed)
    with pytest.raises(UnknownPriceError, match="missing or out of range"):
        model_price("gpt-4o", NOW, batch=False)


def test_cached_tokens_without_a_price_of_their_own_cost_the_full_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the table does not say is booked at the safe side."""
    table(monkeypatch, input_mtok=Decimal(2), output_mtok=Decimal(8))
    price = model_price("gpt-4o", NOW, batch=False)
    assert (price.cached, price.cache_write) == (Decimal(2), Decimal(2))


def test_a_cached_price_of_nothing_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A zero where a price should stand counts as missing."""
    table(monkeypatch, input_mtok=Decimal(2), output_mtok=Decimal(8), cache_read_mtok=Decimal(0))
    assert model_price("gpt-4o", NOW, batch=False).cached == Decimal(2)


def test_of_tiered_prices_a_photo_pays_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiers begin at hundreds of thousands of tokens."""
    tiered = TieredPrices(base=Decimal(2), tiers=[Tier(start=200_000, price=Decimal(4))])
    table(monkeypatch, input_mtok=tiered, output_mtok=Decimal(8))
    assert model_price("gpt-4o", NOW, batch=False).input == Decimal(2)


# Dollars a million tokens on 21 November 2026, as on OpenAI's price page: input, input read from the cache, input
# written to it, output. One that has no price of its own in the table costs as much as plain input.
STANDARD = {
    "gpt-4o": "2.5 1.25 2.5 10",
    "gpt-4.1": "2 0.5 2 8",
    "gpt-4o-mini": "0.15 0.075 0.15 0.6",
    "gpt-5": "1.25 0.125 1.25 10",
    "o1": "15 7.5 15 60",
    "o3": "2 0.5 2 8",
    "gpt-4.1-mini": "0.4 0.1 0.4 1.6",
    "gpt-4.1-nano": "0.1 0.025 0.1 0.4",
    "gpt-5-mini": "0.25 0.025 0.25 2",
    "gpt-5-nano": "0.05 0.005 0.05 0.4",
    "o4-mini": "1.1 0.275 1.1 4.4",
    "gpt-5.4-mini": "0.75 0.075 0.75 4.5",
    "gpt-5.4-nano": "0.2 0.02 0.2 1.25",
    "gpt-5.6-luna": "0.2 0.02 0.25 1.2",
    "gpt-6-luna": "0.1 0.01 0.125 0.5",
}
BATCH = {
    "gpt-4o": "1.25 1.25 1.25 5",
    "gpt-4.1": "1 0.5 1 4",
    "gpt-4o-mini": "0.075 0.075 0.075 0.3",
    "gpt-5": "0.625 0.0625 0.625 5",
    "o1": "7.5 7.5 7.5 30",
    "o3": "1 0.5 1 4",
    "gpt-4.1-mini": "0.2 0.1 0.2 0.8",
    "gpt-4.1-nano": "0.05 0.025 0.05 0.2",
    "gpt-5-mini": "0.125 0.0125 0.125 1",
    "gpt-5-nano": "0.025 0.0025 0.025 0.2",
    "o4-mini": "0.55 0.275 0.55 2.2",
    "gpt-5.4-mini": "0.375 0.0375 0.375 2.25",
    "gpt-5.4-nano": "0.1 0.01 0.1 0.625",
    "gpt-5.6-luna": "0.1 0.01 0.125 0.6",
    "gpt-6-luna": "0.05 0.005 0.0625 0.25",
}


@pytest.mark.parametrize("batch", [False, True])
def test_an_update_of_the_table_that_changes_a_price_is_seen(*, batch: bool) -> None:
    """Every price that a deploy can pay stands here in figures: whoever updates the library reads what changes."""
    priced = {model: model_price(model, NOW, batch=batch) for model in FORMULAS}
    listed = BATCH if batch else STANDARD
    assert priced == {model: ModelPrice(*map(Decimal, figures.split())) for model, figures in listed.items()}


def test_a_batch_price_that_the_table_did_not_have_yet_is_refused_and_not_taken_from_the_standard_one() -> None:
    """The table begins with batch prices on 14 October 2026: for a day before, it silently gives the standard price."""
    begin = datetime(2026, 10, 14, tzinfo=UTC)
    assert model_price("gpt-6-luna", begin, batch=True).input == Decimal("0.05")
    before = begin - timedelta(seconds=1)
    assert model_price("gpt-6-luna", before, batch=False).input == Decimal("0.1")
    with pytest.raises(UnknownPriceError, match=r"'gpt-6-luna' has no known batch price on 2026-10-13"):
        model_price("gpt-6-luna", before, batch=True)


@pytest.mark.parametrize(
    "in_batch", [None, {"input_mtok": Decimal(1)}, {"output_mtok": Decimal(4)}], ids=["none", "input", "output"]
)
def test_a_model_without_a_whole_batch_price_is_refused(
    monkeypatch: pytest.MonkeyPatch, in_batch: dict[str, Decimal] | None
) -> None:
    """A missing variant, or half of one, would be booked at twice the bill."""
    table(monkeypatch, in_batch, input_mtok=Decimal(2), output_mtok=Decimal(8))
    assert model_price("gpt-4o", NOW, batch=False).input == Decimal(2)
    with pytest.raises(UnknownPriceError, match="no known batch price"):
        model_price("gpt-4o", NOW, batch=True)


def test_a_providers_model_has_that_providers_price() -> None:
    """claude-haiku-5-5 by hand, in both lanes, and at no other provider; written to the cache it costs more."""
    instant = ModelPrice(Decimal("0.1"), Decimal("0.01"), Decimal("0.125"), Decimal("0.5"))
    batch = ModelPrice(Decimal("0.05"), Decimal("0.005"), Decimal("0.0625"), Decimal("0.25"))
    assert model_price("anthropic/claude-haiku-5-5", NOW, batch=False) == instant
    assert model_price("anthropic/claude-haiku-5-5", NOW, batch=True) == batch
    with pytest.raises(UnknownPriceError, match="set ANTHROPIC_MODEL"):
        model_price("anthropic/gpt-6-luna", NOW, batch=False)
