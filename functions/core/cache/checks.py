"""Which hits are asked again, so that it is known how often they are wrong: five of each day, and one in twenty; of the
same file, which nothing was compared of before it served, the first hundred; of near ones, which their labels have
certified, the hundred after each that was wrong.

All are looked at while there is doubt, and few while there is none: a plan of Dodge's, "A sampling inspection plan for
continuous production" (1943). A tier that has become worse is met by the one in twenty, and seen through at once.

A hit that may be one says so. The guard chooses among these, in their order and by what it has chosen already, so that
a busy service has no more of them than it needs. The batch lane asks: last of all, at half the price, and nobody waits.
"""

from typing import Annotated

from pydantic import Field

from functions.core.shared.records import Kept

CHECKED_IN_DOUBT = 100
CHECKED_PER_DAY_MIN = 5
CHECKED_SHARE = 0.05


class Chosen(Kept):
    """How many hits were chosen, and how many of them on the latest `day` (UTC). Until they are as many as `all_until`,
    each hit is."""

    total: Annotated[int, Field(ge=0)] = 0
    day: str = ""
    of_day: Annotated[int, Field(ge=0)] = 0
    all_until: Annotated[int, Field(ge=0)] = CHECKED_IN_DOUBT


def is_checked(chosen: Chosen, day: str, draw: float) -> bool:
    """Whether a hit of this day is asked again. `draw` is chance, from 0 to 1."""
    of_day = chosen.of_day if chosen.day == day else 0
    return chosen.total < chosen.all_until or of_day < CHECKED_PER_DAY_MIN or draw < CHECKED_SHARE


def one_more(chosen: Chosen, day: str) -> Chosen:
    """Count a hit that was chosen on this day."""
    of_day = chosen.of_day if chosen.day == day else 0
    return chosen.model_copy(update={"total": chosen.total + 1, "day": day, "of_day": of_day + 1})


def one_wrong(chosen: Chosen) -> Chosen:
    """Note that one of those which were chosen was wrong."""
    return chosen.model_copy(update={"all_until": chosen.total + CHECKED_IN_DOUBT})


def draw_of(job_id: str) -> float:
    """Return the chance of a job, from 0 to 1: ids are hashes, so a repeated call is drawn the same."""
    return int(job_id[:8], 16) / 16**8
