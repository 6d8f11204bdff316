"""What a user is shown of what is sold, and of what they pay for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.config.plans import Plan
from functions.core.payments.automatic import PayPerUse
from functions.core.payments.comparison import months, photo_costs
from functions.core.payments.subscriptions import Status
from functions.core.shared.lanes import Lane
from functions.core.shared.utc_days import iso_text

if TYPE_CHECKING:
    from functions.core.config.billing import Product
    from functions.core.config.runtime import RuntimeConfig
    from functions.core.payments.billing import Billing
    from functions.core.wallet.ledger import Wallet
    from functions.wiring import Deps


def shown_billing(billing: Billing, wallet: Wallet | None, deps: Deps) -> dict[str, Any]:
    """Return it as JSON: see `get_billing`. Reads nothing but the settings."""
    runtime = deps.runtime()
    held = billing.held(runtime.billing.grace_days, deps.clock())
    sold = [
        each for each in billing.subscriptions.values() if each.plan == held.plan and each.provider == held.provider
    ]
    shown: dict[str, Any] = {"plan": Plan.FREE, "balance": 0, "purchased": 0, "owed": 0}
    shown |= wallet.as_json(include=set(shown)) if wallet else {}
    return {
        **shown,
        "seller": held.provider,
        "planUntil": held.until and iso_text(held.until),
        "renews": any(each.renews for each in sold),
        "overdue": any(each.status == Status.PAST_DUE for each in sold),
        "sellOn": list(runtime.billing.sell_on),
        "photoTokens": _photo_tokens(runtime),
        "photo": photo_costs(str(shown["plan"]), runtime),
        "payPerUse": shown_pay_per_use(billing, deps),
        "months": months(wallet, runtime) if wallet else [],
        "products": [_shown(each, runtime) for each in runtime.billing.products],
    }


def shown_pay_per_use(billing: Billing, deps: Deps) -> dict[str, Any]:
    """Return what an automatic pack is, what the user has allowed, and why nothing is bought any more."""
    rules, state = deps.runtime().billing.pay_per_use, billing.pay_per_use or PayPerUse()
    pack = {"minor": rules.minimum_minor, "currency": rules.currency, "tokens": rules.tokens}
    used = {"spentMinor": state.spent_in(deps.clock()), "stopped": state.stopped}
    return {**pack, "mostMinor": rules.monthly_max_minor, "monthMaxMinor": state.month_max_minor, **used}


def _photo_tokens(runtime: RuntimeConfig) -> dict[str, int]:
    return {Lane.INSTANT.value: runtime.tokens.instant_price, Lane.BATCH.value: runtime.tokens.batch_price}


def _shown(product: Product, runtime: RuntimeConfig) -> dict[str, Any]:
    photos = {lane: product.tokens // price for lane, price in _photo_tokens(runtime).items()}
    shown = product.as_json(include={"name", "tokens", "plan", "minor", "currency", "store_ids"})
    unlimited = product.plan is not None and runtime.plans.of(product.plan).unlimited
    return {**shown, "onWeb": product.stripe_price is not None, "photos": photos, "unlimited": unlimited}
