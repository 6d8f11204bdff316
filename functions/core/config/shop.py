"""What tokens buy beside answers, and how many a user may give away: a part of `config/runtime`."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from functions.core.shared.records import Record


class Perk(StrEnum):
    """What is bought: photos that are submitted first for a day; or a day without a bonus that ends no streak."""

    PRIORITY_DAY = "priorityDay"
    STREAK_SAVER = "streakSaver"


_Price = Annotated[int, Field(ge=1, le=1_000)]


class ShopRules(Record):
    """The price of each perk in tokens; None, and it is not sold. A user keeps so many unused streak savers at most. To
    others of their teams a user gives so many tokens a UTC day; 0, and nobody does."""

    priority_day: _Price | None = None
    streak_saver: _Price | None = None
    streak_savers_max: Annotated[int, Field(ge=1, le=10)] = 2
    gift_tokens_per_day: Annotated[int, Field(ge=0, le=10_000)] = 50

    def price(self, perk: Perk) -> int | None:
        """Return the price of a perk, None if it is not sold."""
        return self.priority_day if perk is Perk.PRIORITY_DAY else self.streak_saver
