"""`get_wallet`: the balance and its entries. The first call opens the wallet with its welcome tokens; others write only
the credit due, or the return of a user for whom it had stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.refresh.refresh import credit_due, in_arrears
from functions.core.shared.records import Request
from functions.core.wallet.earning import streak
from functions.core.wallet.ledger import Today, today_of

if TYPE_CHECKING:
    from functions.core.config.plans import PlanRules
    from functions.core.config.tokens import TokenRules
    from functions.wiring import Deps

_SHOWN = {
    "balance",
    "total_earned",
    "total_spent",
    "recent",
    "plan",
    "points",
    "scans",
    "bonus_day",
    "next_refresh_at",
    "created_at",
    "updated_at",
}
"""What is shown of a wallet as it is stored. The rest is bookkeeping, or is shown in another form."""


class GetWallet(Request):
    """No parameters."""


def get_wallet(_request: GetWallet, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the wallet as JSON: `balance`, `totalEarned`, `totalSpent`, `points`, how many of them buy a token
    (`pointsPerToken`), the last 20 entries in `recent`, when the next allowance comes (`nextRefreshAt`), and under
    `today` what is used of each daily limit as `{used, limit}`.
    """
    now, runtime = deps.clock(), deps.runtime()
    wallet = deps.store.get_wallet(uid)
    if wallet is None or in_arrears(wallet, runtime, now):
        wallet = deps.store.open_wallet(uid, lambda stored: credit_due(stored, uid, runtime, now))
    return {
        **wallet.as_json(include=_SHOWN),
        "streakDays": streak(wallet, now),
        "pointsAvailable": max(wallet.points - wallet.converted_points, 0),
        "pointsPerToken": runtime.tokens.points_per_token,
        "today": _used_today(today_of(wallet, now), runtime.plans.of(wallet.plan), runtime.tokens),
    }


def _used_today(today: Today, plan: PlanRules, rules: TokenRules) -> dict[str, Any]:
    return {
        "day": today.day,
        "instant": {"used": today.instant, "limit": plan.instant_per_day},
        "batch": {"used": today.batch, "limit": plan.batch_per_day},
        "manual": {"used": today.manual, "limit": plan.manual_per_day},
        "convertedTokens": {"used": today.converted, "limit": rules.conversion_tokens_per_day},
    }
