"""What a forecast costs under the limits, day by day and by the end of the month, and which daily limit would do."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from functions.core.config.runtime import BudgetRules
from functions.core.insights import outlook
from functions.core.insights.forecast import COVERAGE
from functions.core.insights.plan import DayAhead, MonthAhead, Planning
from functions.core.shared.lanes import Lane

CLOSED_SHARE = 0.01
"""A daily limit is recommended that closes a lane on at most this share of days."""
LIMIT_STEP_MICROS = 10_000
PER_CENT = 100


@dataclass(frozen=True)
class Limits:
    """What may be spent: the `rules`, what this month has `spent` before today, and the most that a photo can cost."""

    rules: BudgetRules
    spent: int
    most: Mapping[Lane, int]


def days_ahead(lanes: Sequence[outlook.Lane], limits: Limits, first: date) -> tuple[DayAhead, ...]:
    """Return the days of a forecast from `first` on, `lanes` in the order of `Lane`."""
    expected = _under_limits(lanes, limits, first)
    others = [_under_limits(way, limits, first) for way in outlook.ways(lanes) or []]
    ranges = [_range([way[ahead].micros for way in others]) for ahead in range(len(expected))]
    return tuple(
        DayAhead(day=each.day.isoformat(), micros=round(each.micros), low=low, high=high, waiting=round(each.waiting))
        for each, (low, high) in zip(expected, ranges, strict=True)
    )


def _range(values: Sequence[float]) -> tuple[int | None, int | None]:
    """Return what nine of ten values lie between."""
    if not values:
        return None, None
    low, high = (outlook.share_below(values, share) for share in ((1 - COVERAGE) / 2, (1 + COVERAGE) / 2))
    return round(low), round(high)


def _under_limits(lanes: Sequence[outlook.Lane], limits: Limits, first: date) -> list[outlook.DayUnderLimits]:
    """Return the days under the daily limit and each month's own."""
    found: list[outlook.DayUnderLimits] = []
    months = groupby(
        (first + timedelta(days=ahead) for ahead in range(len(lanes[0].expected))), key=lambda day: day.month
    )
    for _, of_month in months:
        begins, count = len(found), len(list(of_month))
        spent = limits.spent if begins == 0 else 0
        left = max(limits.rules.monthly_limit_micros - spent, 0)
        cut = [lane.between(begins, begins + count) for lane in lanes]
        daily = limits.rules.daily_limit_micros
        found += outlook.under_limits(cut, daily, left, first + timedelta(days=begins))
    return found


def month_ahead(lanes: Sequence[outlook.Lane], limits: Limits, first: date) -> MonthAhead:
    """Return what this month comes to."""
    left_days = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - first

    def end(of: Sequence[outlook.Lane]) -> float:
        return limits.spent + sum(day.micros for day in _under_limits(of, limits, first)[: left_days.days])

    low, high = _range([end(way) for way in outlook.ways(lanes) or []])
    limit = limits.rules.monthly_limit_micros
    reach = outlook.reach([lane.between(0, left_days.days) for lane in lanes], limit - limits.spent, first)
    return MonthAhead(
        spent=limits.spent,
        limit=limit,
        expected=round(end(lanes)),
        low=low,
        high=high,
        chance=None if reach is None else round(reach.chance, 3),
        reached_on=reach.day.isoformat() if reach is not None and reach.day else None,
    )


def planning(lanes: Sequence[outlook.Lane], limits: Limits) -> Planning | None:
    """Return the limits by what days need if all of their batches are held at the most that they can cost."""
    found = outlook.ways(lanes)
    if found is None:
        return None
    rates = [
        lane.photo_micros if name is Lane.INSTANT else limits.most[name] for name, lane in zip(Lane, lanes, strict=True)
    ]
    needs = [
        sum(photos * rate for photos, rate in zip(day, rates, strict=True))
        for way in found
        for day in zip(*(lane.expected for lane in way), strict=True)
    ]
    share = limits.rules.batch_only_percent / PER_CENT
    enough, daily = outlook.share_below(needs, 1 - CLOSED_SHARE), limits.rules.daily_limit_micros
    return Planning(
        limit=_step(enough),
        instant_limit=_step(enough / share),
        closed_share=round(sum(need > daily for need in needs) / len(needs), 4),
        instant_closed_share=round(sum(need > daily * share for need in needs) / len(needs), 4),
    )


def _step(micros: float) -> int:
    return math.ceil(micros / LIMIT_STEP_MICROS) * LIMIT_STEP_MICROS
