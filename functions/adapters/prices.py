"""Token prices from the maintained, dated genai-prices library, for each provider and lane; an operator's in their
place.

The library answers more than it knows, and says nothing of it:

    no batch price       Asked for a variant that a model has not, or not on that day, it gives the standard price. Half
                         of that would be wrong, too: OpenAI reads cached input of gpt-4o, gpt-4.1, o1, o3 and o4-mini
                         in batches at the standard price.
    names that are near  `claude-haiku-4-5-fast` begins like claude-haiku-4-5, `my-openai-proxy` contains openai.
    Azure                Models that it has not there get OpenAI's price, which `core.model.prices` admits if it was
                         compared.
    other units          It may list images or reasoning apart one day, or thousands in place of millions of tokens.

Each of these is refused.
"""

from datetime import UTC, datetime
from decimal import Decimal

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, TieredPrices
from genai_prices.types import ModelPrice as ListedPrice

from functions.core.config.price_overrides import (
    USD_PER_MILLION_MAX,
    USD_PER_MILLION_MIN,
    PriceOverride,
    override_at,
)
from functions.core.model.image_tokens import UnknownImageTokensError, formula_of, undated
from functions.core.model.prices import azure_terms, in_zone, priced
from functions.core.model.usage import ModelPrice, UnknownPriceError
from functions.core.shared.lanes import Lane
from functions.core.shared.providers import Provider, split

BILLED = frozenset({"input_mtok", "cache_read_mtok", "cache_write_mtok", "output_mtok"})

NEVER_BILLED = frozenset({"cache_write_1h_mtok", "web_searches_kcount", "storage_searches_kcount"})
"""What is listed beside them and never asked for. Anything else may be a part of our bill."""

OUTPUT_TIMES = (1, 20)
"""How many times an input token's price one of output costs: 4 to 8 for every model. Beyond, the units differ."""


def model_price(name: str, at: datetime, *, batch: bool, zone: str | None = None) -> ModelPrice:
    """Return what a token of a model, by its name of `core.shared.providers`, is listed at, at this time, in one lane
    and zone; never free.

    Raises:
        UnknownPriceError: the library lacks the model or its batch price, a price is missing or out of range, or its
            tokens per image are unknown.
    """
    _require_formula(name)
    provider, model = split(name)
    try:
        info = _info(provider, model)
    except LookupError as error:
        raise UnknownPriceError(_no_price(name, "price")) from error
    price = _checked(model, info.get_prices(at))
    if batch:
        price = _batch_price(name, info, price, at)
    return in_zone(price, provider, model, zone)


def price_in_force(
    overrides: tuple[PriceOverride, ...], name: str, at: datetime, *, batch: bool, zone: str | None = None
) -> ModelPrice:
    """Return what a token costs: as `model_price`, or as an operator has named it. Raises UnknownPriceError if there is
    neither, or if the model's tokens per image are unknown."""
    _require_formula(name)
    override = override_at(overrides, name, Lane.BATCH if batch else Lane.INSTANT, at.astimezone(UTC).date())
    try:
        listed = model_price(name, at, batch=batch, zone=zone)
    except UnknownPriceError:
        if override is None:
            raise
        listed = None
    return priced(listed, override)


def _require_formula(name: str) -> None:
    try:
        formula_of(name)
    except UnknownImageTokensError as error:
        raise UnknownPriceError(str(error)) from error


def _no_price(name: str, what: str) -> str:
    provider, model = split(name)
    return f"the model {model!r} has no known {what} at {provider}; set {provider.upper()}_MODEL to one that has"


def _info(provider: Provider, model: str) -> ModelInfo:
    """Return what the library has under this name, and no other. Raises LookupError if it has nothing."""
    if provider is Provider.AZURE:
        azure_terms(model)
    found, info = get_snapshot().find_provider_model(model, None, provider.value, None)
    if found.id != provider or undated(info.id) != undated(model):
        raise LookupError(model)
    return info


def _batch_price(name: str, info: ModelInfo, standard: ModelPrice, at: datetime) -> ModelPrice:
    provider, model = split(name)
    price = _checked(model, info.get_prices(at, {"processing": "batch"}))
    if provider is Provider.AZURE:
        terms = azure_terms(model)
        if not terms.batch:
            price = standard
        elif price == standard == model_price(model, at, batch=False):
            price = model_price(model, at, batch=True)  # Azure's own entries have no variants: OpenAI's are its own
        if not terms.batch_cached:
            price = ModelPrice(price.input, price.input, price.input, price.output)
    if price.input >= standard.input or price.output >= standard.output:
        raise UnknownPriceError(_no_price(name, f"batch price on {at:%Y-%m-%d}"))
    return price


def _checked(model: str, listed: ListedPrice) -> ModelPrice:
    """Return a price that can be billed by, with those of longer requests. Raises UnknownPriceError for one that is
    missing, out of range, or made of parts that we do not count."""
    given = {name: price for name, price in vars(listed).items() if price is not None}
    if strange := given.keys() - BILLED - NEVER_BILLED:
        raise UnknownPriceError(f"the price of {model!r} has parts that we do not count: {', '.join(sorted(strange))}")
    tiers = [price.tiers for name, price in given.items() if name in BILLED and isinstance(price, TieredPrices)]
    starts = sorted({tier.start for each in tiers for tier in each})
    base, *longer = [_rate(model, given, tokens) for tokens in (0, *(start + 1 for start in starts))]
    return ModelPrice(base.input, base.cached, base.cache_write, base.output, tuple(zip(starts, longer, strict=True)))


def _rate(model: str, given: dict[str, Decimal | TieredPrices], tokens: int) -> ModelPrice:
    amounts = {name: _of_tier(price, tokens) for name, price in given.items() if name in BILLED}
    full, output = amounts.get("input_mtok", Decimal(0)), amounts.get("output_mtok", Decimal(0))
    cached, written = amounts.get("cache_read_mtok") or full, amounts.get("cache_write_mtok") or full
    in_range = all(USD_PER_MILLION_MIN <= each <= USD_PER_MILLION_MAX for each in (full, cached, written, output))
    if not in_range or not OUTPUT_TIMES[0] * full <= output <= OUTPUT_TIMES[1] * full:
        raise UnknownPriceError(f"the prices of {model!r} are missing or out of range: {amounts}")
    return ModelPrice(input=full, cached=cached, cache_write=written, output=output)


def _of_tier(price: Decimal | TieredPrices, tokens: int) -> Decimal:
    """Return the price in a request of so many input tokens, which has one tier as a whole."""
    if not isinstance(price, TieredPrices):
        return price
    return next((tier.price for tier in reversed(price.tiers) if tokens > tier.start), price.base)
