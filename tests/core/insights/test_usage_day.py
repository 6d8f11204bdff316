"""A day's slots add up to its book, whoever notes them, and when."""

from datetime import UTC, datetime, timedelta
from typing import Any

from functions.core.budget.day_review import BudgetDay
from functions.core.budget.tally import total
from functions.core.insights.usage_day import SLOT, DayRows, UsageDay, noted, with_costs

DAY = "2026-11-21"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)


def book(rounds: int, done: int, micros: int = 0) -> BudgetDay:
    """Return a day's book with so many photos done."""
    return BudgetDay(rounds=rounds, tally={"instant": {"m": {"done": done}}}, costs={"instant": {"m": micros}})


def note(usage: UsageDay, of: BudgetDay, now: datetime, arrivals: int = 0, **more: Any) -> UsageDay:
    """Note what a book shows. Returns the day."""
    found = noted(usage, DAY, of, {"instant": arrivals, "batch": 0}, more.get("rows"), now)
    assert found is not None
    return found


def test_a_slot_is_what_has_come_since_the_one_before() -> None:
    """Photos asked for and done, and their cost as micro-dollars beside them."""
    usage = note(UsageDay(), book(1, 3, 700), NOON, arrivals=4)
    usage = note(usage, book(2, 5, 1_200), NOON + SLOT, arrivals=9)
    first, second = usage.slots
    assert (first.quarters, first.arrivals) == (48, {"instant": 4})
    assert first.tally == {"instant": {"m": {"done": 3, "micros": 700}}}
    assert (second.quarters, second.arrivals) == (1, {"instant": 5})
    assert second.tally == {"instant": {"m": {"done": 2, "micros": 500}}}
    assert total(slot.tally for slot in usage.slots) == with_costs(book(2, 5, 1_200))


def test_a_late_guard_notes_one_long_slot_and_says_so() -> None:
    """Three quarters without a guard are one slot of three; a quarter in which nothing came is one all the same."""
    usage = note(UsageDay(), book(1, 1), NOON)
    usage = note(usage, book(2, 2), NOON + 3 * SLOT)
    usage = note(usage, book(3, 2), NOON + 4 * SLOT)
    assert [slot.quarters for slot in usage.slots] == [48, 3, 1]
    assert usage.slots[-1].tally == {}


def test_of_two_guards_the_later_review_is_noted() -> None:
    """One that has looked before, and comes after, changes nothing."""
    usage = note(UsageDay(), book(2, 2), NOON)
    assert noted(usage, DAY, book(2, 2), {}, None, NOON) is None
    assert noted(usage, DAY, book(1, 1), {}, None, NOON) is None


def test_what_batches_bring_after_midnight_is_one_slot() -> None:
    """It grows as they end; a look that finds nothing writes nothing."""
    usage = note(UsageDay(), book(1, 1), MIDNIGHT - SLOT, arrivals=1)
    usage = note(usage, book(2, 4), MIDNIGHT + SLOT, arrivals=3)
    assert noted(usage, DAY, book(3, 4), {"instant": 3}, None, MIDNIGHT + 2 * SLOT) is None
    usage = note(usage, book(4, 9), MIDNIGHT + 3 * SLOT, arrivals=3)
    _, after = usage.slots
    assert (after.until, after.quarters) == (MIDNIGHT + 3 * SLOT, 1)
    assert (after.tally, after.arrivals) == ({"instant": {"m": {"done": 8}}}, {"instant": 2})


def test_rows_stay_until_they_are_counted_again() -> None:
    """They are counted less often than slots are noted, and once more when the day is over."""
    rows = DayRows(counted_at=NOON, jobs={"done": 1}, visits={"all": 1}, tokens={"charge": -5})
    usage = note(UsageDay(), book(1, 1), NOON, rows=rows)
    usage = note(usage, book(2, 1), NOON + SLOT)
    assert usage.rows == rows
    usage = note(usage, book(3, 1), MIDNIGHT + SLOT)
    later = rows.model_copy(update={"counted_at": MIDNIGHT + timedelta(hours=6)})
    assert note(usage, book(4, 1), MIDNIGHT + timedelta(hours=6), rows=later).rows == later
