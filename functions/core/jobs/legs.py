"""The providers that one instant call asked, one after the other, and what came of each."""

from enum import StrEnum

from pydantic import Field

from functions.core.budget.holds import Hold
from functions.core.shared.records import Open, Record


class Came(StrEnum):
    """What came of asking one provider."""

    ANSWERED = "answered"
    """An answer, useful or not, or a refusal for the photo's sake."""
    DOWN = "down"
    """Nothing, and nothing is billed."""
    DOUBTFUL = "doubtful"
    """Nothing that says what it cost, and it may be billed: the most is booked."""


class Tried(Record):
    """One of the models that an instant call asked, by its name of `core.shared.providers`, and what is booked for it
    in micro-dollars."""

    model: str
    came: Open[Came]
    micros: int = Field(default=0, ge=0)


def at_most(hold: Hold) -> tuple[Tried, ...]:
    """Return what may have been asked under a hold, each at its most."""
    second = hold.second.micros if hold.second else 0
    first = Tried(model=hold.model, came=Came.DOUBTFUL, micros=hold.micros - second)
    if hold.second is None:
        return (first,)
    return first, Tried(model=hold.second.model, came=Came.DOUBTFUL, micros=hold.second.micros)
