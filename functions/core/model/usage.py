"""What a provider's answer cost: integer micro-dollars from the tokens it reports."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from pydantic import Field

from functions.core.shared.records import Record

TOKENS_MAX = 10_000_000
"""Far above any model's context: a report beyond this is absurd, and is taken for none."""


class UnknownPriceError(Exception):
    """The model has no price that we can rest a bill on."""


class Usage(Record):
    """Tokens of one answer as billed; `input_tokens` contains the cached and the cache-writing ones."""

    input_tokens: int = Field(ge=0, le=TOKENS_MAX)
    cached_tokens: int = Field(default=0, ge=0)
    cache_write_tokens: int = Field(default=0, ge=0)
    output_tokens: int = Field(ge=0, le=TOKENS_MAX)


@dataclass(frozen=True)
class ModelPrice:
    """Micro-dollars a token in one lane of one model, which is the same number as dollars a million tokens. `longer`
    has the prices of whole requests with more input tokens than so many, fewest first."""

    input: Decimal
    cached: Decimal
    cache_write: Decimal
    output: Decimal
    longer: "tuple[tuple[int, ModelPrice], ...]" = ()

    def of_input(self, tokens: int) -> "ModelPrice":
        """Return the price of a request with so many input tokens, those of its cache included."""
        return next((price for more_than, price in reversed(self.longer) if tokens > more_than), self)


def cost_micros(usage: Usage, price: ModelPrice) -> int:
    """Return the cost of one answer in micro-dollars, rounded half up."""
    rate = price.of_input(usage.input_tokens)
    plain = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
    full = (
        plain * rate.input
        + usage.cached_tokens * rate.cached
        + usage.cache_write_tokens * rate.cache_write
        + usage.output_tokens * rate.output
    )
    return int(full.quantize(Decimal(1), ROUND_HALF_UP))
