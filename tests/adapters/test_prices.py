"""Prices come from the maintained table, and a model without one stops the work instead of working for nothing."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelPrice as TablePrice
from genai_prices.types import Tier, TieredPrices

from functions.adapters import prices
from functions.adapters.prices import model_price, price_in_force
from functions.core.config.price_overrides import PriceOverride
from functions.core.model.image_tokens import FORMULAS
from functions.core.model.usage import ModelPrice, UnknownPriceError
from functions.core.shared.lanes import Lane
from functions.core.shared.providers import Provider, named
from tests.builders import NOW

D = Decimal
OPENAI, AZURE, ANTHROPIC = Provider.OPENAI, Provider.AZURE, Provider.ANTHROPIC
HAIKU = "claude-haiku-5-5"


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("model", ["gpt-99-imaginary", "", "claude-sonnet-4", "../gpt-4o"])
def test_an_unknown_model_is_an_error_that_names_it(model: str, *, batch: bool) -> None:
    """Never free."""
    with pytest.raises(UnknownPriceError, match=repr(model)):
        model_price(named(OPENAI, model), NOW, batch=batch)


def table(monkeypatch: pytest.MonkeyPatch, in_batch: dict[str, Any] | None = None, **listed: Any) -> None:
    """Let the price table list these prices for gpt-4o, with others `in_batch`."""

    def get_prices(_: object, context: object = None) -> TablePrice:
        return TablePrice(**(listed | (in_batch or {} if context else {})))

    found = SimpleNamespace(id="openai"), SimpleNamespace(id="gpt-4o", get_prices=get_prices)
    monkeypatch.setattr(prices, "get_snapshot", lambda: SimpleNamespace(find_provider_model=lambda *_: found))


def gpt_4o(*, batch: bool = False) -> ModelPrice:
    """Return the price under test."""
    return model_price(named(OPENAI, "gpt-4o"), NOW, batch=batch)


@pytest.mark.parametrize(
    "listed",
    [
        {},
        {"input_mtok": D(1)},
        {"output_mtok": D(1)},
        {"input_mtok": D(0), "output_mtok": D(1)},
        {"input_mtok": D(1), "output_mtok": D(0)},
        {"input_mtok": D(-1), "output_mtok": D(1)},
        {"input_mtok": D(1_001), "output_mtok": D(1_001)},
        {"input_mtok": D(1_000), "output_mtok": D(1_001)},
        {"input_mtok": D(1), "output_mtok": D(1), "cache_read_mtok": D(-1)},
        {"input_mtok": D(1), "output_mtok": D(1), "cache_write_mtok": D(1_001)},
    ],
    ids=str,
)
def test_a_price_that_is_missing_or_absurd_is_refused(monkeypatch: pytest.MonkeyPatch, listed: dict[str, Any]) -> None:
    """A slip in the table is an error, not a free or ruinous photo."""
    table(monkeypatch, **listed)
    with pytest.raises(UnknownPriceError, match="missing or out of range"):
        gpt_4o()


@pytest.mark.parametrize(
    "listed",
    [
        {"input_mtok": D("0.0000025"), "output_mtok": D("0.00001")},
        {"input_mtok": D("0.0001"), "output_mtok": D("0.0005")},
        {"input_mtok": D("0.0025"), "output_mtok": D(10)},
        {"input_mtok": D("2.5"), "output_mtok": D("0.01")},
    ],
    ids=["a token", "a thousand tokens", "input a thousand", "output a thousand"],
)
def test_a_price_in_another_unit_is_refused(monkeypatch: pytest.MonkeyPatch, listed: dict[str, Any]) -> None:
    """Dollars a token or a thousand tokens, of both or of one: it would be booked at a thousandth of the bill."""
    table(monkeypatch, **listed)
    with pytest.raises(UnknownPriceError, match="missing or out of range"):
        gpt_4o()


@pytest.mark.parametrize(
    "part", ["input_image_mtok", "output_reasoning_mtok", "requests_kcount", "cache_write_5m_mtok"]
)
def test_a_part_of_a_price_that_nobody_counts_is_refused(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """A photo's tokens with a price of their own, say: booked as text, they would be booked wrongly."""
    listed: dict[str, Any] = {"input_mtok": D(2), "output_mtok": D(8), part: D(4)}
    table(monkeypatch, **listed)
    with pytest.raises(UnknownPriceError, match=part):
        gpt_4o()


