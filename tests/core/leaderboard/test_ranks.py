"""Ranks: exact in the first hundred, within 1 % below, of as few counts as that takes."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from random import Random

import pytest

from functions.core.leaderboard.ranks import TOP, Counts, Leaders, Range, Rank, Row, Steps, counted, rank_of
from tests.builders import NOW


def asked_of(users: Sequence[int], floors: Sequence[int]) -> tuple[Steps, int]:
    """Count as the cron does: return the steps, and the number of counts. `users` are points, the fewest first."""
    asked = 0

    def count(points: Range) -> int:
        nonlocal asked
        asked += 1
        least, below = points
        return (len(users) if below is None else bisect_left(users, below)) - bisect_left(users, least)

    return counted(floors, count, lambda: True), asked


def leaders(users: Sequence[int], steps: Steps) -> Leaders:
    """Return the board of these users."""
    top = tuple(Row(uid=str(n), name="x", points=points) for n, points in enumerate(users[: -TOP - 1 : -1]))
    counts = Counts(period="p", at=NOW, floors=steps[0], reaching=steps[1])
    return Leaders(period="p", at=NOW, top=top, counts=counts)


DISTRIBUTIONS: dict[str, Callable[[Random], int]] = {
    "a few have nearly all": lambda dice: int(10 * dice.paretovariate(1.1)),
    "many have little": lambda dice: 10 * (1 + int(dice.expovariate(1 / 60))),
    "evenly": lambda dice: dice.randrange(1, 100_000),
    "few values": lambda dice: 10 * dice.randrange(1, 30),
    "all the same": lambda _dice: 10,
}


@pytest.mark.parametrize("points", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS.keys())
def test_every_rank_is_within_one_percent(points: Callable[[Random], int]) -> None:
    """Of 20,000 users, for each number of points; what is called exact is exact. Counting again takes one question a
    step."""
    dice = Random(7)  # noqa: S311
    users = sorted(points(dice) for _ in range(20_000))
    steps, _ = asked_of(users, tuple(dict.fromkeys((users[-TOP], 1))))
    found = leaders(users, steps)
    for each in set(users):
        true = 1 + len(users) - bisect_right(users, each)
        rank = rank_of("me", each, found)
        assert rank is not None
        assert abs(rank.number - true) <= (0 if rank.exact else true / 100)
        assert rank.exact or true > TOP
    again, asked = asked_of(users, steps[0])
    assert again == steps
    assert asked == len(steps[0]) <= 400


def board(*points: int, counts: Counts | None = None, period: str = "p") -> Leaders:
    """Return a board with these first ones, named by their place."""
    rows = tuple(Row(uid=f"user-{n}", name="x", points=each) for n, each in enumerate(points))
    return Leaders(period=period, at=NOW, top=rows, counts=counts)


def test_a_short_board_is_everybody() -> None:
    """Below a hundred all ranks are known from it; equal points are equal ranks."""
    found = board(30, 20, 20, 10)
    assert [rank_of("x", each, found) for each in (40, 30, 20, 10, 5)] == [
        Rank(number, exact=True) for number in (1, 1, 2, 4, 5)
    ]


@pytest.mark.parametrize("points", [0, -10])
def test_without_points_there_is_no_rank(points: int) -> None:
    """As nobody is counted who has none."""
    assert rank_of("x", points, board(30)) is None


def test_who_has_lost_points_is_not_counted_against_oneself() -> None:
    """The board is up to an hour old, and shows more."""
    assert rank_of("user-0", 25, board(30, 20)) == Rank(1, exact=True)


@pytest.mark.parametrize("counts", [None, Counts(period="last", at=NOW, floors=(1,), reaching=(1000,))])
def test_below_the_top_there_is_no_rank_before_the_counts(counts: Counts | None) -> None:
    """Nor by those of another period."""
    assert rank_of("x", 5, board(*[10] * TOP, counts=counts)) is None
    assert rank_of("x", 10, board(*[10] * TOP, counts=counts)) == Rank(1, exact=True)


def test_a_rank_below_the_top_is_never_in_it() -> None:
    """The middle of a step that reaches into it would be."""
    counts = Counts(period="p", at=NOW, floors=(5, 1), reaching=(100, 101))
    assert rank_of("x", 2, board(*[10] * TOP, counts=counts)) == Rank(101, exact=False)
    counts = Counts(period="p", at=NOW, floors=(1,), reaching=(101,))
    assert rank_of("x", 2, board(*[10] * TOP, counts=counts)) == Rank(101, exact=False)


def test_out_of_time_steps_stay_wide() -> None:
    """What was counted so far is kept: a rank is further off, and there is one."""
    left = iter((True, False))
    assert counted((9_000, 1), lambda points: {1: 900, 9_000: 90, 94: 300}[points[0]], lambda: next(left)) == (
        (9_000, 94, 1),
        (90, 390, 990),
    )
