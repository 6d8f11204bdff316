"""Token prices from the maintained, dated genai-prices library. It knows no batch prices: that factor is ours."""

from datetime import datetime
from decimal import Decimal

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import TieredPrices

from functions.core.model.image_tokens import UnknownImageTokensError, formula_of
from functions.core.model.usage import ModelPrice, UnknownPriceError

DOLLARS_PER_MTOK_MAX = Decimal(1_000)
"""No model costs more; a price beyond this is a slip in the table, and the safe side is to refuse it."""


def model_price(model: str, now: datetime) -> ModelPrice:
    """Return what a token of this OpenAI model costs at this time, never free. Raises UnknownPriceError if the library
    lacks the model, its price is missing or out of range, or its tokens per image are unknown."""
    try:
        formula_of(model)
        _, info = get_snapshot().find_provider_model(model, None, "openai", None)
    except UnknownImageTokensError as error:
        raise UnknownPriceError(str(error)) from error
    except LookupError as error:
        raise UnknownPriceError(f"the model {model!r} has no known price; set OPENAI_MODEL to one that has") from error
    prices = info.get_prices(now)
    paid = _base(prices.input_mtok), _base(prices.output_mtok)
    if any(price is None or not 0 < price <= DOLLARS_PER_MTOK_MAX for price in paid):
        raise UnknownPriceError(f"the prices of {model!r} are missing or out of range: {paid[0]} in, {paid[1]} out")
    full = paid[0] or Decimal(0)
    return ModelPrice(
        input=full,
        cached=_base(prices.cache_read_mtok) or full,
        cache_write=_base(prices.cache_write_mtok) or full,
        output=paid[1] or Decimal(0),
    )


def _base(price: Decimal | TieredPrices | None) -> Decimal | None:
    """Tiers begin at hundreds of thousands of tokens; one photo never leaves the first."""
    return price.base if isinstance(price, TieredPrices) else price
