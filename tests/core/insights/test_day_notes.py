"""Days in short: what is kept of each, which are read again, and what stands for one that is missing."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

from functions.core.insights.day_notes import (
    KEPT_DAYS,
    DayNotes,
    closed_days,
    hours_of,
    needed_since,
    noted_day,
    series,
    with_days,
)
from functions.core.insights.usage_day import DayRows, Slot, UsageDay
from functions.core.shared.lanes import Lane
from tests.core.insights.days import usage_day
from tests.core.insights.planned import noted

TODAY = date(2026, 11, 30)
MIDNIGHT = datetime(2026, 11, 29, tzinfo=UTC)


def test_a_day_in_short_is_the_sum_of_its_slots() -> None:
    """By lane what was asked for, ended and paid; by hour what came."""
    short = noted_day("2026-11-29", usage_day("2026-11-29", instant=3, batch=4, hours=(8, 20)))
    assert short.asked == short.ended == {"instant": 6, "batch": 8}
    assert short.micros == {"instant": 1_200, "batch": 800}
    assert (short.photos, short.answered, short.done) == (14, 14, 0)
    assert [hour for hour, n in enumerate(short.hours) if n == 7] == [8, 20]
    assert sum(short.hours) == 14


def test_failures_have_ended_and_cached_answers_are_done() -> None:
    """The provider bills a failure; the cache answers for nothing."""
    tally = {"instant": {"m": Counter({"done": 2, "failed:TIMEOUT": 1, "retried:TIMEOUT": 5, "micros": 600})}}
    rows = DayRows(counted_at=MIDNIGHT, jobs={"done": 4, "failed": 1}, visits={}, tokens={})
    usage = UsageDay(slots=(Slot(until=MIDNIGHT + timedelta(days=1), tally=tally, arrivals={"instant": 5}),), rows=rows)
    short = noted_day("2026-11-29", usage)
    assert (short.ended, short.done, short.answered) == ({"instant": 3, "batch": 0}, 4, 2)


def test_what_was_asked_again_is_paid_and_no_photos_cost() -> None:
    """A trial of a hundred photos would make those of its day seem twice as dear."""
    again = {"checked": 3, "checkedMicros": 300, "checkedOutput": 690}
    tally = {"batch": {"m": Counter({"done": 2, "micros": 500, "output": 1_150, **again})}}
    usage = UsageDay(slots=(Slot(until=MIDNIGHT + timedelta(days=1), tally=tally, arrivals={}),))
    short = noted_day("2026-11-29", usage)
    assert (short.ended["batch"], short.micros["batch"], short.paid(Lane.BATCH)) == (2, 500, 200)
    assert (short.checked, short.paid(Lane.INSTANT), short.tokens["output"]) == ({"batch": 300}, 0, 460)


def test_a_late_slot_counts_evenly_in_its_hours() -> None:
    """From half past one to four; what was noted after midnight came before it."""
    slots = (
        Slot(until=MIDNIGHT + timedelta(minutes=90), arrivals={"instant": 3}),
        Slot(until=MIDNIGHT + timedelta(hours=4), arrivals={"instant": 5}),
        Slot(until=MIDNIGHT + timedelta(hours=23), arrivals={}),
        Slot(until=MIDNIGHT + timedelta(hours=26), arrivals={"batch": 6}),
    )
    hours = hours_of("2026-11-29", UsageDay(slots=slots), lambda slot: sum(slot.arrivals.values()))
    assert hours[:5] == (2, 1 + 1, 2, 2, 0)
    assert hours[23] == 6


def test_what_is_read_again_are_new_days_and_those_that_batches_add_to() -> None:
    """Three days back, or from the latest that is known; all of them at first."""
    assert needed_since(DayNotes(), TODAY) == TODAY - timedelta(days=KEPT_DAYS)
    assert needed_since(DayNotes(days={"2026-11-29": noted(1, 1)}), TODAY) == date(2026, 11, 27)
    assert needed_since(DayNotes(days={"2026-11-20": noted(1, 1)}), TODAY) == date(2026, 11, 20)


def test_days_are_closed_once_no_batch_adds_to_them() -> None:
    """Four days after; the first time the latest alone, later all since the last one."""
    known = DayNotes(days={f"2026-11-{day}": noted(1, 1) for day in range(20, 30)})
    assert list(closed_days(known, "", TODAY)) == ["2026-11-26"]
    assert list(closed_days(known, "2026-11-23", TODAY)) == ["2026-11-24", "2026-11-25", "2026-11-26"]
    assert closed_days(known, "2026-11-26", TODAY) == {}


def test_days_are_replaced_and_old_ones_lose_their_hours_and_then_all() -> None:
    """Today's is not over, and one that was not noted to its end is none."""
    before = DayNotes(
        days={"2020-01-01": noted(9, 9), "2026-09-30": noted(1, 1, hours=(1.0,) * 24), "2026-11-29": noted(1, 1)}
    )
    begun = usage_day("2026-11-28", instant=1).model_copy(update={"slots": usage_day("2026-11-28").slots[:5]})
    days = {day: usage_day(day, instant=5, batch=2) for day in ("2026-11-29", "2026-11-30")} | {"2026-11-28": begun}
    after = with_days(before, days, TODAY)
    assert list(after.days) == ["2026-09-30", "2026-11-29"]
    assert after.days["2026-09-30"].hours == ()
    assert after.days["2026-11-29"].asked == {"instant": 5, "batch": 2}
    assert len(after.days["2026-11-29"].hours) == 24


def test_a_missing_day_is_the_week_before_again() -> None:
    """The first day began in its middle and does not count; a gap is counted."""
    days = {date(2026, 11, day).isoformat(): noted(day, 0) for day in range(1, 20) if day not in {3, 12, 13}}
    found = series(DayNotes(days=days), date(2026, 11, 22))
    assert found is not None
    assert (found.begins, found.ends, found.filled) == (date(2026, 11, 2), date(2026, 11, 22), 5)
    photos = [each.photos for each in found.days]
    assert photos == [2, 2, 4, 5, 6, 7, 8, 9, 10, 11, 5, 6, 14, 15, 16, 17, 18, 19, 6, 14]


def test_there_is_nothing_before_two_days() -> None:
    """The first alone is half a day."""
    assert series(DayNotes(), TODAY) is None
    assert series(DayNotes(days={"2026-11-29": noted(1, 1)}), TODAY) is None
    assert series(DayNotes(days={"2026-11-29": noted(1, 1), "2026-11-30": noted(1, 1)}), TODAY) is None