def test_what_is_never_asked_for_is_no_part_of_the_price(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches, and a cache for an hour."""
    table(monkeypatch, input_mtok=D(2), output_mtok=D(8), cache_write_1h_mtok=D(4), web_searches_kcount=D(10))
    assert gpt_4o() == ModelPrice(D(2), D(2), D(2), D(8))


def test_cached_tokens_without_a_price_of_their_own_cost_the_full_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the table does not say is booked at the safe side."""
    table(monkeypatch, input_mtok=D(2), output_mtok=D(8))
    assert (gpt_4o().cached, gpt_4o().cache_write) == (D(2), D(2))


def test_a_cached_price_of_nothing_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A zero where a price should stand counts as missing."""
    table(monkeypatch, input_mtok=D(2), output_mtok=D(8), cache_read_mtok=D(0))
    assert gpt_4o().cached == D(2)


def test_a_long_request_pays_its_tier_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its input tokens, more than a tier's start; a price without tiers stays the same in all of them."""
    input_price = TieredPrices(base=D(2), tiers=[Tier(start=200_000, price=D(4)), Tier(start=500_000, price=D(6))])
    output_price = TieredPrices(base=D(8), tiers=[Tier(start=200_000, price=D(12))])
    table(monkeypatch, input_mtok=input_price, output_mtok=output_price, cache_read_mtok=D("0.2"))
    price = gpt_4o()
    rates = [(rate.input, rate.cached, rate.output) for rate in map(price.of_input, (0, 200_000, 200_001, 500_001))]
    assert rates == [(D(2), D("0.2"), D(8)), (D(2), D("0.2"), D(8)), (D(4), D("0.2"), D(12)), (D(6), D("0.2"), D(12))]


def test_the_tiers_of_the_default_models_are_the_providers() -> None:
    """Above 272,000 tokens of input gpt-6-luna costs twice as much, 1.5 times for output; above 100,000 Haiku 5.5 costs
    five times as much."""
    luna, haiku = (
        model_price(named(OPENAI, "gpt-6-luna"), NOW, batch=True),
        model_price(named(ANTHROPIC, HAIKU), NOW, batch=False),
    )
    assert luna.longer == ((272_000, ModelPrice(D("0.1"), D("0.01"), D("0.125"), D("0.375"))),)
    assert haiku.longer == ((100_000, ModelPrice(D("0.5"), D("0.05"), D("0.625"), D("2.5"))),)


# Dollars a million tokens on 21 November 2026, as on the providers' price pages: input, input read from the cache,
# input written to it, output. One that has no price of its own in the table costs as much as plain input.
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
CLAUDE = {
    "claude-haiku-5-5": "0.1 0.01 0.125 0.5",
}
CLAUDE_BATCH = {
    "claude-haiku-5-5": "0.05 0.005 0.0625 0.25",
}
# At Azure, deployments of the whole world cost what OpenAI asks. Older models have no meter for cached input of a
# batch: it costs as much as other input. gpt-5.6-luna and gpt-6-luna have no batches there.
AZURE_BATCH = BATCH | {
    "gpt-4.1": "1 1 1 4",
    "gpt-4.1-mini": "0.2 0.2 0.2 0.8",
    "gpt-4.1-nano": "0.05 0.05 0.05 0.2",
    "o1": "7.5 7.5 7.5 30",
    "o3": "1 1 1 4",
    "o4-mini": "0.55 0.55 0.55 2.2",
    "gpt-5.6-luna": "",
    "gpt-6-luna": "",
}


def figures(provider: Provider, model: str, *, batch: bool, zone: str | None = None) -> str:
    """Return a price as it stands in the lists above, empty if there is none."""
    try:
        price = model_price(named(provider, model), NOW, batch=batch, zone=zone)
    except UnknownPriceError:
        return ""
    return " ".join(f"{each.normalize():f}" for each in (price.input, price.cached, price.cache_write, price.output))


@pytest.mark.parametrize(
    ("provider", "standard", "in_batch"),
    [(OPENAI, STANDARD, BATCH), (AZURE, STANDARD, AZURE_BATCH), (ANTHROPIC, CLAUDE, CLAUDE_BATCH)],
    ids=["openai", "azure", "anthropic"],
)
def test_an_update_of_the_table_that_changes_a_price_is_seen(
    provider: Provider, standard: dict[str, str], in_batch: dict[str, str]
) -> None:
    """Every price that a deploy can pay stands here in figures: whoever updates the library reads what changes."""
    assert {model: figures(provider, model, batch=False) for model in standard} == standard
    assert {model: figures(provider, model, batch=True) for model in in_batch} == in_batch
    assert provider is ANTHROPIC or standard.keys() == in_batch.keys() == FORMULAS.keys()


@pytest.mark.parametrize(
    ("provider", "model", "zone", "standard", "in_batch"),
    [
        # OpenAI: 10 % more for models since 5 March 2026, in any region
        (OPENAI, "gpt-6-luna", "eu", "0.11 0.011 0.1375 0.55", "0.055 0.0055 0.06875 0.275"),
        (OPENAI, "gpt-5.4-mini", "jp", "0.825 0.0825 0.825 4.95", "0.4125 0.04125 0.4125 2.475"),
        (OPENAI, "gpt-4.1-mini", "eu", STANDARD["gpt-4.1-mini"], BATCH["gpt-4.1-mini"]),
        # Azure's data zones, by its own list: 10 % more, gpt-6-luna 20 % in the EU; older meters in whole 0.001 $
        (AZURE, "gpt-6-luna", "us", "0.11 0.011 0.1375 0.55", ""),
        (AZURE, "gpt-6-luna", "eu", "0.12 0.012 0.15 0.6", ""),
        (AZURE, "gpt-5.4-mini", "eu", "0.825 0.0825 0.825 4.95", "0.4125 0.04125 0.4125 2.475"),
        (AZURE, "gpt-4o-mini", "us", "0.165 0.083 0.165 0.66", "0.083 0.083 0.083 0.33"),
        (AZURE, "gpt-4.1-nano", "eu", "0.11 0.028 0.11 0.44", "0.055 0.055 0.055 0.22"),
        (AZURE, "gpt-5.4-mini", "apac", "", ""),
        # Anthropic: 10 % more for the US alone
        (ANTHROPIC, HAIKU, "us", "0.11 0.011 0.1375 0.55", "0.055 0.0055 0.06875 0.275"),
        (ANTHROPIC, HAIKU, "eu", "", ""),
    ],
    ids=str,
)
def test_a_region_costs_what_its_provider_adds(
    provider: Provider, model: str, zone: str, standard: str, in_batch: str
) -> None:
    """Not a tenth everywhere, and never guessed: where nobody knows, there is no price."""
    assert figures(provider, model, batch=False, zone=zone) == standard
    assert figures(provider, model, batch=True, zone=zone) == in_batch


def test_a_zone_raises_the_prices_of_long_requests_as_well() -> None:
    """A tenth of each."""
    (tier,) = model_price(named(OPENAI, "gpt-6-luna"), NOW, batch=False, zone="eu").longer
    assert tier == (272_000, ModelPrice(D("0.22"), D("0.022"), D("0.275"), D("0.825")))


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        (ANTHROPIC, "claude-haiku-4-5-fast"),
        (ANTHROPIC, "claude-haiku-5.5"),
        (OPENAI, HAIKU),
        (ANTHROPIC, "gpt-6-luna"),
        (AZURE, HAIKU),  # which the library has there, at Anthropic's price: nobody compared it
        (AZURE, "gpt-6-sol"),
        (AZURE, "my-deployment"),  # the name of a deployment is no model's
    ],
    ids=str,
)
@pytest.mark.parametrize("batch", [False, True])
def test_a_name_that_is_near_a_models_has_no_price(provider: Provider, model: str, *, batch: bool) -> None:
    """The library would find one for most of these."""
    with pytest.raises(UnknownPriceError):
        model_price(named(provider, model), NOW, batch=batch)


