"""An hour that is unusual: begins, goes on, is over; and in words why."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.core.insights.deviations import Part
from functions.core.insights.last_hour import LastHour, Span
from functions.core.insights.unusual import Finding, Metric, unusual
from functions.core.insights.usual import Errors, Steps, UsualDay
from tests.core.insights.test_usual import usual

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LIMIT = 100_000
"""Of a day, in micro-dollars: a thousand of these is the least that somebody would look at."""


def hour(**changes: Any) -> LastHour:
    """Return the usual hour from eleven to noon, of a Monday: 20 photos for 2,000 micro-dollars."""
    fields = {"since": NOON - HOUR, "until": NOON, "photos": 20, "failed": 0, "ended": 20, "wait": 2_400.0}
    return LastHour(**{**fields, "parts": {"instant m": Part(20, 2_000)}, **changes})


def test_a_usual_hour_is_nothing() -> None:
    """Nor is a quiet one, or one half as busy again."""
    for times in (0, 0.5, 1, 1.05):
        parts = {"instant m": Part(20 * times, 2_000 * times)}
        assert unusual(usual(), hour(photos=20 * times, parts=parts), LIMIT) == {}


@pytest.mark.parametrize(("times", "begins"), [(3.0, True), (2.1, True), (1.9, False), (1.2, False)])
def test_three_times_as_many_photos_begin_and_fewer_go_on(times: float, begins: bool) -> None:
    """Less than twice begins nothing, and keeps open what has begun."""
    found = unusual(usual(), hour(photos=20 * times), LIMIT)
    assert found[Metric.DEMAND].begins is begins
    assert found[Metric.DEMAND].text == f"{20 * times:.0f} photos in an hour, usually about 20."


def test_hours_that_vary_by_themselves_begin_nothing() -> None:
    """Five times as many, where half as many again is usual: it would go on with an episode, and begins none."""
    varied = tuple(each.model_copy(update={"spread": 0.5}) for each in usual().demand)
    found = unusual(usual().model_copy(update={"demand": varied}), hour(photos=100), LIMIT)
    assert found[Metric.DEMAND].begins is False


def rainy() -> UsualDay:
    """Return a day whose hours are half as much again or less, mostly as the hour before was."""
    steps = Steps(stays=0.8, off=tuple(Errors(spread=0.1) for _ in range(24)))
    varied = tuple(each.model_copy(update={"spread": 0.5}) for each in usual().demand)
    return usual().model_copy(update={"demand": varied, "demand_steps": steps})


def before(photos: float) -> Span:
    """Return the hour from ten to eleven."""
    return Span(NOON - 2 * HOUR, NOON - HOUR, photos, 100 * photos)


@pytest.mark.parametrize(
    ("earlier", "begins"), [(before(20), True), (before(55), True), (before(120), False), (None, False)]
)
def test_an_hour_is_known_by_the_one_before(earlier: Span | None, begins: bool) -> None:
    """Five times as many begin an episode if the hour before was usual, and not if it was as busy, or is not known."""
    assert unusual(rainy(), hour(photos=100, before=earlier), LIMIT)[Metric.DEMAND].begins is begins


def test_the_rain_that_stops_is_nothing() -> None:
    """From a third to what is usual, or half as much again: far more than the hour before, and not much."""
    assert Metric.DEMAND not in unusual(rainy(), hour(photos=20, before=before(7)), LIMIT)
    assert Metric.DEMAND not in unusual(rainy(), hour(photos=30, before=before(7)), LIMIT)


def test_three_times_what_the_rain_lets_one_expect_are_a_rise() -> None:
    """Though they are less than twice what is usual. After a usual hour as many are none."""
    (found,) = unusual(rainy(), hour(photos=35, before=before(7)), LIMIT).values()
    assert found == Finding("35 photos in an hour, 7 in the one before, usually about 20.", begins=True)
    assert not unusual(rainy(), hour(photos=35, before=before(20)), LIMIT)[Metric.DEMAND].begins


def test_a_busy_hour_before_does_not_raise_what_is_twice_as_much() -> None:
    """Four times the usual, far more than the busy hour before lets one expect, though not twice of that."""
    assert unusual(rainy(), hour(photos=80, before=before(55)), LIMIT)[Metric.DEMAND].begins


def test_it_goes_on_until_an_hour_is_nearly_usual() -> None:
    """Within one spread of what is usual: of 0.5, up to two thirds more."""
    assert unusual(rainy(), hour(photos=35), LIMIT)[Metric.DEMAND].begins is False
    assert Metric.DEMAND not in unusual(rainy(), hour(photos=32), LIMIT)


def test_money_is_known_by_the_hour_before_too() -> None:
    """By its own steps."""
    steps = Steps(stays=1.0, off=tuple(Errors(spread=0.1) for _ in range(24)))
    varied = tuple(each.model_copy(update={"spread": 0.5}) for each in usual().spend)
    day = usual().model_copy(update={"spend": varied, "spend_steps": steps})
    dear = {"instant m": Part(20, 9_000)}
    assert unusual(day, hour(parts=dear, before=before(20)), LIMIT)[Metric.SPEND].begins
    assert not unusual(day, hour(parts=dear, before=before(80)), LIMIT)[Metric.SPEND].begins


def test_a_night_alarms_nobody() -> None:
    """Twice of little is little: it takes half of what a mean hour brings."""
    quiet = usual().model_copy(
        update={
            "demand": tuple(
                each.model_copy(update={"expected": 0.5 if n == 11 else 40.0}) for n, each in enumerate(usual().demand)
            )
        }
    )
    assert not unusual(quiet, hour(photos=18), LIMIT)[Metric.DEMAND].begins
    assert unusual(quiet, hour(photos=25), LIMIT)[Metric.DEMAND].begins


def test_little_money_alarms_nobody() -> None:
    """Three times as much begins an episode from a hundredth of the day's limit on; less keeps open what has begun."""
    parts = {"instant m": Part(60, 6_000)}
    assert unusual(usual(), hour(parts=parts), 390_000)[Metric.SPEND].begins
    found = unusual(usual(), hour(parts=parts), 410_000)
    assert found[Metric.SPEND].begins is False
    assert unusual(usual(), hour(photos=60, parts=parts), 10_000_000)[Metric.DEMAND].begins


