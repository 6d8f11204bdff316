"""A model's price as an operator knows it, from a day on: of a change that the price library has not yet, or of a
contract. Prices are dollars a million tokens, as on a provider's price page."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from functions.core.shared.lanes import Lane
from functions.core.shared.providers import Provider, named
from functions.core.shared.records import Record

USD_PER_MILLION_MIN, USD_PER_MILLION_MAX = Decimal("0.001"), Decimal(1_000)
"""No model costs less or more. A price a token, or of most models one a thousand tokens, is below the least."""

Usd = Annotated[Decimal, Field(ge=USD_PER_MILLION_MIN, le=USD_PER_MILLION_MAX, max_digits=10, decimal_places=6)]


class PriceOverride(Record):
    """A price from the UTC day `since` on, until the next one of the same model and lane. It is what is paid, wherever
    the model runs. Without a price of their own, tokens of the provider's cache cost as much as other input, or what is
    listed if that is more. Below the listed price it counts only as `cheaper`: a slip would let more be spent than
    allowed."""

    provider: Provider
    model: Annotated[str, Field(min_length=1, max_length=64)]
    lane: Lane
    since: date
    input_usd_per_million: Usd
    cached_usd_per_million: Usd | None = None
    cache_write_usd_per_million: Usd | None = None
    output_usd_per_million: Usd
    cheaper: bool = False

    @property
    def name(self) -> str:
        """Return the name by which the model goes."""
        return named(self.provider, self.model)


def override_at(overrides: tuple[PriceOverride, ...], name: str, lane: Lane, day: date) -> PriceOverride | None:
    """Return the price that an operator has named for a model, by its name of `core.shared.providers`, on a day: the
    latest that has begun. None if there is none."""
    of_model = (each for each in overrides if (each.name, each.lane) == (name, lane))
    return max((each for each in of_model if each.since <= day), key=lambda each: each.since, default=None)
