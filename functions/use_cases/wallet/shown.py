"""What a user is shown of the wallet, and what a contact makes of it before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.config.shop import Perk
from functions.core.refresh.refresh import credit_due, in_arrears
from functions.core.wallet.achievements import shown_achievements
from functions.core.wallet.earning import streak
from functions.core.wallet.ledger import Today, today_of
from functions.core.wallet.months import this_month

if TYPE_CHECKING:
    from functions.core.config.plans import PlanRules
    from functions.core.config.runtime import RuntimeConfig
    from functions.core.wallet.ledger import Wallet
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
    "priority_until",
    "created_at",
    "updated_at",
}
"""What is shown of a wallet as it is stored. The rest is bookkeeping, or is shown in another form."""


def contacted(uid: str, deps: Deps) -> Wallet:
    """Return the wallet of a user who is here: opened with its welcome tokens, or with the credit due. One read; a
    transaction if something comes."""
    now, runtime = deps.clock(), deps.runtime()
    wallet = deps.store.get_wallet(uid)
    if wallet is None or in_arrears(wallet, runtime, now):
        wallet = deps.store.open_wallet(uid, lambda stored: credit_due(stored, uid, runtime, now))
    return wallet


def shown_wallet(wallet: Wallet, deps: Deps) -> dict[str, Any]:
    """Return a wallet as JSON: see `get_wallet`."""
    now, runtime = deps.clock(), deps.runtime()
    plan = runtime.plans.of(wallet.plan)
    return {
        **wallet.as_json(include=_SHOWN),
        "achievements": shown_achievements(wallet, runtime, now),
        "perks": {perk.value: runtime.shop.price(perk) for perk in Perk},
        "streakSavers": wallet.streak_savers,
        "streakDays": streak(wallet, now),
        "pointsAvailable": max(wallet.points - wallet.converted_points, 0),
        "pointsPerToken": runtime.tokens.points_per_token,
        "today": _used_today(today_of(wallet, now), plan, runtime),
        "month": {"used": this_month(wallet, now).photos, "limit": plan.photos_per_month},
        "unlimited": plan.unlimited,
    }


def _used_today(today: Today, plan: PlanRules, runtime: RuntimeConfig) -> dict[str, Any]:
    return {
        "day": today.day,
        "instant": {"used": today.instant, "limit": plan.instant_per_day},
        "batch": {"used": today.batch, "limit": plan.batch_per_day},
        "manual": {"used": today.manual, "limit": plan.manual_per_day},
        "convertedTokens": {"used": today.converted, "limit": runtime.tokens.conversion_tokens_per_day},
        "givenTokens": {"used": today.given, "limit": runtime.shop.gift_tokens_per_day},
    }