def test_money_has_its_reasons_and_they_add_up() -> None:
    """Three times as many photos, at twice the price, of which some are of a model that is new."""
    parts = {"instant m": Part(50, 10_000), "instant n": Part(10, 3_000)}
    text = unusual(usual(), hour(photos=60, parts=parts), LIMIT)[Metric.SPEND].text
    assert text.startswith("$0.0130 in an hour, usually about $0.0020. Of the difference ")
    figures = [float(each.split("$")[1].split(" ")[0]) for each in text.split("difference ")[1].split(",")]
    assert sum(figures) == pytest.approx(0.0110, abs=0.0002)
    cheaper = {"instant m": Part(200, 5_000)}
    assert "-$0.0150 by their price" in unusual(usual(), hour(parts=cheaper), LIMIT)[Metric.SPEND].text
    bare = usual().model_copy(update={"parts": {}})
    assert "$0.0000 by more photos" in unusual(bare, hour(parts=parts), LIMIT)[Metric.SPEND].text


def test_failures_are_against_as_many_calls() -> None:
    """Eight of twenty; four are too few to look at."""
    found = unusual(usual(), hour(failed=8), LIMIT)[Metric.FAILURES]
    assert (found.begins, found.text) == (
        True,
        "8 of 20 calls have failed in an hour, usually about 0 of as many.",
    )
    assert not unusual(usual(), hour(failed=4), LIMIT)[Metric.FAILURES].begins


def test_a_wait_is_in_minutes() -> None:
    """Two hours instead of forty minutes; unknown waits say nothing."""
    found = unusual(usual(), hour(wait=7_200.0), LIMIT)[Metric.WAIT]
    assert found.begins
    assert found.text == "Half of the batch photos answered in the last hour took 120 minutes or more, usually 40."
    assert Metric.WAIT not in unusual(usual(), hour(wait=None), LIMIT)
    assert Metric.WAIT not in unusual(usual().model_copy(update={"wait": None}), hour(wait=7_200.0), LIMIT)
