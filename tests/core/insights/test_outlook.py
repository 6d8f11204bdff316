"""What a forecast means: for the bill under its limits, and for the hours, weekdays and months that are busier."""

from datetime import date

import pytest

from functions.core.insights.forecast import History
from functions.core.insights.outlook import (
    HOURS,
    PATHS_MIN,
    Lane,
    Reach,
    hour_multipliers,
    month_multipliers,
    reach,
    under_limits,
    weekday_multipliers,
)

FIRST = date(2026, 12, 1)


def lane(photos: float, micros: float, ways: int = 10) -> Lane:
    """Return a lane that brings so many photos on each of five days, and in half of the ways twice as many."""
    paths = [[photos * (1 + way % 2)] * 5 for way in range(ways)]
    return Lane([photos] * 5, paths, micros)


def test_the_chance_to_reach_a_limit_and_the_day() -> None:
    """Both lanes together: 200 x 10 + 100 x 20 is 4,000 a day, in half of the ways 8,000."""
    lanes = [lane(200, 10), lane(100, 20)]
    assert reach(lanes, 20_000, FIRST) == Reach(1.0, date(2026, 12, 4))  # days 5 and 3, in the middle
    assert reach(lanes, 24_001, FIRST) == Reach(0.5, date(2026, 12, 4))
    assert reach(lanes, 40_000, FIRST) == Reach(0.5, date(2026, 12, 5))
    assert reach(lanes, 40_001, FIRST) == Reach(0.0, None)
    assert reach(lanes, 0, FIRST) == Reach(1.0, FIRST)


def test_too_few_forecasts_tell_no_chance() -> None:
    """Of whichever lane has fewest."""
    assert reach([lane(200, 10, ways=PATHS_MIN - 1), lane(100, 20)], 1, FIRST) is None
    assert reach([lane(200, 10, ways=PATHS_MIN), lane(100, 20)], 1, FIRST) is not None


def test_photos_wait_once_a_limit_is_reached() -> None:
    """3,000 of 4,000 a day: a quarter of 300 photos wait. Of 10,000 for the month there are 1,000 left on the fourth
    day, and nothing on the fifth."""
    days = under_limits([lane(200, 10), lane(100, 20)], 3_000, 10_000, FIRST)
    assert [(each.day.day, each.micros, each.waiting) for each in days] == [
        (1, 3_000, 75),
        (2, 3_000, 75),
        (3, 3_000, 75),
        (4, 1_000, 225),
        (5, 0, 300),
    ]
    free = under_limits([lane(200, 10)], 3_000, 100_000, FIRST)
    assert {(each.micros, each.waiting) for each in free} == {(2_000, 0)}
    assert {each.waiting for each in under_limits([lane(0, 10)], 0, 0, FIRST)} == {0}


def test_hours_of_the_week_that_are_busier() -> None:
    """A first hour of three photos among hours of one, four weeks long; odd hours before them do not count."""
    week = [3.0] + [1.0] * (HOURS - 1)
    found = hour_multipliers([99.0] * 5 + week * 4)
    mean = (HOURS + 2) / HOURS
    assert found == pytest.approx([3 / mean] + [1 / mean] * (HOURS - 1))
    assert hour_multipliers(week[:-1]) is None
    closed = [0.0] * 24 + [1.0] * (HOURS - 24)
    assert hour_multipliers(closed) == pytest.approx([0.0] * 24 + [7 / 6] * (HOURS - 24))


def test_one_jam_is_no_habit() -> None:
    """An hour of ten times as much on one day of four: the day has brought more, and no hour is busier."""
    calm = [1.0] * HOURS
    found = hour_multipliers(calm + [10.0, *calm[1:]] + calm * 2)
    assert found is not None
    assert found[:24] == pytest.approx([found[0]] * 24)
    assert sum(found) == pytest.approx(HOURS)
    assert found[0] > found[24]


def test_a_habit_of_three_weeks_counts_half() -> None:
    """Of eight, an hour brings a quarter of its day on the last three: half way from a 24th."""
    calm, new = [1.0] * HOURS, [69 / 9, *[1.0] * (HOURS - 1)]
    found = hour_multipliers(calm * 5 + new * 3)
    assert found is not None
    assert found[0] / sum(found[:24]) == pytest.approx((1 / 24 + 1 / 4) / 2, rel=0.01)


def test_hours_without_a_photo_have_none() -> None:
    """Not even a whole week of them."""
    assert hour_multipliers([0.0] * HOURS) is None


def test_weekdays_begin_with_monday_wherever_the_days_begin() -> None:
    """A Thursday, here; Sundays bring nothing."""
    days = [0.0 if (3 + day) % 7 == 6 else 10.0 for day in range(60)]
    found = weekday_multipliers(History(date(2026, 1, 1), days))
    assert found is not None
    assert found[6] == 0
    assert found[:6] == pytest.approx([7 / 6] * 6)
    assert weekday_multipliers(History(date(2026, 1, 1), [1.0] * 6)) is None
    assert weekday_multipliers(History(date(2026, 1, 1), [0.0] * 60)) is None


def test_months_are_told_after_a_year() -> None:
    """December three times as busy."""
    begins = date(2025, 1, 20)
    days = [30.0 if date.fromordinal(begins.toordinal() + day).month == 12 else 10.0 for day in range(400)]
    found = month_multipliers(History(begins, days))
    mean = (11 * 10 + 30) / 12
    assert found == pytest.approx({month: (30 if month == 12 else 10) / mean for month in range(1, 13)})
    assert month_multipliers(History(begins, days[:364])) == {}
    assert month_multipliers(History(begins, [0.0] * 400)) == {}
