"""The last hour, and the one before: of slots as guards note them."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from functions.core.insights.deviations import Part
from functions.core.insights.last_hour import Span, last_hour
from functions.core.insights.usage_day import Slot, UsageDay

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def slots(*arrivals: int, minutes: int = 15, until: datetime = NOON) -> UsageDay:
    """Return a day with these photos in its last slots, all in the batch lane, answered after half an hour."""
    begins = until - len(arrivals) * timedelta(minutes=minutes)
    found = [Slot(until=begins)]
    for n, photos in enumerate(arrivals, 1):
        counters = Counter({"done": photos, "failed:TIMEOUT": 1, "micros": 100 * photos, "wait:22": photos})
        tally = {"batch": {"m": counters}, "instant": {"m": Counter({"done": 1, "wait:2": 1})}}
        found.append(Slot(until=begins + n * timedelta(minutes=minutes), tally=tally, arrivals={"batch": photos}))
    return UsageDay(slots=tuple(found))


def test_the_last_hour_is_the_last_slots_that_make_one() -> None:
    """Four of fifteen minutes; photos, failures, cost and the batch lane's wait."""
    found = last_hour("2026-11-30", slots(99, 1, 2, 3, 4), NOON)
    assert found is not None
    assert (found.since, found.until, found.photos) == (NOON - HOUR, NOON, 10)
    assert (found.failed, found.ended, found.micros) == (4, 18, 1_000)
    assert found.parts["batch m"] == Part(14, 1_000)
    assert found.wait == 2**11
    few = last_hour("2026-11-30", slots(1, 1, 1, 1), NOON)
    assert few is not None
    assert few.wait is None


def test_the_hour_before_is_the_slots_before() -> None:
    """Four of fifteen minutes before the last four. Without as many there is none, nor if one of them is too long."""
    found = last_hour("2026-11-30", slots(5, 6, 7, 8, 1, 2, 3, 4), NOON)
    assert found is not None
    assert found.before == Span(NOON - 2 * HOUR, NOON - HOUR, 26, 2_600)
    young = slots(1, 2, 3, 4, until=NOON.replace(hour=1))
    first = last_hour("2026-11-30", UsageDay(slots=young.slots[1:]), NOON.replace(hour=1))
    assert first is not None
    assert (first.since, first.before) == (NOON.replace(hour=0), None)
    gap = last_hour("2026-11-30", slots(1, 2, 3, 4), NOON)
    assert gap is not None
    assert gap.before is None


def test_there_is_no_last_hour_in_a_gap() -> None:
    """A guard that was away for three hours, one that has not looked for one, and the first hour of a day."""
    assert last_hour("2026-11-30", UsageDay(), NOON) is None
    assert last_hour("2026-11-30", slots(5, minutes=180), NOON) is None
    assert last_hour("2026-11-30", slots(1, 2, 3, 4), NOON + 2 * HOUR) is None
    midnight = datetime(2026, 11, 30, tzinfo=UTC)
    young = UsageDay(slots=(Slot(until=midnight + HOUR / 2, arrivals={"batch": 9}),))
    assert last_hour("2026-11-30", young, midnight + HOUR / 2) is None
    whole = UsageDay(slots=(Slot(until=midnight + HOUR, arrivals={"batch": 9}),))
    first = last_hour("2026-11-30", whole, midnight + HOUR)
    assert first is not None
    assert (first.since, first.photos) == (midnight, 9)


def test_checks_are_no_photos_of_the_hour() -> None:
    """What was asked once more has a cost, of its own part, and no failures."""
    checks = {"checked": 90, "checkedFailed:X": 10, "checkedRetried:X": 5, "checkedMicros": 700}
    tally = {"batch": {"m": {"done": 3, "failed:X": 1, "micros": 1_100, **checks}}}
    day = UsageDay(slots=(Slot(until=NOON - HOUR), Slot(until=NOON, tally=tally)))
    found = last_hour("2026-11-30", day, NOON)
    assert found is not None
    assert (found.failed, found.ended, found.micros) == (1, 4, 1_100)
    assert found.parts == {"batch m": Part(4, 400), "batch m, checks": Part(0, 700)}
