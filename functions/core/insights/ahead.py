"""The plan of the next five weeks: what will be asked for, what it costs under the limits, and which limit would do.

Each figure comes from forecasts that were issued: bands and chances are there once enough of them have been.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from functions.core.config.events import Event
from functions.core.config.runtime import BudgetRules
from functions.core.insights import outlook
from functions.core.insights.day_notes import DAY_HOURS, HOURS_DAYS, DayNotes, NotedDay, Series, series
from functions.core.insights.forecast import DAYS_AHEAD, Forecast, History, Issue, forecast
from functions.core.insights.issues import Issues
from functions.core.insights.methods import WEEK
from functions.core.insights.money_ahead import PER_CENT, Limits, days_ahead, month_ahead, planning
from functions.core.insights.plan import LaneAhead, PastDay, Plan
from functions.core.shared.lanes import Lane

PAST_DAYS = 62
"""Days so far that are shown: this month's and the last one's."""
PRICE_DAYS = 28
"""Of these a photo's cost is the mean."""


def made_plan(
    notes: DayNotes,
    issues: Issues,
    events: Sequence[Event],
    rules: BudgetRules,
    most: Mapping[Lane, int],
    now: datetime,
) -> tuple[Plan, Issues]:
    """Return the plan, and the issued forecasts with today's. `most` is the most that a photo can cost."""
    first, days = now.date(), series(notes, now.date())
    past = _past(notes)
    known, filled = (len(days.days), days.filled) if days else (0, 0)
    bare = Plan(made_at=now, first=first.isoformat(), known=known, filled=filled, past=past)
    made = {lane: of for lane in Lane if days and (of := _forecast(days, lane, issues.of_lane(lane), events))}
    if days is None or not made:
        return bare, issues
    spent = sum(each.micros for each in past if each.day >= first.replace(day=1).isoformat())
    limits = Limits(rules, spent, most)
    times = [_times(events, first + timedelta(days=ahead)) for ahead in range(DAYS_AHEAD)]
    micros = {lane: _photo_micros(days.days[-PRICE_DAYS:], lane, limits.most[lane]) for lane in Lane}
    lanes = [
        outlook.Lane(_times_each(of.expected, times), [_times_each(path, times) for path in of.paths], micros[lane])
        for lane, of in made.items()
    ]
    both = History(days.begins, [each.photos for each in days.days])
    plan = bare.model_copy(
        update={
            "lanes": {lane.value: _lane(of, times, micros[lane]) for lane, of in made.items()},
            "days": days_ahead(lanes, limits, first),
            "month": month_ahead(lanes, limits, first),
            "planning": planning(lanes, limits),
            "weekdays": _rounded(outlook.weekday_multipliers(both)),
            "hours": _hours(days),
            "months": {str(month): round(n, 3) for month, n in outlook.month_multipliers(both).items()},
        }
    )
    return plan, issues.with_issue(first, made)


def _past(notes: DayNotes) -> tuple[PastDay, ...]:
    latest = sorted(notes.days.items())[-PAST_DAYS:]
    return tuple(PastDay(day=day, asked=each.asked, micros=sum(each.micros.values())) for day, each in latest)


def _times(events: Sequence[Event], day: date) -> float:
    """Return how many times its usual photos a day brings, by the operators' calendar."""
    return math.prod(event.percent / PER_CENT for event in events if event.since <= day <= event.until)


def _times_each(values: Sequence[float], times: Sequence[float]) -> tuple[float, ...]:
    return tuple(value * each for value, each in zip(values, times, strict=True))


def _forecast(days: Series, lane: Lane, issued: Sequence[Issue], events: Sequence[Event]) -> Forecast | None:
    """Return a lane's forecast without its events: what a day of an event brought teaches what a usual one would."""
    usual = [
        each.asked.get(lane, 0) / _times(events, days.begins + timedelta(days=ahead))
        for ahead, each in enumerate(days.days)
    ]
    return forecast(History(days.begins, usual), issued)


def _photo_micros(days: Sequence[NotedDay], lane: Lane, most: int) -> float:
    """Return what a photo asked for costs on the mean: what one costs that ends at the provider, as often as it is not
    answered from the cache. The most that it can cost, before there was any."""
    ended = sum(each.ended.get(lane, 0) for each in days)
    done, answered = sum(each.done for each in days), sum(each.answered for each in days)
    cost = sum(each.paid(lane) for each in days) / ended if ended else float(most)
    return cost * min(answered / done, 1) if done else cost


def _lane(made: Forecast, times: Sequence[float], photo_micros: float) -> LaneAhead:
    return LaneAhead(
        shown=made.shown,
        error_to_naive=None if made.error_to_naive is None else round(min(made.error_to_naive, PER_CENT), 3),
        expected=_rounded(_times_each(made.expected, times)),
        low=_rounded(made.low and _times_each(made.low, times)),
        high=_rounded(made.high and _times_each(made.high, times)),
        photo_micros=round(photo_micros, 3),
    )


def _rounded(values: Sequence[float] | None) -> tuple[float, ...] | None:
    return None if values is None else tuple(round(each, 3) for each in values)


def _hours(days: Series) -> tuple[float, ...] | None:
    """Return the hours' multipliers, Monday first, by the last eight weeks, as far back as each day has its hours."""
    hours: list[float] = []
    for each in reversed(days.days[-HOURS_DAYS:]):
        if len(each.hours) != DAY_HOURS:
            break
        hours = [*each.hours, *hours]
    found = outlook.hour_multipliers(hours)
    if found is None:
        return None
    monday = (WEEK - days.ends.weekday()) % WEEK * DAY_HOURS
    return _rounded([*found[monday:], *found[:monday]])
