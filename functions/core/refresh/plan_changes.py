"""A change of plan. What the old plan owes is credited first, then the new one holds, all at one moment."""

from datetime import datetime

from functions.core.config.plans import Plan, rank
from functions.core.config.runtime import RuntimeConfig
from functions.core.refresh.refresh import up_to_date
from functions.core.wallet.accounts import Account


def with_plan(
    account: Account, uid: str, plan: Plan, runtime: RuntimeConfig, now: datetime, until: datetime | None = None
) -> Account:
    """Return a user's account on a plan, as an operator sets it, for good or `until` then. The plan that they are on
    already changes nothing but what is due, and its end.

    From days to months, the month under way is credited here and now; otherwise the new allowance begins with the next
    period (`core.refresh.refresh.first_open`). This is no contact of the user's.
    """
    before = up_to_date(account, uid, runtime, now)
    changed = before.with_fields(plan=plan, plan_until=until, plan_seller=None)
    return up_to_date(changed, uid, runtime, now)


def with_paid_plan(
    account: Account,
    uid: str,
    plan: Plan,
    until: datetime | None,
    seller: str | None,
    runtime: RuntimeConfig,
    now: datetime,
) -> Account:
    """Return a user's account on the plan that is paid for, free if none is. One that an operator has set stays, unless
    a higher one is paid for."""
    wallet = account.wallet
    if wallet.plan_seller is None and rank(wallet.plan) >= rank(plan):
        return account
    if wallet.plan != plan:
        account = with_plan(account, uid, plan, runtime, now)
    return account.with_fields(plan_until=until, plan_seller=seller)
