"""How much will be asked for: by which method, how surely, and when one steps back."""

import math
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from random import Random
from statistics import fmean

import pytest

from functions.core.insights.forecast import (
    DAYS_AHEAD,
    DAYS_MIN,
    TRACK_ISSUES,
    Forecast,
    History,
    Issue,
    forecast,
)
from functions.core.insights.methods import RULE_DAYS, WEEK, Method

BEGINS = date(2026, 1, 5)
WEEKDAYS = (1.0, 1.1, 1.2, 1.0, 0.9, 0.5, 0.3)


def history(days: int, of: Callable[[int], float]) -> History:
    """Return days that are what `of` says of each number."""
    return History(BEGINS, [of(day) for day in range(days)])


def weekly(days: int, level: float = 1_000.0) -> History:
    """Return days that differ by weekday alone."""
    return history(days, lambda day: level * WEEKDAYS[day % WEEK])


def issued(past: History, weeks: int) -> list[Issue]:
    """Return what would have been issued each week until now, with only the past known."""
    told: list[Issue] = []
    for week in range(weeks, 0, -1):
        known = History(past.begins, past.days[: len(past.days) - week * WEEK])
        made = forecast(known, told)
        assert made is not None
        told.append(made.issue)
    return told


def now(past: History, told: Sequence[Issue] = (), days: int = DAYS_AHEAD) -> Forecast:
    """Return today's forecast."""
    made = forecast(past, told, days)
    assert made is not None
    return made


def test_nothing_is_told_before_three_weeks() -> None:
    """From day 22 on there is a forecast, without an interval and without a record."""
    assert forecast(weekly(DAYS_MIN - 1), []) is None
    made = now(weekly(DAYS_MIN))
    assert (made.low, made.high, made.error_to_naive, made.paths) == (None, None, None, ())
    assert (made.shown, made.issue.first, len(made.expected)) == (Method.MIXED, date(2026, 1, 26), DAYS_AHEAD)


@pytest.mark.parametrize("days", [DAYS_MIN, 60, 63 + 3, RULE_DAYS + 1, 800])
def test_a_week_that_repeats_is_forecast_as_it_is(days: int) -> None:
    """On whatever weekday the past ends, and by whichever methods."""
    made = now(weekly(days))
    exact = [1_000 * WEEKDAYS[(days + ahead) % WEEK] for ahead in range(DAYS_AHEAD)]
    assert made.expected == pytest.approx(exact, rel=0.02)


def test_until_there_is_a_record_the_level_serves_alone() -> None:
    """However long the past is; a year and eight weeks on all methods are asked."""
    young, old = now(weekly(RULE_DAYS - 1)), now(weekly(RULE_DAYS))
    assert young.issue.by_method.keys() == {Method.NAIVE, Method.LEVEL, Method.USUAL, Method.MIXED}
    for made in (young, old):
        assert made.expected == pytest.approx(made.issue.by_method[Method.LEVEL])
    assert old.issue.by_method.keys() == set(Method)


def test_before_a_year_is_known_level_and_usual_are_mixed_by_their_record() -> None:
    """What naive has missed by weighs nothing there."""
    past = history(RULE_DAYS - 1, lambda day: 100 * 1.01**day * WEEKDAYS[day % WEEK])
    made = now(past, missed_by(past, {Method.NAIVE: 3, Method.LEVEL: 1, Method.USUAL: 2, Method.MIXED: 1}))
    of = made.issue.by_method
    mixed = [(16 * a + b) / 17 for a, b in zip(of[Method.LEVEL], of[Method.USUAL], strict=True)]
    assert made.expected == pytest.approx(mixed)
    assert mixed[0] != pytest.approx(of[Method.LEVEL][0], rel=0.01)


def missed_by(past: History, percent: dict[Method, int], weeks: int = TRACK_ISSUES) -> list[Issue]:
    """Return weekly forecasts that were so many percent too high."""
    told = []
    for week in range(weeks, 0, -1):
        first = past.ends - timedelta(weeks=week)
        actual = [*past.since(first, DAYS_AHEAD), *[1.0] * DAYS_AHEAD][:DAYS_AHEAD]
        told.append(
            Issue(first, {name: [day * (100 + more) / 100 for day in actual] for name, more in percent.items()})
        )
    return told


