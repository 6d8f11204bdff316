"""`plan_ahead`: once a day, what the next five weeks will bring, cost, and where a limit stops them.

    read the days since the last plan ► forecast both lanes ► the cost under the limits
    ► what is usual today, what was not on the days before ► tell of it ► what would save money, what has
    ► store all of it

Days are read once and kept in short. It may die anywhere and run twice: nothing is stored before its one commit, and a
forecast that was issued stays as it was. A run that does not come leaves yesterday's plan.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from functions.core.insights.ahead import made_plan
from functions.core.insights.day_notes import needed_since, series, with_days
from functions.core.insights.day_watch import day_watched
from functions.core.insights.usual import usual_day
from functions.core.shared.lanes import Lane
from functions.core.shared.utc_days import day_of
from functions.use_cases.budget.days import call_micros, line_micros
from functions.use_cases.insights.closing import tell_of_closed_days
from functions.use_cases.insights.saving import with_savings
from functions.use_cases.insights.unusual import tell_of_days

if TYPE_CHECKING:
    from functions.core.insights.day_notes import DayNotes
    from functions.wiring import Deps

DAYS_AT_ONCE = 31


def plan_ahead(deps: Deps) -> dict[str, int]:
    """Run once. Returns counts: days `read`, `known` and `filled`, photos `expected` over the days of the forecast, and
    alerts `told`. Some ten reads, one for each of the last 50 changes of the config, and five writes; on an old
    project the first run reads every day once."""
    now, rules = deps.clock(), deps.runtime()
    today = date.fromisoformat(day_of(now))
    kept, issues, watched = deps.store.forecast_documents(today.weekday())
    notes, read = _noted(kept, today, deps)
    most = {Lane.INSTANT: call_micros(deps), Lane.BATCH: line_micros(deps)}
    plan, issues = made_plan(notes, issues, rules.ahead.events, rules.budget, most, now)
    plan = with_savings(plan, notes, today, deps)
    days = series(notes, today)
    daily, found = day_watched(watched, days) if days else ({}, {})
    closed = tell_of_closed_days(notes, watched.closed, today, deps)
    known = {"day": today.isoformat(), "usual": usual_day(notes, today), "daily": daily, "closed": closed}
    watch = watched.model_copy(update=known)
    told = tell_of_days(found, deps)
    deps.store.write_plan(notes, today.weekday(), issues, watch, plan)
    expected = round(sum(sum(lane.expected) for lane in plan.lanes.values()))
    return {"read": read, "known": plan.known, "filled": plan.filled, "expected": expected, "told": told}


def _noted(notes: DayNotes, today: date, deps: Deps) -> tuple[DayNotes, int]:
    """Return the notes with the days that they lack, and how many were read: the latest first, while there are any."""
    since, last, read = needed_since(notes, today), today - timedelta(days=1), 0
    while last >= since:
        first = max(since, last - timedelta(days=DAYS_AT_ONCE - 1))
        days = deps.store.usage_days(first.isoformat(), last.isoformat())
        if not days:
            break
        notes, read, last = with_days(notes, days, today), read + len(days), first - timedelta(days=1)
    return notes, read
