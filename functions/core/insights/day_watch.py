"""Days that were unusual: photos asked for, and new users who came back, each against what was to be expected.

A day is looked at once, when it is over. Days of an episode teach nothing until their level has stayed, and other days
that are far off teach less: see `core.insights.deviations`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from statistics import median

from pydantic import Field

from functions.core.insights.day_notes import NotedDay, Series
from functions.core.insights.deviations import Direction, Watch, fell_a_year_ago, see
from functions.core.insights.forecast import DAYS_MIN
from functions.core.insights.methods import LEVEL_DAYS, WEEK, Method, by_method
from functions.core.insights.usual import UsualDay
from functions.core.shared.records import Kept, Record

PHOTOS_LEAST = 10.0
RETURNS_LEAST = 10.0
COHORT_MIN = 30
"""Fewer new users say nothing about coming back."""
SHARE_DAYS = 4 * WEEK

Look = tuple[str, float, Callable[[Mapping[str, float]], float], float]
"""A day, its figure, what was to be expected if some days are taken for others, and by how much it fell a year ago."""


class Daily(StrEnum):
    """What is watched day by day."""

    DEMAND = "demand"
    RETENTION = "retention"


class WatchNote(Record):
    """A `deviations.Watch` as it is stored, after the day `until`. `instead`: what days that are far off are taken
    for."""

    until: str = ""
    errors: tuple[float, ...] = ()
    episode: Direction | None = None
    held: tuple[float, ...] = ()
    learning: bool = False
    instead: dict[str, float] = Field(default_factory=dict)

    @property
    def watch(self) -> Watch:
        """Return what the rules go by."""
        return Watch(self.errors, self.episode, self.held, self.learning)


class Watched(Kept):
    """What is usual on `day`, and what has been seen of the days before, the last of which is `closed`: its costs are
    final. Stored in `forecasts/watch`."""

    day: str = ""
    usual: UsualDay | None = None
    daily: dict[str, WatchNote] = Field(default_factory=dict)
    closed: str = ""


@dataclass(frozen=True)
class DayFinding:
    """A day with which an episode began, and what it was."""

    day: str
    direction: Direction
    actual: float
    expected: float


def day_watched(watched: Watched, days: Series) -> tuple[dict[str, WatchNote], dict[Daily, DayFinding]]:
    """Return the notes after the days that are new to them, and what began with the last one."""
    named = {(days.begins + timedelta(days=n)).isoformat(): each for n, each in enumerate(days.days)}
    notes, found = {}, {}
    for metric, looks, least in (
        (Daily.DEMAND, _demand(named), PHOTOS_LEAST),
        (Daily.RETENTION, _returns(named), RETURNS_LEAST),
    ):
        note, last = watched.daily.get(metric, WatchNote()), None
        for day, actual, expect, fell in looks:
            if day > note.until:
                note, last = _seen(note, day, actual, expect(note.instead), least, fell)
        notes[metric.value] = note
        if last is not None and last.day == max(named):
            found[metric] = last
    return notes, found


def _seen(
    note: WatchNote, day: str, actual: float, expected: float, least: float, fell: float
) -> tuple[WatchNote, DayFinding | None]:
    seen = see(note.watch, actual, expected, least, fell)
    taken = sorted({**note.instead, **({} if seen.taken == actual else {day: round(seen.taken, 2)})}.items())
    after = seen.watch
    new = WatchNote(
        until=day,
        errors=after.errors,
        episode=after.episode,
        held=after.held,
        learning=after.learning,
        instead=dict(taken[: len(taken) - max(seen.taught - 1, 0)][-LEVEL_DAYS:]),
    )
    return new, DayFinding(day, seen.began, actual, expected) if seen.began else None


def _demand(days: Mapping[str, NotedDay]) -> Iterator[Look]:
    """Yield each day's photos, with what the days before it let one expect."""
    names, photos = list(days), [float(each.photos) for each in days.values()]

    def expected(place: int, instead: Mapping[str, float]) -> float:
        past = [instead.get(name, float(days[name].photos)) for name in names[max(0, place - LEVEL_DAYS) : place]]
        return by_method(past, 1)[Method.LEVEL][0]

    for place in range(DAYS_MIN, len(names)):
        yield names[place], photos[place], partial(expected, place), fell_a_year_ago(photos[:place])


def _returns(days: Mapping[str, NotedDay]) -> Iterator[Look]:
    """Yield how many users came back on each day, with the usual share of those who were new on the day before."""
    shares: list[float] = []
    for before, (day, each) in zip([NotedDay(), *days.values()], days.items(), strict=False):
        if before.new is None or before.new < COHORT_MIN or each.back is None:
            continue
        if len(shares) >= WEEK:
            usual = before.new * median(shares[-SHARE_DAYS:])
            yield day, float(each.back), partial(_as_usual, usual), 0.0
        shares.append(each.back / before.new)


def _as_usual(usual: float, _: Mapping[str, float]) -> float:
    return usual
