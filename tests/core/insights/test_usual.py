"""What is usual for a day, and from when on that is known."""

import math
from collections.abc import Callable
from datetime import date, timedelta
from random import Random

import pytest

from functions.core.insights.day_notes import DayNotes, NotedDay
from functions.core.insights.usual import UsualDay, usual_day

TODAY = date(2026, 11, 30)  # a Monday


def day(photos: float, failed: int = 1, wait: float | None = 2_400.0) -> NotedDay:
    """Return a day with so many photos in each hour, at 100 micro-dollars each."""
    hours = tuple(photos * (3 if hour == 12 else 1) for hour in range(24))
    return NotedDay(
        asked={"instant": round(sum(hours))},
        ended={"instant": 98},
        failed=failed,
        wait=wait,
        hours=hours,
        spent=tuple(100 * each for each in hours),
        parts={"instant m": (sum(hours), 100 * sum(hours))},
    )


def known(days: int, **more: NotedDay) -> DayNotes:
    """Return so many days before today, Mondays twice as busy, each a little off."""
    found = {}
    for back in range(1, days + 1):
        when = TODAY - timedelta(days=back)
        found[when.isoformat()] = day((20 if when.weekday() == 0 else 10) * (1 + 0.02 * (back % 3)))
    return DayNotes(days={**found, **more})


def usual(days: int = 56) -> UsualDay:
    """Return what is usual after so many days."""
    found = usual_day(known(days), TODAY)
    assert found is not None
    return found


def test_nothing_is_usual_before_three_weeks() -> None:
    """Two others of each weekday."""
    assert usual_day(known(20), TODAY) is None
    assert usual_day(known(21), TODAY) is not None
    unsplit = {name: each.model_copy(update={"spent": ()}) for name, each in known(30).days.items()}
    assert usual_day(DayNotes(days=unsplit), TODAY) is None


def test_an_hour_is_usual_as_on_the_same_weekday() -> None:
    """By photos and by money; how far hours are off is never less than a twentieth."""
    found = usual()
    assert found.demand[0].expected == pytest.approx(20.4, abs=0.4)
    assert found.demand[12].expected == pytest.approx(3 * found.demand[0].expected, rel=0.01)
    assert found.spend[12].expected == pytest.approx(100 * found.demand[12].expected, rel=0.01)
    assert {each.spread for each in found.demand} == {0.05}
    assert abs(found.demand[0].middle) < 0.05


def test_a_day_is_measured_by_the_others_of_its_weekday() -> None:
    """Ten, ten and forty on each: a ten is against the middle of ten and forty."""
    days = {(TODAY - timedelta(days=back)).isoformat(): day(40 if back > 14 else 10) for back in range(1, 22)}
    found = usual_day(DayNotes(days=days), TODAY)
    assert found is not None
    assert found.demand[0].expected == 10
    assert found.demand[0].middle == pytest.approx(math.log(11 / 26), abs=0.001)


def test_failures_are_a_share_and_waits_are_seconds() -> None:
    """Without a batch there is no wait; the parts are those of a mean day."""
    found = usual()
    assert found.failures.expected == pytest.approx(0.02)
    assert found.wait is not None
    assert found.wait.expected == 2_400
    photos, micros = found.parts["instant m"]
    assert micros == pytest.approx(100 * photos)
    unwaited = {name: each.model_copy(update={"wait": None}) for name, each in known(30).days.items()}
    assert getattr(usual_day(DayNotes(days=unwaited), TODAY), "wait", 0) is None


def test_a_weekday_of_which_there_is_one_is_measured_by_none() -> None:
    """The others tell how far hours are off; what today brings is not known."""
    days = {name: each for name, each in known(56).days.items() if date.fromisoformat(name).weekday() != 0}
    found = usual_day(DayNotes(days={**days, "2026-11-23": day(20)}), TODAY)
    assert found is not None
    assert found.demand[0].expected == 20
    none = usual_day(DayNotes(days=days), TODAY)
    assert none is not None
    assert none.demand[0].expected == 0


def varied(of: Callable[[int, int], float]) -> UsualDay:
    """Return what is usual after eight weeks of a hundred photos an hour, times a figure of the day and the hour."""
    found = {}
    for back in range(1, 57):
        hours = tuple(100 * of(back, hour) for hour in range(24))
        found[(TODAY - timedelta(days=back)).isoformat()] = NotedDay(hours=hours, spent=hours)
    usual = usual_day(DayNotes(days=found), TODAY)
    assert usual is not None
    return usual


def test_of_whole_days_that_are_off_an_hours_error_stays() -> None:
    """By half more or less, in weeks by turns: the hour before tells all."""
    found = varied(lambda back, _: (1.5, 0.7)[back // 7 % 2])
    assert found.demand_steps is not None
    assert found.demand_steps.stays == 1
    assert {each.spread for each in found.demand_steps.off} == {0.05}
    assert found.demand[5].spread > 0.3


def test_of_hours_that_are_off_by_chance_hardly_anything_stays() -> None:
    """What comes is as unsure as without the hour before."""
    dice = Random(1)  # noqa: S311  (repeatable)
    found = varied(lambda *_: math.exp(dice.gauss(0, 0.4)))
    assert found.spend_steps is not None
    assert found.spend_steps.stays < 0.15
    assert found.spend_steps.off[5].spread == pytest.approx(found.spend[5].spread, rel=0.2)


def test_days_that_are_all_the_same_have_no_steps() -> None:
    """Nothing was off, and so nothing stays."""
    found = varied(lambda *_: 1)
    assert found.demand_steps is not None
    assert (found.demand_steps.stays, found.demand_steps.off[0].middle, len(found.demand_steps.off)) == (0, 0, 24)


def test_how_far_an_hour_is_off_is_known_from_those_beside_it() -> None:
    """Two that vary make the one between them vary; an hour further away does not."""
    dice = Random(1)  # noqa: S311  (repeatable)
    found = varied(lambda _, hour: math.exp(dice.gauss(0, 1)) if hour in {4, 6} else 1)
    assert found.demand[5].spread > 0.3
    assert found.demand[8].spread == 0.05
