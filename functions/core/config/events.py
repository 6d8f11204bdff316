"""The operators' calendar: days of which they know more than a forecast can."""

from datetime import date
from typing import Annotated

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


class AheadRules(Record):
    """What the forecast cannot know: the operators' calendar."""

    events: Annotated[tuple[Event, ...], Field(max_length=50)] = ()
