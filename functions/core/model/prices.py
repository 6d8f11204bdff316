"""What the price library does not say of a model's price: where it runs, what an operator has named, when it leaves.

    zone     the provider's region that a deploy has chosen, as `eu`; None for wherever there is room
    lane     a batch has a price of its own, and not every model has one

OpenAI's models at Azure cost what they cost at OpenAI only where `AZURE` says so: gpt-5.6-luna was five times as
expensive there for two months, after OpenAI had lowered its price.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from functions.core.config.price_overrides import PriceOverride
from functions.core.model.image_tokens import undated
from functions.core.model.usage import ModelPrice, UnknownPriceError
from functions.core.shared.errors import InvalidRequest
from functions.core.shared.providers import Provider

FLAT_AT_OPENAI = frozenset(
    {
        *("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano"),
        *("gpt-5", "gpt-5-mini", "gpt-5-nano", "o1", "o3", "o4-mini"),
    }
)
"""Models from before 5 March 2026, which cost the same at an address of a region; later ones cost 10 % more.
https://developers.openai.com/api/docs/guides/data-residency"""

OPENAI_REGION_PERCENT = 110

ANTHROPIC_PERCENT: Mapping[str, Mapping[str, int]] = {"claude-haiku-5-5": {"us": 110}}
"""By `inference_geo`. Models before Opus 4.6 refuse the field; there is none for the EU.
https://platform.claude.com/docs/en/manage-claude/data-residency"""


@dataclass(frozen=True)
class AzureTerms:
    """How a model's price at Azure follows from OpenAI's. `percent` by data zone; APAC's differ by country, and want a
    price of an operator's. `batch`: whether there are meters for batches, and `batch_cached` one for cached input in
    them, which else costs as much as other input. Meters of a zone are rounded to so many `decimals`."""

    percent: Mapping[str, int] = field(default_factory=lambda: {"us": 110, "eu": 110})
    batch: bool = True
    batch_cached: bool = True
    decimals: int = 6


_EARLY = AzureTerms(batch_cached=False, decimals=3)

AZURE: Mapping[str, AzureTerms] = {
    **dict.fromkeys(
        ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano", "o1", "o3", "o4-mini"), _EARLY
    ),
    **dict.fromkeys(("gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-5.4-mini", "gpt-5.4-nano"), AzureTerms()),
    "gpt-5.6-luna": AzureTerms(batch=False),
    "gpt-6-luna": AzureTerms(percent={"us": 110, "eu": 120}, batch=False),
}
"""Compared with https://prices.azure.com/api/retail/prices as of 11 August 2026, meter by meter. Of gpt-6-luna with
Microsoft's announcement (azure.microsoft.com/blog, "GPT-6 Astra, Sol and Luna for production agents in Microsoft
Foundry"); of gpt-5.6-luna with the price from 3 October 2026 on."""

RETIRES: Mapping[str, date] = {
    **dict.fromkeys(("o1", "o4-mini", "gpt-4.1-nano"), date(2026, 10, 23)),
    **dict.fromkeys(("gpt-5", "gpt-5-mini", "gpt-5-nano", "o3"), date(2026, 12, 11)),
    **dict.fromkeys(("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini"), date(2027, 1, 14)),
    "gpt-5.4-nano": date(2027, 4, 1),
}
"""The day on which OpenAI stops a model. Its price stays: batches under way are settled by it.
https://developers.openai.com/api/docs/deprecations"""


def retired(name: str, day: date) -> bool:
    """Whether a model, by its name of `core.shared.providers`, is known to have stopped by this day."""
    return day >= RETIRES.get(undated(name), date.max)


def azure_terms(model: str) -> AzureTerms:
    """Return a model's terms at Azure. Raises UnknownPriceError for one whose price there was never compared."""
    terms = AZURE.get(undated(model))
    if terms is None:
        raise UnknownPriceError(f"what {model!r} costs at Azure is not known; name its price in model.prices")
    return terms


