"""Which hits are asked again, so that it is known how often they are wrong: the first hundred of a family and tier, ten
of each day, and one in twenty.

A hit that may be one says so. The guard chooses among these, in their order and by what it has chosen already, so that
a busy service has no more of them than it needs. The batch lane asks: last of all, at half the price, and nobody waits.
"""

from typing import Annotated

from pydantic import Field

from functions.core.shared.records import Kept

CHECKED_FIRST = 100
CHECKED_PER_DAY_MIN = 10
CHECKED_SHARE = 0.05


class Chosen(Kept):
    """How many hits were chosen, and how many of them on the latest `day` (UTC)."""

    total: Annotated[int, Field(ge=0)] = 0
    day: str = ""
    of_day: Annotated[int, Field(ge=0)] = 0


def is_checked(chosen: Chosen, day: str, draw: float) -> bool:
    """Whether a hit of this day is asked again. `draw` is chance, from 0 to 1."""
    of_day = chosen.of_day if chosen.day == day else 0
    return chosen.total < CHECKED_FIRST or of_day < CHECKED_PER_DAY_MIN or draw < CHECKED_SHARE


def one_more(chosen: Chosen, day: str) -> Chosen:
    """Count a hit that was chosen on this day."""
    of_day = chosen.of_day if chosen.day == day else 0
    return chosen.model_copy(update={"total": chosen.total + 1, "day": day, "of_day": of_day + 1})


def draw_of(job_id: str) -> float:
    """Return the chance of a job, from 0 to 1: ids are hashes, so a repeated call is drawn the same."""
    return int(job_id[:8], 16) / 16**8
