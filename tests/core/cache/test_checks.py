"""Which hits are asked again."""

import pytest

from functions.core.cache.checks import CHECKED_FIRST, Chosen, draw_of, is_checked, one_more

TODAY, TOMORROW = "2026-11-29", "2026-11-30"


@pytest.mark.parametrize(
    ("total", "today", "draw", "again"),
    [(99, 99, 0.9, True), (100, 9, 0.9, True), (100, 10, 0.9, False), (100, 10, 0.049, True), (100, 10, 0.05, False)],
)
def test_the_first_hundred_ten_of_a_day_and_one_in_twenty_are_asked_again(
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
    assert CHECKED_FIRST == 100


def test_a_job_is_drawn_the_same_each_time() -> None:
    """By its id, which is a hash."""
    assert (draw_of("0" * 32), draw_of("80000000" + "0" * 24)) == (0, 0.5)
    assert draw_of("f" * 32) < 1
