"""Token prices from the maintained, dated genai-prices library, for each lane.

The library has the batch prices of a model as a variant of its standard ones. Asked for a variant that a model has not,
or not on that day, it answers with the standard price and says nothing: that is refused here. A batch price is not half
of everything either: OpenAI reads cached input of gpt-4o, gpt-4.1, o1, o3 and o4-mini at the standard price.
"""

from datetime import datetime
from decimal import Decimal

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelPrice as ListedPrice
from genai_prices.types import TieredPrices

from functions.core.model.image_tokens import UnknownImageTokensError, formula_of
from functions.core.model.providers import split
from functions.core.model.usage import ModelPrice, UnknownPriceError

DOLLARS_PER_MTOK_MAX = Decimal(1_000)
"""No model costs more; a price beyond this is a slip in the table, and the safe side is to refuse it."""


def model_price(model: str, at: datetime, *, batch: bool) -> ModelPrice:
    """Return what a token of this model, by its name of `core.model.providers`, costs at this time in one lane, never
    free. Raises UnknownPriceError if the library lacks the model or its batch price, a price is missing or out of
    range, or its tokens per image are unknown."""
    provider, known_as = split(model)
    try:
        formula_of(model)
        _, info = get_snapshot().find_provider_model(known_as, None, provider, None)
    except UnknownImageTokensError as error:
        raise UnknownPriceError(str(error)) from error
    except LookupError as error:
        raise UnknownPriceError(_no_price(model, "price")) from error
    prices = _checked(model, info.get_prices(at))
    if not batch:
        return prices
    in_batch = _checked(model, info.get_prices(at, {"processing": "batch"}))
    if in_batch.input >= prices.input or in_batch.output >= prices.output:
        raise UnknownPriceError(_no_price(model, f"batch price on {at:%Y-%m-%d}"))
    return in_batch


def _no_price(model: str, what: str) -> str:
    provider, known_as = split(model)
    return f"the model {known_as!r} has no known {what}; set {provider.upper()}_MODEL to one that has"


def _checked(model: str, listed: ListedPrice) -> ModelPrice:
    full, output = _base(listed.input_mtok), _base(listed.output_mtok)
    price = ModelPrice(
        input=full,
        cached=_base(listed.cache_read_mtok) or full,
        cache_write=_base(listed.cache_write_mtok) or full,
        output=output,
    )
    if not all(0 < each <= DOLLARS_PER_MTOK_MAX for each in (full, price.cached, price.cache_write, output)):
        raise UnknownPriceError(f"the prices of {model!r} are missing or out of range: {price}")
    return price


def _base(price: Decimal | TieredPrices | None) -> Decimal:
    """Return the price of the first tier, 0 for none: tiers begin at 100,000 tokens, and one photo never leaves the
    first."""
    return (price.base if isinstance(price, TieredPrices) else price) or Decimal(0)
