"""What photos cost in money, and what the other lane or a plan would have cost: plain arithmetic for a user's eyes.

A token is worth what it costs in the pack on sale that sells it cheapest. Amounts are whole minor units, rounded up.
"""

from typing import Any

from functions.core.config.billing import Product
from functions.core.config.plans import AllowanceKind, Every
from functions.core.config.runtime import RuntimeConfig
from functions.core.wallet.ledger import UsedMonth, Wallet
from functions.core.wallet.token_prices import Prices, prices_now

MONTH_DAYS = 30


def cheapest_pack(runtime: RuntimeConfig) -> Product | None:
    """Return the pack on sale in which a token costs least, None if none is."""
    rules = runtime.billing
    packs = [each for each in rules.products if each.plan is None and each.on_sale] if rules.sell_on else []
    return min(packs, key=lambda each: each.minor / each.tokens, default=None)


def worth(tokens: int, pack: Product | None) -> int | None:
    """Return what tokens cost in this pack, None without one."""
    return None if pack is None else -(-tokens * pack.minor // pack.tokens)


def photo_costs(plan: str, runtime: RuntimeConfig) -> dict[str, Any]:
    """Return what a photo costs on a plan: `instant` and `batch`, each in `tokens` and `minor`; and the `product` and
    `currency` that this is by, None where no pack is sold."""
    pack, prices = cheapest_pack(runtime), prices_now(runtime.tokens, 0)
    paid = 0 if runtime.plans.of(plan).unlimited else 1
    lanes = {"instant": paid * prices.instant, "batch": paid * prices.batch}
    costs = {lane: {"tokens": tokens, "minor": worth(tokens, pack)} for lane, tokens in lanes.items()}
    return {**costs, "product": pack and pack.name, "currency": pack and pack.currency}


def months(wallet: Wallet, runtime: RuntimeConfig) -> list[dict[str, Any]]:
    """Return what a user has used by month, the newest first: photos by lane, `tokens` spent and what these are worth;
    and what the same photos cost by today's prices in one lane alone (`allInstant`, `allBatch`), and on each plan that
    is sold and takes so many (`plans`)."""
    pack, prices = cheapest_pack(runtime), prices_now(runtime.tokens, 0)
    found = []
    for used in wallet.months:
        lanes = {"allInstant": used.photos * prices.instant, "allBatch": used.photos * prices.batch}
        alone = {name: {"tokens": tokens, "minor": worth(tokens, pack)} for name, tokens in lanes.items()}
        spent = used.as_json(include={"month", "instant", "batch", "tokens"})
        own = {"minor": worth(max(used.tokens, 0), pack), "plans": _on_plans(used, prices, pack, runtime)}
        found.append({**spent, **own, **alone})
    return found


def _on_plans(used: UsedMonth, prices: Prices, pack: Product | None, runtime: RuntimeConfig) -> list[dict[str, Any]]:
    needed = used.instant * prices.instant + used.batch * prices.batch
    found = []
    for product in runtime.billing.products if runtime.billing.sell_on else ():
        if product.plan is None or not product.on_sale:
            continue
        rules = runtime.plans.of(product.plan)
        most = rules.photos_per_month
        missing = 0 if rules.unlimited else max(needed - product.tokens - _allowance(product.plan, runtime), 0)
        more = worth(missing, pack) if missing else 0
        if more is not None and (most is None or used.photos <= most):
            shown = product.as_json(include={"plan", "currency"})
            found.append({**shown, "product": product.name, "minor": product.minor + more})
    return sorted(found, key=lambda each: int(each["minor"]))


def _allowance(plan: str, runtime: RuntimeConfig) -> int:
    """Return the tokens that a plan adds in a month; what only tops up is not counted on."""
    allowance = runtime.refresh.allowances.of(plan)
    if allowance is None or allowance.kind is AllowanceKind.TOP_UP:
        return 0
    return allowance.amount * (MONTH_DAYS if allowance.every is Every.DAY else 1)
