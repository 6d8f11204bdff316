"""Which hits are asked again."""

import random
from collections import deque
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from functions.core.cache.certification import NearTier
from functions.core.cache.checks import CHECKED_IN_DOUBT, Chosen, draw_of, is_checked, one_more, one_wrong
from functions.core.cache.lookup import Tier
from functions.core.cache.state import CacheState, Family, Hit, Label, choose, folded

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
TODAY, TOMORROW = "2026-11-29", "2026-11-30"


@pytest.mark.parametrize(
    ("total", "today", "draw", "again"),
    [(99, 99, 0.9, True), (100, 4, 0.9, True), (100, 5, 0.9, False), (100, 5, 0.049, True), (100, 5, 0.05, False)],
)
def test_the_first_hundred_five_of_a_day_and_one_in_twenty_are_asked_again(
    total: int, today: int, draw: float, again: bool
) -> None:
    """So that a new tier is known soon, a quiet one is checked, and a busy one is cheap."""
    chosen = Chosen(total=total, day=TODAY, of_day=today)
    assert is_checked(chosen, TODAY, draw) is again
    assert is_checked(chosen, TOMORROW, draw)


def test_a_new_day_begins_with_none() -> None:
    """All of them stay counted."""
    chosen = one_more(one_more(Chosen(), TODAY), TODAY)
    assert (chosen.total, chosen.day, chosen.of_day) == (2, TODAY, 2)
    assert one_more(chosen, TOMORROW) == Chosen(total=3, day=TOMORROW, of_day=1)
    assert CHECKED_IN_DOUBT == 100


def test_a_wrong_one_has_the_next_hundred_asked_again() -> None:
    """However many were chosen before, and however many that day."""
    chosen = one_wrong(Chosen(total=700, day=TODAY, of_day=50))
    for _ in range(CHECKED_IN_DOUBT):
        assert is_checked(chosen, TODAY, 0.9)
        chosen = one_more(chosen, TODAY)
    assert not is_checked(chosen, TODAY, 0.9)


def wrong_served(hits_a_day: int, share: float, seed: int) -> int:
    """Return how many wrong answers a near tier gives, from when so large a share of its answers is wrong until it
    serves less. Whether one is wrong is known five hours later."""
    chance, wrong = random.Random(seed), 0  # noqa: S311  (a simulation)
    family = Family(near=NearTier(serves=31), seen_at=NOON)
    state, asked = CacheState(families={"one": family}), deque[tuple[datetime, Label]]()
    for number in count():
        at = NOON + timedelta(days=number / hits_a_day)
        known = [label for due, label in asked if due <= at]
        state = folded(state, known, 0.01)
        if state.families["one"].near.serves != 31:
            return wrong
        for _ in known:
            asked.popleft()
        is_right = chance.random() >= share
        wrong += not is_right
        state, again = choose(state, [Hit(f"{chance.randrange(16**8):08x}", "one", Tier.NEAR, at)])
        due = at + timedelta(hours=5)
        asked.extend((due, Label("one", Tier.NEAR, 20, is_right, due)) for _ in again)
    raise AssertionError("it serves for ever")


@pytest.mark.parametrize("hits_a_day", [10, 50, 1_000])
@pytest.mark.parametrize("share", [0.03, 0.05])
def test_a_tier_that_has_become_worse_gives_few_wrong_answers(hits_a_day: int, share: float) -> None:
    """However many hits there are: eighty wrong ones at the most, on the mean of ten. One in twenty alone
    would let twice as many pass at a thousand hits a day."""
    assert sum(wrong_served(hits_a_day, share, seed) for seed in range(10)) / 10 < 80


def test_a_job_is_drawn_the_same_each_time() -> None:
    """By its id, which is a hash."""
    assert (draw_of("0" * 32), draw_of("80000000" + "0" * 24)) == (0, 0.5)
    assert draw_of("f" * 32) < 1