def test_a_provider_that_the_library_takes_for_another_has_no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its rules `azure-openai` is OpenAI: if a provider of ours left its table, another one's would be taken."""
    snapshot = get_snapshot()
    openai = snapshot.find_provider(None, "openai", None)
    _, luna = snapshot.find_provider_model("gpt-6-luna", None, "openai", None)
    mistaken = SimpleNamespace(find_provider_model=lambda *_: (openai, luna))
    monkeypatch.setattr(prices, "get_snapshot", lambda: mistaken)
    assert model_price("gpt-6-luna", NOW, batch=False).input == D("0.1")
    with pytest.raises(UnknownPriceError, match=r"'gpt-5\.6-luna' has no known price"):
        model_price("gpt-5.6-luna", NOW, batch=False)  # as the library takes claude-haiku-4-5-fast for claude-haiku-4-5
    with pytest.raises(UnknownPriceError, match="no known price at azure; set AZURE_MODEL"):
        model_price(named(AZURE, "gpt-6-luna"), NOW, batch=False)


@pytest.mark.parametrize(
    ("provider", "model"),
    [(OPENAI, "gpt-6-luna-2026-09-22"), (ANTHROPIC, f"{HAIKU}-20261007"), (AZURE, "o3-2025-04-16")],
)
def test_a_dated_snapshot_costs_what_its_model_costs(provider: Provider, model: str) -> None:
    """As OpenAI writes days, and as Anthropic does."""
    undated = model.replace("-2026-09-22", "").replace("-20261007", "").replace("-2025-04-16", "")
    assert figures(provider, model, batch=False) == figures(provider, undated, batch=False) != ""


