"""Days in short, and the forecasts that were issued on them, for the tests of what is made of both."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from functions.core.config.events import Event
from functions.core.config.runtime import BudgetRules
from functions.core.insights.ahead import made_plan
from functions.core.insights.day_notes import DayNotes, NotedDay
from functions.core.insights.issues import Issues
from functions.core.insights.plan import Plan
from functions.core.shared.lanes import Lane

MOST = {Lane.INSTANT: 700, Lane.BATCH: 350}
TODAY = date(2026, 11, 21)


def noted(instant: int, batch: int, micros: tuple[int, int] = (200, 100), hours: tuple[float, ...] = ()) -> NotedDay:
    """Return a day whose photos were all answered."""
    lanes = {"instant": instant, "batch": batch}
    costs = dict(zip(lanes, micros, strict=True))
    return NotedDay(
        asked=lanes,
        ended=lanes,
        micros={lane: n * costs[lane] for lane, n in lanes.items()},
        done=instant + batch,
        answered=instant + batch,
        hours=hours,
    )


def notes(first: date, days: int, photos: Callable[[int], tuple[int, int]]) -> DayNotes:
    """Return so many days of instant and batch photos, by the number of the day."""
    return DayNotes(days={(first + timedelta(days=n)).isoformat(): noted(*photos(n)) for n in range(days)})


def planned(
    known: DayNotes,
    today: date,
    rules: BudgetRules | None = None,
    events: tuple[Event, ...] = (),
    weeks: int = 0,
) -> tuple[Plan, Issues]:
    """Return the plan of a day, after so many weekly ones before it."""
    issues, rules = Issues(), rules or BudgetRules()
    for back in range(weeks, -1, -1):
        now = datetime(today.year, today.month, today.day, 0, 20, tzinfo=UTC) - timedelta(weeks=back)
        plan, issues = made_plan(known, issues, events, rules, MOST, now)
    return plan, issues


def busy(day: int) -> tuple[int, int]:
    """Weekends twice, and every ninth day half as many."""
    times = (2 if day % 7 in {5, 6} else 1) / (2 if day % 9 == 0 else 1)
    return round(100 * times), round(200 * times)


def history(days: int) -> DayNotes:
    """So many days before today."""
    return notes(TODAY - timedelta(days=days), days, busy)