def in_zone(price: ModelPrice, provider: Provider, model: str, zone: str | None) -> ModelPrice:
    """Return a model's price in a zone. Raises UnknownPriceError if nobody knows what it adds there."""
    if zone is None:
        return price
    name, decimals = undated(model), 6
    if provider is Provider.OPENAI:
        percent = 100 if name in FLAT_AT_OPENAI else OPENAI_REGION_PERCENT
    elif provider is Provider.AZURE:
        terms = azure_terms(model)
        percent, decimals = terms.percent.get(zone, 0), terms.decimals
    else:
        percent = ANTHROPIC_PERCENT.get(name, {}).get(zone, 0)
    if not percent:
        raise UnknownPriceError(f"what {model!r} costs at {provider} in the zone {zone!r} is not known")
    return _raised(price, percent, Decimal(1).scaleb(-decimals)) if percent != 100 else price


def priced(listed: ModelPrice | None, override: PriceOverride | None) -> ModelPrice:
    """Return the price that holds: of each kind of token the higher one, unless the override is `cheaper`. Raises
    UnknownPriceError if there is neither."""
    if override is None:
        if listed is None:
            raise UnknownPriceError("there is no price")
        return listed
    named = _of(override)
    return named if listed is None or override.cheaper else dearest(listed, named)


def dearest(one: ModelPrice, other: ModelPrice) -> ModelPrice:
    """Return the higher of two prices, kind by kind and length by length."""
    lengths = sorted({tokens for price in (one, other) for tokens, _ in price.longer})
    longer = [(tokens, _higher(one.of_input(tokens + 1), other.of_input(tokens + 1))) for tokens in lengths]
    return replace(_higher(one, other), longer=tuple(longer))


BEGINS_DAYS = (-31, 366)
"""From how many days back until how many ahead a new price may begin: a slip in the year is outside."""


def require_sound(override: PriceOverride, listed: ModelPrice | None, today: date) -> None:
    """Check a price that an operator names anew against the one that is `listed` for its first day, None if there is
    none. Raises InvalidRequest for one that would not hold."""
    what = f"model.prices: {override.provider}'s {override.model}, {override.lane}, from {override.since}"
    earliest, latest = (today + timedelta(days) for days in BEGINS_DAYS)
    if not earliest <= override.since <= latest:
        raise InvalidRequest(f"{what}: it must begin from {earliest} to {latest}.", field="model.prices")
    if listed is not None and not override.cheaper and _is_lower(override, listed):
        raise InvalidRequest(
            f"{what}: below the listed {listed.input} in, {listed.cached} cached, {listed.cache_write} written to the "
            f"cache and {listed.output} out, so it would not hold. Add cheaper: true if that is what you pay.",
            field="model.prices",
        )


def _is_lower(override: PriceOverride, listed: ModelPrice) -> bool:
    """Whether an operator has named a price below the listed one, for whichever kind of token."""
    pairs = (
        (override.input_usd_per_million, listed.input),
        (override.cached_usd_per_million, listed.cached),
        (override.cache_write_usd_per_million, listed.cache_write),
        (override.output_usd_per_million, listed.output),
    )
    return any(named is not None and named < usd for named, usd in pairs)


def _of(override: PriceOverride) -> ModelPrice:
    plain = override.input_usd_per_million
    return ModelPrice(
        input=plain,
        cached=override.cached_usd_per_million or plain,
        cache_write=override.cache_write_usd_per_million or plain,
        output=override.output_usd_per_million,
    )


def _higher(a: ModelPrice, b: ModelPrice) -> ModelPrice:
    return ModelPrice(
        input=max(a.input, b.input),
        cached=max(a.cached, b.cached),
        cache_write=max(a.cache_write, b.cache_write),
        output=max(a.output, b.output),
    )


def _raised(price: ModelPrice, percent: int, last: Decimal) -> ModelPrice:
    def raised(amount: Decimal) -> Decimal:
        return (amount * percent / 100).quantize(last, ROUND_HALF_UP)

    return ModelPrice(
        input=raised(price.input),
        cached=raised(price.cached),
        cache_write=raised(price.cache_write),
        output=raised(price.output),
        longer=tuple((tokens, _raised(each, percent, last)) for tokens, each in price.longer),
    )
