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
    """Micro-dollars a token in one lane of one model, which is the same number as dollars a million tokens."""

    input: Decimal
    cached: Decimal
    cache_write: Decimal
    output: Decimal


def cost_micros(usage: Usage, price: ModelPrice) -> int:
    """Return the cost of one answer in micro-dollars, rounded half up."""
    plain = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
    full = (
        plain * price.input
        + usage.cached_tokens * price.cached
        + usage.cache_write_tokens * price.cache_write
        + usage.output_tokens * price.output
    )
    return int(full.quantize(Decimal(1), ROUND_HALF_UP))
