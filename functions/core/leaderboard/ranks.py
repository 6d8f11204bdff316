"""Everybody's rank, without reading everybody.

    top      the first hundred, with their names: read, and exact
    counts   of everybody, in steps of points: counted by the index, a read for every thousand

A user's rank is one more than the number of those with more points: equal points, equal rank. Below the top it is read
off the step that the points are in. A step is divided until one number is within 1 % of its first rank and of its last,
or until all in it have the same points. A million users take at most some 600 steps.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isqrt

from pydantic import AwareDatetime

from functions.core.shared.records import Record

TOP = 100

Range = tuple[int, int | None]
"""Points from, and below; None: however many."""

Steps = tuple[tuple[int, ...], tuple[int, ...]]
"""The least points of each step, falling, and how many users have those or more."""


class Row(Record):
    """One of the first hundred."""

    uid: str
    name: str
    points: int


class Counts(Record):
    """How many users of a `period` had at least so many points: `floors` falls, `reaching` grows with it."""

    period: str
    at: AwareDatetime
    floors: tuple[int, ...]
    reaching: tuple[int, ...]


class Leaders(Record):
    """A board as it was at a time: its `top`, and the counts of everybody, None if there are none yet. Stored in
    `leaderboards/{board}`."""

    period: str = ""
    at: AwareDatetime | None = None
    top: tuple[Row, ...] = ()
    counts: Counts | None = None


@dataclass(frozen=True)
class Rank:
    """A rank, and whether it is exact."""

    number: int
    exact: bool


def rank_of(uid: str, points: int, leaders: Leaders) -> Rank | None:
    """Return the rank of a user with these points in the period of `leaders`; None for one without points, and while
    nobody has been counted yet."""
    if points < 1:
        return None
    if len(leaders.top) < TOP or points >= leaders.top[-1].points:
        return Rank(1 + sum(row.points > points for row in leaders.top if row.uid != uid), exact=True)
    counts = leaders.counts
    if counts is None or counts.period != leaders.period:
        return None
    step = next(n for n, floor in enumerate(counts.floors) if floor <= points)
    first = 1 + (counts.reaching[step - 1] if step else 0)
    if step and counts.floors[step - 1] == counts.floors[step] + 1:
        return Rank(first, exact=True)
    least, most = _within(first, counts.reaching[step])
    return Rank(max((least + most) // 2, TOP + 1), exact=False)


def counted(floors: Sequence[int], count: Callable[[Range], int], goes_on: Callable[[], bool]) -> Steps:
    """Count the users of these steps, divide those that are too wide for as long as it `goes_on`, and return as few as
    keep the promise."""
    reaching: list[int] = []
    for points in _ranges(floors):
        reaching.append((reaching[-1] if reaching else 0) + count(points))
    known = dict(zip(floors, reaching, strict=True))
    while goes_on() and (parts := _uppers(known)):
        for least, below in parts:
            known[least] = (known[below] if below else 0) + count((least, below))
        known = {floor: known[floor] for floor in sorted(known, reverse=True)}
    return _thinned(known)


def _ranges(floors: Sequence[int]) -> Iterator[Range]:
    """Yield the points of each step, from the top."""
    return zip(floors, (None, *floors[:-1]), strict=True)


def _uppers(known: Mapping[int, int]) -> list[Range]:
    """Return the upper part of each step that is too wide for its ranks: what has to be counted."""
    found: list[Range] = []
    above = 0
    for (floor, below), reaching in zip(_ranges(tuple(known)), known.values(), strict=True):
        if _wide(above + 1, reaching) and below != floor + 1:
            found.append((2 * floor if below is None else max(isqrt(floor * below), floor + 1), below))
        above = reaching
    return found


def _thinned(known: Mapping[int, int]) -> Steps:
    """Return as few of the steps as keep the promise: neighbours that are narrow enough together are one."""
    kept: dict[int, int] = {}
    steps, first = list(known.items()), 1
    for (floor, last), (_, following) in zip(steps, [*steps[1:], (0, None)], strict=True):
        if following is None or _wide(first, following):
            kept[floor] = last
            first = last + 1
    return tuple(kept), tuple(kept.values())


def _wide(first: int, last: int) -> bool:
    """Tell whether no number is within 1 % of both ranks. The top is exact anyway."""
    least, most = _within(first, last)
    return last > TOP and least > most


def _within(first: int, last: int) -> tuple[int, int]:
    """Return the least number that is within 1 % of the last rank, and the greatest that is of the first."""
    return -(-99 * last // 100), 101 * first // 100
