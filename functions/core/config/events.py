"""What operators say of the days to come: which of them bring more or less than a forecast can know, and which
recommendations may apply themselves."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, model_validator

from functions.core.shared.records import Record


class Event(Record):
    """Days from `since` to `until` that bring so many percent of their usual photos: a campaign, a holiday."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    since: date
    until: date
    percent: Annotated[int, Field(ge=10, le=1_000)]

    @model_validator(mode="after")
    def _ends(self) -> "Event":
        if self.until < self.since:
            raise ValueError("an event ends before it begins")
        return self


class Automatic(Record):
    """The `kinds` of recommendation that apply themselves, one at a time, each if it is expected to save at most so
    many percent of the cost: what would change more is left to people. See `core.insights.automatic`."""

    kinds: Annotated[
        tuple[Literal["attempts", "cache", "lane_share", "image_side", "answer_length", "model"], ...],
        Field(max_length=6),
    ] = ()
    percent_max: Annotated[int, Field(ge=1, le=50)] = 15


class AheadRules(Record):
    """The operators' calendar, and what may apply itself."""

    events: Annotated[tuple[Event, ...], Field(max_length=50)] = ()
    automatic: Automatic = Automatic()
