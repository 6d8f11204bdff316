"""How many photos bulk jobs may bring into the queue."""

from datetime import timedelta

import pytest

from functions.core.budget.day_review import BudgetDay
from functions.core.budget.holds import Mode
from functions.core.bulk.bulks import Waiting
from functions.core.bulk.pacing import Room, affordable, closed
from functions.core.config.runtime import RuntimeConfig
from tests.builders import NOW


def room(queued: int, spare: int = 10_000) -> Room:
    """Return the room beside so many queued jobs, at 1,000 a run."""
    return Room(queued, spare, RuntimeConfig())


def test_they_fill_one_run_of_the_submitter() -> None:
    """And no more; one for any time half of it."""
    assert [room(n).photos(any_time=False) for n in (0, 400, 1_000, 5_000)] == [1_000, 600, 0, 0]
    assert [room(n).photos(any_time=True) for n in (0, 400, 500, 5_000)] == [500, 100, 0, 0]


def test_what_is_taken_on_takes_room_and_money() -> None:
    """Also for those that come after it in a run."""
    some = room(0, spare=120)
    assert (some.photos(any_time=True), some.photos(any_time=False)) == (120, 1_000)
    some.take(100)
    assert (some.photos(any_time=True), some.photos(any_time=False)) == (20, 900)


@pytest.mark.parametrize(
    ("hour", "used", "queued", "photos"), [(12, 0, 0, 300), (12, 100, 50, 150), (6, 200, 0, 0), (0, 0, 0, 0)]
)
def test_any_time_takes_what_has_passed_of_the_day(hour: int, used: int, queued: int, photos: int) -> None:
    """At noon half of the share of the limit that it may fill, less what is used and what is queued."""
    now = NOW.replace(hour=hour)
    assert affordable(BudgetDay(limit=1_000, reserved=used), 60, queued, 1, now) == photos


def test_a_photo_that_costs_nothing_divides_nothing_by_zero() -> None:
    """A model without a price has no line; the rule stands all the same."""
    assert affordable(BudgetDay(limit=1_000), 60, 0, 0, NOW + timedelta(0)) == 300


def test_a_closed_budget_takes_nothing_on() -> None:
    """Nor does a day that leaves the batch lane alone, for any time."""
    modes = (Mode.NORMAL, Mode.BATCH_ONLY, Mode.CLOSED)
    assert [closed(mode, any_time=False) for mode in modes] == [None, None, Waiting.BUDGET]
    assert [closed(mode, any_time=True) for mode in modes] == [None, Waiting.BUDGET, Waiting.BUDGET]
