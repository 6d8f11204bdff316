"""Upgrade prompts: the cheapest plan on sale that would have admitted what was refused, found by trying it."""

from collections.abc import Callable
from datetime import datetime

from functions.core.config.plans import rank
from functions.core.config.runtime import RuntimeConfig
from functions.core.shared.errors import DailyLimit, EcolaneError, InsufficientTokens
from functions.core.shared.utc_days import day_of
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Reason
from functions.core.wallet.refusals import MonthlyLimit, PlanRequired

PROMPTING = (MonthlyLimit, PlanRequired, DailyLimit, InsufficientTokens)
"""Refusals that a plan may help against."""


def prompted(
    error: EcolaneError, account: Account, runtime: RuntimeConfig, now: datetime, admit: Callable[[Account], object]
) -> EcolaneError:
    """Return a refusal, with `plans` in its details if one on sale would have admitted what was asked for, and no
    refusal of today has named one; none for a team, which buys no plan. `admit` raises what it refuses an account
    with."""
    wallet, billing = account.wallet, runtime.billing
    if (
        not wallet.earns
        or not isinstance(error, PROMPTING)
        or not billing.sell_on
        or wallet.prompted_day >= day_of(now)
    ):
        return error
    for product in sorted(billing.products, key=lambda each: each.minor):
        if product.plan is None or not product.on_sale or rank(product.plan) <= rank(wallet.plan):
            continue
        on_plan = account.with_fields(plan=product.plan)
        try:
            admit(on_plan.post(0, Reason.PERIOD, product.name, now, bought=product.tokens))
        except EcolaneError:
            continue
        shown = product.as_json(include={"plan", "minor", "currency"})
        error.details["plans"] = [{**shown, "product": product.name}]
        break
    return error
