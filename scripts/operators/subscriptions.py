"""A change of plan. What the old plan owes is credited first, then the new one holds, all at one moment."""

from datetime import datetime

from functions.core.config.plans import Plan
from functions.core.config.runtime import RuntimeConfig
from functions.core.refresh.refresh import up_to_date
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Wallet


def with_plan(wallet: Wallet, uid: str, plan: Plan, runtime: RuntimeConfig, now: datetime) -> Account:
    """Return a user's account on a plan. The plan that they are on already changes nothing but what is due.

    From days to months, the month under way is credited here and now; otherwise the new allowance begins with the next
    period (`core.refresh.refresh.first_open`). This is no contact of the user's.
    """
    before = up_to_date(Account(wallet), uid, runtime, now)
    return up_to_date(before.with_fields(plan=plan), uid, runtime, now)
