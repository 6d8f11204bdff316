"""The methods of the forecast, each alone."""

import math
from itertools import pairwise
from statistics import fmean

import pytest

from functions.core.insights.methods import GROWTH, WEEK, Method, by_method, weekday_index

WEEKDAYS = (1.0, 1.1, 1.2, 1.0, 0.9, 0.5, 0.3)


def test_naive_is_the_last_week_again() -> None:
    """Also beyond a week ahead."""
    made = by_method(list(map(float, range(30))), 10)
    assert list(made[Method.NAIVE]) == [23, 24, 25, 26, 27, 28, 29, 23, 24, 25]


def test_the_level_follows_a_step_and_forgets_an_outlier() -> None:
    """A day that is twenty times as much moves no weekday: the index is a median."""
    step = by_method([(1_000 if day < 100 else 2_000) * WEEKDAYS[day % WEEK] for day in range(120)], WEEK)
    assert fmean(step[Method.LEVEL]) == pytest.approx(2_000 * fmean(WEEKDAYS), rel=0.1)
    calm = weekday_index([math.log(WEEKDAYS[day % WEEK]) for day in range(56)])
    spiked = weekday_index([math.log(WEEKDAYS[day % WEEK] * (20 if day == 31 else 1)) for day in range(56)])
    assert spiked == pytest.approx(calm, abs=0.02)


def test_the_usual_is_the_median_of_a_weekday() -> None:
    """Of eight weeks, or as many as there are; beyond a week ahead again."""
    past = [0.0] * 7 + [float(week + day) for week in range(8) for day in range(WEEK)]
    assert list(by_method(past, 9)[Method.USUAL]) == [3.5 + day for day in range(WEEK)] + [3.5, 4.5]
    assert list(by_method(past[-21:], 1)[Method.USUAL]) == [6.0]


def test_last_years_days_come_back_with_the_growth_of_eight_weeks_within_bounds() -> None:
    """Christmas at twice the last one; a jump to a hundred times as much counts as twice."""
    year = 364

    def of(day: int) -> float:
        return 100.0 * (3 if day % year < 10 else 1) * (2 if day >= year else 1)

    assert list(by_method(list(map(of, range(2 * year))), 12)[Method.LAST_YEAR]) == [1_200.0] * 10 + [400.0] * 2
    jump = [100.0 if day < 2 * year - 40 else 10_000.0 for day in range(2 * year)]
    assert by_method(jump, 1)[Method.LAST_YEAR] == [100 * GROWTH[1]]
    begun = [0.0 if day < year else 50.0 for day in range(2 * year)]
    assert by_method(begun, 1)[Method.LAST_YEAR] == [50.0]


def test_a_trend_is_continued_and_flattens_out() -> None:
    """Holt-Winters follows a rise that the level does not, and less with each week ahead."""
    of = by_method([100 * 1.01**day * WEEKDAYS[day % WEEK] for day in range(450)], 35)
    weeks = [sum(of[Method.HOLT_WINTERS][begins : begins + WEEK]) for begins in range(0, 35, WEEK)]
    ratios = [later / earlier for earlier, later in pairwise(weeks)]
    assert weeks[0] > sum(of[Method.LEVEL][:WEEK])
    assert all(1 < later < earlier for earlier, later in pairwise(ratios))
