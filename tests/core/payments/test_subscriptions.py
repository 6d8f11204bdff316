"""The plan that subscriptions pay for, and when it ends."""

from datetime import timedelta
from typing import Any

import pytest

from functions.core.config.plans import Plan
from functions.core.payments.payments import Provider
from functions.core.payments.subscriptions import PlanHeld, Status, Subscription, held_until, plan_held
from tests.builders import NOW

GRACE = 7
DAY = timedelta(days=1)
END = NOW + 10 * DAY


def subscription(**changes: Any) -> Subscription:
    """Return an active subscription of the middle plan, paid for ten more days."""
    fields = {"provider": Provider.STRIPE, "plan": Plan.PLUS, "status": Status.ACTIVE, "period_end": END}
    return Subscription(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "ends"),
    [
        ({}, END + 7 * DAY),
        ({"status": Status.TRIALING}, END + 7 * DAY),
        ({"status": Status.PAST_DUE}, END + 7 * DAY),
        ({"renews": False}, END),
        ({"status": Status.ENDED}, None),
        ({"status": "paused_by_next_release"}, None),
    ],
)
def test_how_long_a_plan_is_held(changes: dict[str, Any], ends: Any) -> None:
    """For the period and some days of grace; a cancelled one for what was paid; an ended one no longer."""
    assert held_until(subscription(**changes), GRACE) == ends


def test_a_failed_payment_keeps_the_plan_for_the_days_of_grace() -> None:
    """Seven days, not an hour more."""
    late = [subscription(status=Status.PAST_DUE)]
    assert plan_held(late, GRACE, END + 7 * DAY - timedelta(seconds=1)).plan is Plan.PLUS
    assert plan_held(late, GRACE, END + 7 * DAY) == PlanHeld(Plan.FREE)


def test_store_and_web_are_one_plan() -> None:
    """The higher one, whoever sold it; of equal ones the one that holds longest; unknown plans count for nothing."""
    store = subscription(provider=Provider.REVENUECAT, plan=Plan.PRO, period_end=NOW + DAY, renews=False)
    both = [subscription(), store, subscription(plan="galaxy", period_end=END + DAY)]
    assert plan_held(both, GRACE, NOW) == PlanHeld(Plan.PRO, NOW + DAY, Provider.REVENUECAT)
    assert plan_held(both, GRACE, NOW + DAY) == PlanHeld(Plan.PLUS, END + 7 * DAY, Provider.STRIPE)
    longer = subscription(provider=Provider.REVENUECAT, period_end=END + DAY)
    assert plan_held([subscription(), longer], GRACE, NOW).provider is Provider.REVENUECAT
    assert plan_held([], GRACE, NOW) == PlanHeld(Plan.FREE)
