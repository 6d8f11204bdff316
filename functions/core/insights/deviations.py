"""What is far from what was expected: a day's photos, cost, failures, wait, or returning users.

A figure deviates if it is 4 robust standard deviations from what was expected, by 30 % or more, and by an amount that
somebody would look at. That begins an episode, which is told once; it ends when the figure is within 2 of them. Days of
an episode teach nothing, or a fault would become the usual: until the new level has stayed for three days, which is no
fault any more but the new usual.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import median

BEGINS_Z, ENDS_Z = 4.0, 2.0
SHARE_MIN = 0.3
ERRORS_KEPT = 56
ERRORS_MIN = 14
SPREAD_MIN = 0.05
"""On the logarithmic scale: a figure that hardly ever moves would else deviate by every trifle."""
MAD_TO_SD = 1.4826
"""Of a normal distribution: its standard deviation divided by the median absolute deviation."""
STAYS_DAYS = 3


class Direction(StrEnum):
    """Which way a figure deviates."""

    RISE = "rise"
    FALL = "fall"


@dataclass(frozen=True)
class Watch:
    """What is known of a figure: by how much its days missed what was expected, on the logarithmic scale; the direction
    of an episode that is going on, the errors of its days, and whether they are learned from by now."""

    errors: tuple[float, ...] = ()
    episode: Direction | None = None
    held: tuple[float, ...] = ()
    learning: bool = False


@dataclass(frozen=True)
class Seen:
    """A day as it was seen: the watch after it, whether an episode `began` with it, and how far it is off, `z`. Of
    `taught` days, this one and those before it, may be learned from now; 0 while that is not clear."""

    watch: Watch
    began: Direction | None
    z: float
    taught: int


def see(watch: Watch, actual: float, expected: float, least: float) -> Seen:
    """Look at a day's figure. `least` is the difference below which nobody would look, in the figure's own unit."""
    error = log_error(actual, expected)
    z = _z(watch.errors, error)
    direction = deviation(watch.errors, actual, expected, least)
    if watch.episode is None and direction is None:
        return Seen(replace(watch, errors=_kept(watch.errors, [error])), None, z, 1)
    if watch.episode is not None and abs(z) < ENDS_Z:
        return Seen(Watch(_kept(watch.errors, [error])), None, z, 1)
    direction = direction or watch.episode
    if direction != watch.episode:
        return Seen(Watch(watch.errors, direction, (error,)), direction, z, 0)
    if watch.learning:
        return Seen(watch, None, z, 1)
    held = (*watch.held, error)
    stays = max(held[-STAYS_DAYS:]) - min(held[-STAYS_DAYS:]) < math.log1p(SHARE_MIN)
    if len(held) >= STAYS_DAYS and stays:
        return Seen(replace(watch, held=(), learning=True), None, z, len(held))
    return Seen(replace(watch, held=held), None, z, 0)


def deviation(errors: Sequence[float], actual: float, expected: float, least: float) -> Direction | None:
    """Return which way a figure deviates, of a day or an hour, if it does. `errors` are those of earlier ones."""
    if abs(_z(errors, log_error(actual, expected))) < BEGINS_Z or abs(actual - expected) < max(
        SHARE_MIN * expected, least
    ):
        return None
    return Direction.RISE if actual > expected else Direction.FALL


def log_error(actual: float, expected: float) -> float:
    """Return by how much a figure misses what was expected, on the logarithmic scale."""
    return math.log1p(max(actual, 0)) - math.log1p(max(expected, 0))


def _z(errors: Sequence[float], error: float) -> float:
    """Return how many robust standard deviations an error is from the usual one; 0 while too few are known."""
    if len(errors) < ERRORS_MIN:
        return 0.0
    middle = median(errors)
    spread = MAD_TO_SD * median(abs(each - middle) for each in errors)
    return (error - middle) / max(spread, SPREAD_MIN)


def _kept(errors: tuple[float, ...], more: Sequence[float]) -> tuple[float, ...]:
    return (*errors, *more)[-ERRORS_KEPT:]


@dataclass(frozen=True)
class Part:
    """What photos of one lane and model came to: how many, and their cost in micro-dollars."""

    photos: float
    micros: float


@dataclass(frozen=True)
class Reasons:
    """Why a cost differs from another, in micro-dollars: more or fewer photos, what each part's photo costs, and which
    parts they are of. They add up to the difference."""

    volume: float
    price: float
    mix: float


def reasons(now: Mapping[str, Part], before: Mapping[str, Part]) -> Reasons:
    """Return why `now` costs more or less than `before`, by parts. A part that is new has no price to compare: it is
    mix."""
    photos, photos_before = (sum(part.photos for part in each.values()) for each in (now, before))
    cost, cost_before = (sum(part.micros for part in each.values()) for each in (now, before))
    mean_before = cost_before / photos_before if photos_before else 0.0
    volume = (photos - photos_before) * mean_before
    price = sum(
        part.micros - part.photos * before[name].micros / before[name].photos
        for name, part in now.items()
        if name in before and before[name].photos
    )
    return Reasons(volume, price, cost - cost_before - volume - price)