def test_the_better_a_methods_record_the_more_it_weighs() -> None:
    """By 1/error⁴: what missed by twice as much weighs a sixteenth; without a record it weighs nothing."""
    past = history(RULE_DAYS + 70, lambda day: 100 * 1.01**day * WEEKDAYS[day % WEEK])
    made = now(past, missed_by(past, {Method.NAIVE: 2, Method.LEVEL: 2, Method.HOLT_WINTERS: 1, Method.MIXED: 1}))
    of = made.issue.by_method
    mixed = [
        (16 * c + a + b) / 18
        for a, b, c in zip(of[Method.NAIVE], of[Method.LEVEL], of[Method.HOLT_WINTERS], strict=True)
    ]
    assert of[Method.MIXED] == pytest.approx(mixed)
    assert of[Method.MIXED][0] != pytest.approx(of[Method.LEVEL][0], rel=0.01)


@pytest.mark.parametrize(
    ("percent", "ratio", "shown"), [(11, 1.1, Method.NAIVE), (10, 1, Method.NAIVE), (9, 0.9, Method.MIXED)]
)
def test_a_forecast_that_has_not_beaten_naive_steps_back_and_says_so(percent: int, ratio: float, shown: Method) -> None:
    """Over eight weeks; it goes on being made, so that it may come back."""
    past = weekly(200)
    told = missed_by(past, {Method.NAIVE: 10, Method.MIXED: percent})
    made = now(past, told)
    assert made.shown is shown
    assert made.error_to_naive == pytest.approx(ratio)
    assert list(made.expected) == list(made.issue.by_method[shown])
    assert Method.MIXED in made.issue.by_method
    assert (now(past, told[1:]).shown, now(past, told[1:]).error_to_naive) == (Method.MIXED, None)


def test_naive_without_an_error_is_shown() -> None:
    """Nothing beats what was always right."""
    past = weekly(200)
    made = now(past, missed_by(past, {Method.NAIVE: 0, Method.MIXED: 1}))
    assert (made.shown, made.error_to_naive) == (Method.NAIVE, math.inf)


def test_only_what_was_issued_counts_for_the_interval() -> None:
    """Forecasts of other weekdays than today's are not counted twice; those of today or later not at all."""
    past = weekly(300)
    told = issued(past, 10)
    shifted = [Issue(each.first + timedelta(days=1), {name: [1e6] * 35 for name in each.by_method}) for each in told]
    ahead = [Issue(past.ends + timedelta(days=days), told[0].by_method) for days in (0, 7)]
    assert now(past, told) == now(past, [*told, *shifted, *ahead])


def test_nine_of_ten_days_lie_in_the_interval() -> None:
    """Of days that are drawn, one and two weeks ahead, over two years of weekly forecasts; as many are
    below it as above it."""
    random = Random(1)  # noqa: S311  (drawn days, no secret)
    past = history(900, lambda day: 500 * WEEKDAYS[day % WEEK] * math.exp(random.gauss(0, 0.25)))
    told: list[Issue] = []
    inside, below = [], []
    for ends in range(63, 880, WEEK):
        made = now(History(past.begins, past.days[:ends]), told, days=14)
        told.append(made.issue)
        if made.low is not None and made.high is not None:
            bounds = list(zip(made.low, past.days[ends:], made.high, strict=False))
            inside += [low <= each <= high for low, each, high in bounds]
            below += [each < low for low, each, _ in bounds]
    assert len(inside) > 1_400
    assert fmean(inside) == pytest.approx(0.9, abs=0.04)
    assert fmean(below) == pytest.approx((1 - fmean(inside)) / 2, abs=0.01)


def test_a_week_that_was_never_reached_takes_the_interval_of_the_one_before() -> None:
    """And without four forecasts there is none."""
    random = Random(2)  # noqa: S311  (drawn days, no secret)
    past = history(120, lambda _: 100 * math.exp(random.gauss(0, 0.3)))
    made = now(past, issued(past, 4))
    assert made.low is not None
    assert made.high is not None
    spread = [round(math.log1p(high) - math.log1p(low), 6) for low, high in zip(made.low, made.high, strict=True)]
    assert spread[:7] == [spread[0]] * 7
    assert spread[14:] == [spread[14]] * 21
    assert now(past, issued(past, 3)).low is None


def test_nothing_asked_for_is_forecast_as_nothing() -> None:
    """No logarithm of zero, and never less than nothing."""
    made = now(history(500, lambda _: 0.0), issued(history(500, lambda _: 0.0), 9))
    assert set(made.expected) == {0.0}
    assert made.high == (0.0,) * DAYS_AHEAD


def test_paths_go_wrong_as_earlier_forecasts_did() -> None:
    """One for each weekly forecast whose days are all known."""
    past = history(200, lambda day: 100.0 if day < 190 else 200.0)
    told = issued(past, 12)
    made = now(past, told)
    assert len(made.paths) == 12 - 35 // WEEK + 1
    assert {len(path) for path in made.paths} == {DAYS_AHEAD}