def test_a_model_that_has_left_keeps_its_price() -> None:
    """Batches that are under way when it leaves are settled by it."""
    assert figures(OPENAI, "gpt-4.1-nano", batch=True) == BATCH["gpt-4.1-nano"]


def test_a_batch_price_that_the_table_did_not_have_yet_is_refused_and_not_taken_from_the_standard_one() -> None:
    """The table begins with batch prices on 14 October 2026: for a day before, it silently gives the standard price."""
    begin = datetime(2026, 10, 14, tzinfo=UTC)
    before = begin - timedelta(seconds=1)
    for provider, model in ((OPENAI, "gpt-6-luna"), (ANTHROPIC, HAIKU)):
        assert model_price(named(provider, model), begin, batch=True).input == D("0.05")
        assert model_price(named(provider, model), before, batch=False).input == D("0.1")
        with pytest.raises(UnknownPriceError, match=f"'{model}' has no known batch price on 2026-10-13"):
            model_price(named(provider, model), before, batch=True)


@pytest.mark.parametrize(
    "in_batch", [None, {"input_mtok": D(1)}, {"output_mtok": D(4)}], ids=["none", "input", "output"]
)
def test_a_model_without_a_whole_batch_price_is_refused(
    monkeypatch: pytest.MonkeyPatch, in_batch: dict[str, Decimal] | None
) -> None:
    """A missing variant, or half of one, would be booked at twice the bill."""
    table(monkeypatch, in_batch, input_mtok=D(2), output_mtok=D(8))
    assert gpt_4o().input == D(2)
    with pytest.raises(UnknownPriceError, match="no known batch price"):
        gpt_4o(batch=True)


def test_azures_batches_are_not_taken_from_openai_once_the_two_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's own entry for Azure has no batches: OpenAI's are its own only while their standard prices agree."""
    snapshot = get_snapshot()
    _, o3 = snapshot.find_provider_model("o3", None, "azure", None)
    assert figures(AZURE, "o3", batch=True) == AZURE_BATCH["o3"]
    monkeypatch.setattr(o3, "prices", TablePrice(input_mtok=D(3), output_mtok=D(8)))
    assert figures(AZURE, "o3", batch=False) == "3 3 3 8"
    assert figures(AZURE, "o3", batch=True) == ""


def told(since: date, **changes: Any) -> PriceOverride:
    """Return a price that an operator has named for gpt-6-luna."""
    whose: dict[str, Any] = {"provider": OPENAI, "model": "gpt-6-luna", "lane": Lane.INSTANT, "since": since}
    usd = {"input_usd_per_million": D("0.2"), "output_usd_per_million": D(1)}
    return PriceOverride(**whose | usd | changes)


def test_a_price_that_changes_at_a_day_holds_from_its_midnight_in_utc() -> None:
    """A second before it is the library's; a day is a day of UTC, wherever the caller's clock stands."""
    since = date(2026, 12, 1)
    before, begins = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    inputs = [
        price_in_force((told(since),), named(OPENAI, "gpt-6-luna"), at, batch=False).input for at in (before, begins)
    ]
    assert inputs == [D("0.1"), D("0.2")]
    in_batch = price_in_force((told(since),), named(OPENAI, "gpt-6-luna"), begins, batch=True)
    elsewhere = price_in_force((told(since),), named(AZURE, "gpt-6-luna"), begins, batch=False)
    assert (in_batch.input, elsewhere.input) == (D("0.05"), D("0.1"))


def test_an_operator_can_price_what_the_library_cannot() -> None:
    """A batch deployment at Azure, say; but no model whose photos nobody can count."""
    today = NOW.date()
    azure = told(today, provider=AZURE, lane=Lane.BATCH)
    assert price_in_force((azure,), named(AZURE, "gpt-6-luna"), NOW, batch=True, zone="apac").output == D(1)
    with pytest.raises(UnknownPriceError):
        price_in_force((azure,), named(AZURE, "gpt-6-luna"), NOW, batch=False, zone="apac")
    with pytest.raises(UnknownPriceError, match="what an image costs"):
        price_in_force((told(today, model="gpt-7"),), "gpt-7", NOW, batch=False)
