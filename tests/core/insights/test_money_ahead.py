"""What a forecast costs: sums of its days, limits that are reached, and one that would do."""

from datetime import date, timedelta
from itertools import pairwise

import pytest

from functions.core.config.runtime import BudgetRules
from functions.core.insights.forecast import DAYS_AHEAD
from functions.core.shared.lanes import Lane
from tests.core.insights.planned import MOST, TODAY, busy, history, notes, planned


def test_the_month_ends_at_what_its_days_come_to() -> None:
    """Days so far, and those to come until the last."""
    plan, _ = planned(history(60), TODAY)
    month = plan.month
    assert month is not None
    assert month.spent == sum(day.micros for day in plan.past if day.day >= "2026-11-01")
    to_come = sum(day.micros for day in plan.days if day.day <= "2026-11-30")
    assert month.expected == pytest.approx(month.spent + to_come, abs=10)


def test_a_limit_that_is_reached_has_its_day_and_its_photos() -> None:
    """The month's is nearly spent: from then on all photos wait, until the next month begins."""
    known = history(260)
    free, _ = planned(known, TODAY)
    assert free.month is not None
    limit = free.month.spent + free.days[0].micros + free.days[1].micros // 2
    plan, _ = planned(known, TODAY, BudgetRules(monthly_limit_micros=limit), weeks=14)
    month = plan.month
    assert month is not None
    assert (month.expected, month.high) == (limit, limit)
    assert month.chance == 1
    assert month.reached_on in {"2026-11-22", "2026-11-23"}
    waiting = [day.waiting for day in plan.days]
    assert waiting[0] == 0 < waiting[1] < waiting[2]
    assert waiting[2] == round(sum(lane.expected[2] for lane in plan.lanes.values()))
    december = next(n for n, day in enumerate(plan.days) if day.day == "2026-12-01")
    assert waiting[december - 1] > 0
    assert waiting[december : december + 10] == [0] * 10  # nothing of it is spent


def test_a_daily_limit_is_recommended_that_closes_one_day_in_a_hundred() -> None:
    """With all batches held at their most; the instant lane closes at a share of it. It closes what it says."""
    plan, _ = planned(history(260), TODAY, BudgetRules(daily_limit_micros=100_000), weeks=14)
    planning = plan.planning
    assert planning is not None
    assert planning.limit % 10_000 == planning.instant_limit % 10_000 == 0
    assert planning.limit == pytest.approx(0.8 * planning.instant_limit, abs=10_000)
    held = [
        sum(lane.expected[day] * (MOST[Lane.BATCH] if name == "batch" else 200) for name, lane in plan.lanes.items())
        for day in range(DAYS_AHEAD)
    ]
    assert planning.limit > max(held) * 0.99
    assert 0 < planning.closed_share < planning.instant_closed_share
    enough = BudgetRules(daily_limit_micros=planning.instant_limit)
    again, _ = planned(history(260), TODAY, enough, weeks=14)
    assert again.planning is not None
    assert again.planning.instant_closed_share <= 0.01


def test_days_follow_one_another_over_the_end_of_a_year() -> None:
    """From a December day five weeks on, past two months."""
    today = date(2026, 12, 28)
    plan, _ = planned(notes(today - timedelta(days=40), 40, busy), today)
    days = [date.fromisoformat(day.day) for day in plan.days]
    assert all(after - before == timedelta(days=1) for before, after in pairwise(days))
    assert (days[0], days[-1]) == (today, date(2027, 1, 31))
