"""What is far from what was expected: a day's photos, cost, failures, wait, or returning users.

A figure deviates if it is several robust standard deviations from what was expected, by a share, and by an amount that
somebody would look at: 3.4 and 30 % for a rise, 4 and 45 % for a fall, since a holiday or bad weather falls by a third
and costs nothing. A day that fell as far a year ago is no fall: it is a holiday. A deviation begins an episode, which
is told once; it ends when the figure is within 2 of them. Days of an episode teach nothing, or a fault would become the
usual: until the new level has stayed for three days, which is no fault any more but the new usual. A day that is
further off than 2.5 of them, and no episode, teaches as if it were 2.5 off: one rainy day would else pull the level
down, and the next fair one would look like a rise.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import median

from functions.core.insights.methods import WEEK

RISE_Z, RISE_SHARE = 3.4, 0.3
FALL_Z, FALL_SHARE = 4.0, 0.45
ENDS_Z, TEACHES_Z = 2.0, 2.5
ERRORS_KEPT = 56
ERRORS_MIN = 14
SPREAD_MIN = 0.05
"""On the logarithmic scale: a figure that hardly ever moves would else deviate by every trifle."""
MAD_TO_SD = 1.4826
"""Of a normal distribution: its standard deviation divided by the median absolute deviation."""
STAYS_DAYS = 3
YEAR_AGO = (364, 365, 366)
"""The same weekday, and the same date."""
YEAR_AGO_SHARE = 0.7
"""What fell by so much of a fall a year ago was to be expected."""
YEAR_AGO_WEEKS = (-4, -3, -2, -1, 1, 2, 3, 4)


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
    """A day as it was seen: the watch after it, whether an episode `began` with it, and what it is `taken` for when the
    next days are forecast. Of `taught` days, this one and those before it, may be learned from now; 0 while that is not
    clear."""

    watch: Watch
    began: Direction | None
    taken: float
    taught: int


def see(watch: Watch, actual: float, expected: float, least: float, fell: float = 0.0) -> Seen:
    """Look at a day's figure. `least` is the difference below which nobody would look, in the figure's own unit; it
    `fell` by so much a year ago."""
    error = log_error(actual, expected)
    z = _z(watch.errors, error)
    direction = deviation(watch.errors, actual, expected, least, fell)
    if watch.episode is None and direction is None:
        return Seen(
            replace(watch, errors=_kept(watch.errors, [error])), None, _taken(watch.errors, actual, expected), 1
        )
    if watch.episode is not None and abs(z) < ENDS_Z:
        return Seen(Watch(_kept(watch.errors, [error])), None, actual, 1)
    direction = direction or watch.episode
    if direction != watch.episode:
        return Seen(Watch(watch.errors, direction, (error,)), direction, expected, 0)
    if watch.learning:
        return Seen(watch, None, actual, 1)
    held = (*watch.held, error)
    stays = max(held[-STAYS_DAYS:]) - min(held[-STAYS_DAYS:]) < math.log1p(RISE_SHARE)
    if len(held) >= STAYS_DAYS and stays:
        return Seen(replace(watch, held=(), learning=True), None, actual, len(held))
    return Seen(replace(watch, held=held), None, expected, 0)


def deviation(
    errors: Sequence[float], actual: float, expected: float, least: float, fell: float = 0.0
) -> Direction | None:
    """Return which way a day's figure deviates, if it does. `errors` are those of earlier days; it `fell` by so much a
    year ago."""
    error, more = log_error(actual, expected), actual - expected
    z = _z(errors, error)
    if z >= RISE_Z and more >= max(RISE_SHARE * expected, least):
        return Direction.RISE
    if -z >= FALL_Z and -more >= max(FALL_SHARE * expected, least) and fell < YEAR_AGO_SHARE * -error:
        return Direction.FALL
    return None


def fell_a_year_ago(past: Sequence[float]) -> float:
    """Return by how much the next day of `past` fell a year ago, on the logarithmic scale: below the same weekday of
    the weeks around. 0 if it did not, or is not known."""
    falls = [0.0]
    for place in (len(past) - back for back in YEAR_AGO):
        around = [past[place + WEEK * week] for week in YEAR_AGO_WEEKS if place + WEEK * min(YEAR_AGO_WEEKS) >= 0]
        falls += [-log_error(past[place], median(around))] if around else []
    return max(falls)


def log_error(actual: float, expected: float) -> float:
    """Return by how much a figure misses what was expected, on the logarithmic scale."""
    return math.log1p(max(actual, 0)) - math.log1p(max(expected, 0))


def _z(errors: Sequence[float], error: float) -> float:
    """Return how many robust standard deviations an error is from the usual one; 0 while too few are known."""
    if len(errors) < ERRORS_MIN:
        return 0.0
    middle, spread = middle_and_spread(errors)
    return (error - middle) / spread


def _taken(errors: Sequence[float], actual: float, expected: float) -> float:
    """Return a figure, moved to within TEACHES_Z of what was expected."""
    z = _z(errors, log_error(actual, expected))
    if abs(z) <= TEACHES_Z:
        return actual
    middle, spread = middle_and_spread(errors)
    return math.expm1(max(math.log1p(expected) + middle + math.copysign(TEACHES_Z, z) * spread, 0))


def middle_and_spread(errors: Sequence[float]) -> tuple[float, float]:
    """Return the median of errors, and their robust standard deviation."""
    middle = median(errors)
    return middle, max(MAD_TO_SD * median(abs(each - middle) for each in errors), SPREAD_MIN)


def _kept(errors: tuple[float, ...], more: Sequence[float]) -> tuple[float, ...]:
    return (*errors, *more)[-ERRORS_KEPT:]


@dataclass(frozen=True)
class Part:
    """What photos of one lane and model came to: how many, and their cost in micro-dollars."""

    photos: float
    micros: float


def parts_of(lane: str, model: str, counters: Mapping[str, int]) -> dict[str, Part]:
    """Return a lane's photos of a model by the counters of a tally with its costs; and apart from them, as no photos,
    what asking some once more has cost."""
    photos = counters.get("done", 0) + sum(n for name, n in counters.items() if name.startswith("failed:"))
    checked = counters.get("checkedMicros", 0)
    own = Part(photos, counters.get("micros", 0) - checked)
    return {f"{lane} {model}": own} | ({f"{lane} {model}, checks": Part(0, checked)} if checked else {})


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
