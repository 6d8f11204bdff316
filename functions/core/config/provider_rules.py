"""Who is asked about photos, in which order, and who may see them."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from functions.core.shared.locales import Region
from functions.core.shared.providers import Provider
from functions.core.shared.records import Record

Asked = Literal[Provider.OPENAI, Provider.ANTHROPIC, Provider.AZURE]
"""Whom this release can ask at once."""

AskedInBatches = Literal[Provider.OPENAI, Provider.ANTHROPIC]
"""Whom this release can give batches."""


class ProviderRules(Record):
    """Who answers in the instant lane: the second of the `order` if the first fails, for whatever reason but the photo.
    The first then has `first_seconds`, but no more than half of the lane's time. `batch_order` is who gets the batches:
    the second while the first takes none. `anthropic_regions` and `azure_regions` are those whose photos each may see,
    None for all.
    """

    order: Annotated[tuple[Asked, ...], Field(min_length=1, max_length=2)] = (Provider.OPENAI,)
    batch_order: Annotated[tuple[AskedInBatches, ...], Field(min_length=1, max_length=2)] = (Provider.OPENAI,)
    first_seconds: Annotated[float, Field(ge=1, le=25)] = 12
    anthropic_regions: Annotated[tuple[Region, ...], Field(max_length=250)] | None = None
    azure_regions: Annotated[tuple[Region, ...], Field(max_length=250)] | None = None

    def may_see(self, provider: Provider, region: str) -> bool:
        """Whether a provider may see photos from a region, in whatever capitals."""
        known = self.regions_of(provider)
        return known is None or region.casefold() in {each.casefold() for each in known}

    def regions_of(self, provider: Provider) -> tuple[str, ...] | None:
        """Return the regions whose photos a provider may see, None for all."""
        return {Provider.ANTHROPIC: self.anthropic_regions, Provider.AZURE: self.azure_regions}.get(provider)

    @model_validator(mode="after")
    def _each_once(self) -> "ProviderRules":
        for name, order in (("order", self.order), ("batchOrder", self.batch_order)):
            if len(set(order)) < len(order):
                raise ValueError(f"{name} names a provider twice: who failed a moment ago is no second one")
        return self
