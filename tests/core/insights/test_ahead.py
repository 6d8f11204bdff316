"""The plan: what is told from when on, each figure the sum of others, and nothing beyond what was issued."""

from datetime import timedelta

import pytest

from functions.core.config.events import Event
from functions.core.insights.day_notes import DayNotes, NotedDay
from functions.core.insights.forecast import DAYS_AHEAD, INTERVAL_ISSUES
from functions.core.insights.issues import Issues
from functions.core.insights.plan import Plan
from tests.core.insights.planned import TODAY, history, noted, notes, planned


def totals(plan: Plan) -> list[float]:
    """Return what days would cost without a limit."""
    lanes = plan.lanes.values()
    return [sum(lane.expected[day] * lane.photo_micros for lane in lanes) for day in range(DAYS_AHEAD)]


def test_too_few_days_are_shown_and_foretell_nothing() -> None:
    """Twenty of 21; the first of all began in its middle."""
    plan, issues = planned(history(21), TODAY)
    assert (plan.known, plan.days_min, plan.lanes, plan.days, plan.month) == (20, 21, {}, (), None)
    assert len(plan.past) == 21
    assert issues == Issues()
    empty, _ = planned(DayNotes(), TODAY)
    assert (empty.known, empty.past) == (0, ())


def test_the_first_plan_has_no_band_and_no_chance() -> None:
    """What days will cost is the sum of both lanes; nothing was issued yet to tell how far off that is."""
    plan, issues = planned(history(22), TODAY)
    assert [lane.low for lane in plan.lanes.values()] == [None, None]
    assert {lane.photo_micros for lane in plan.lanes.values()} == {200, 100}
    assert [day.micros for day in plan.days] == [pytest.approx(total, abs=1) for total in totals(plan)]
    assert plan.days[0].day == plan.first == "2026-11-21"
    assert {(day.low, day.high, day.waiting) for day in plan.days} == {(None, None, 0)}
    assert plan.month is not None
    assert (plan.month.chance, plan.month.low, plan.planning) == (None, None, None)
    assert list(issues.issued) == ["2026-11-21"]


def test_bands_come_from_what_was_issued_and_chances_from_paths() -> None:
    """After a year of forecasts: the expected day lies in its band, the month in its range."""
    plan, issues = planned(history(440), TODAY, weeks=54)
    assert len(issues.issued) == INTERVAL_ISSUES
    for lane in plan.lanes.values():
        assert lane.low is not None
        assert lane.high is not None
        assert all(low <= each <= high for low, each, high in zip(lane.low, lane.expected, lane.high, strict=True))
        assert lane.error_to_naive is not None
        assert (lane.shown == "mixed") == (lane.error_to_naive < 1)
    month = plan.month
    assert month is not None
    assert month.low is not None
    assert month.high is not None
    assert month.low <= month.high
    assert (month.chance, month.reached_on) == (0.0, None)
    assert all(day.low is not None and day.high is not None and day.low <= day.high for day in plan.days)


def test_an_event_changes_its_days_and_teaches_what_they_would_have_been() -> None:
    """Twice as many photos for a week that is over, and half of them on two days to come."""
    usual = notes(TODAY - timedelta(days=60), 60, lambda _: (100, 200))
    week = [(TODAY - timedelta(days=back)).isoformat() for back in range(1, 8)]
    loud = DayNotes(days={**usual.days, **{day: noted(200, 400) for day in week}})
    sale = Event(name="sale", since=TODAY - timedelta(days=7), until=TODAY - timedelta(days=1), percent=200)
    quiet = Event(name="holiday", since=TODAY + timedelta(days=3), until=TODAY + timedelta(days=4), percent=50)
    plan, _ = planned(loud, TODAY, events=(sale, quiet))
    assert plan.lanes["instant"].expected[:6] == pytest.approx((100, 100, 100, 50, 50, 100), rel=0.01)
    assert plan.days[3].micros == pytest.approx(50 * 200 + 100 * 100, rel=0.01)


def test_photos_that_the_cache_answers_cost_nothing() -> None:
    """A quarter of those done; a lane without a photo is taken at the most that one can cost."""
    day = NotedDay(asked={"instant": 8}, ended={"instant": 6}, micros={"instant": 1_200}, done=8, answered=6)
    days = DayNotes(days={(TODAY - timedelta(days=n)).isoformat(): day for n in range(1, 31)})
    plan, _ = planned(days, TODAY)
    assert plan.lanes["instant"].photo_micros == 150
    assert plan.lanes["batch"].photo_micros == 350 * 0.75
    unrowed = {name: each.model_copy(update={"done": 0}) for name, each in days.days.items()}
    again, _ = planned(DayNotes(days=unrowed), TODAY)
    assert again.lanes["instant"].photo_micros == 200


def test_seasons_begin_on_monday() -> None:
    """Weekdays, hours of the week, and months after a year; hours only as far as days have them."""
    hours = tuple(10.0 if hour == 12 else 1.0 for hour in range(24))
    days = {
        (TODAY - timedelta(days=n)).isoformat(): noted(330 if (TODAY - timedelta(days=n)).weekday() == 0 else 33, 0)
        for n in range(1, 401)
    }
    for n in range(1, 15):
        day = TODAY - timedelta(days=n)
        busier = 10 if day.weekday() == 0 else 1
        days[day.isoformat()] = noted(33 * busier, 0, hours=tuple(busier * each for each in hours))
    plan, _ = planned(DayNotes(days=days), TODAY)
    assert plan.weekdays is not None
    assert plan.weekdays[0] == pytest.approx(10 * plan.weekdays[1], rel=0.01)
    assert plan.hours is not None
    assert len(plan.hours) == 168
    assert max(range(168), key=lambda hour: plan.hours[hour] if plan.hours else 0) == 12
    assert plan.hours[36] == pytest.approx(plan.hours[12] / 10, rel=0.01)
    assert set(plan.months) == {str(month) for month in range(1, 13)}
    bare, _ = planned(history(60), TODAY)
    assert (bare.hours, bare.months) == (None, {})
    whole = {name: each.model_copy(update={"hours": hours}) for name, each in history(30).days.items()}
    flat, _ = planned(DayNotes(days=whole), TODAY)
    assert flat.hours is not None
    assert list(flat.hours) == pytest.approx([24 * n / sum(hours) for n in 7 * hours], abs=0.001)
