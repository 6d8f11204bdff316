"""What each lane costs now and how long it takes, for a user with this wallet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.budget.holds import Mode
from functions.core.bulk.listing import bulk_offer
from functions.core.refresh.refresh import credit_due
from functions.core.shared.utc_days import iso_text
from functions.core.wallet.team_wallet import TeamWallet, require_member, shown_member
from functions.core.wallet.token_prices import prices_now, recommended_lane
from functions.use_cases.budget.spending import instant_closed_because, mode, reopens_at
from functions.use_cases.jobs.orders import wait_minutes

if TYPE_CHECKING:
    from functions.core.wallet.ledger import Wallet
    from functions.wiring import Deps


def quoted(wallet: Wallet | None, uid: str, deps: Deps, photos: int | None = None) -> dict[str, Any]:
    """Return prices, waits, balance and the recommended lane, and what so many photos cost in bulk: see `quote`. Reads
    nothing but the settings."""
    runtime, queue = deps.runtime(), deps.queue()
    rules = runtime.tokens
    unlimited = runtime.plans.of(wallet.plan).unlimited if wallet else False
    member = shown_member(require_member(wallet, uid)[1], deps.clock()) if isinstance(wallet, TeamWallet) else None
    # What a contact would make of the wallet is what the next call finds; nothing is written for a look at prices.
    balance = credit_due(wallet, uid, runtime, deps.clock()).wallet.balance
    prices = prices_now(rules, queue.queued)
    closed_because = instant_closed_because(deps)
    recommended = recommended_lane(
        prices,
        prices.instant if unlimited else balance,
        wallet.scans if wallet else 0,
        rules.instant_recommended_scans,
        instant_open=closed_because is None,
    )
    opens_at = iso_text(reopens_at(deps))
    return {
        "balance": balance,
        "unlimited": unlimited,
        "member": member,
        "priceVersion": prices.version,
        "recommended": recommended,
        "instant": {
            "price": prices.instant,
            "open": closed_because is None,
            "closedBecause": closed_because,
            "opensAt": opens_at if closed_because == "BUDGET" else None,
            "waitMinutes": 0,
        },
        "batch": {
            "price": prices.batch,
            "queuePosition": queue.queued + 1,
            "waitMinutes": wait_minutes(deps),
            "health": queue.health,
            "pausedUntil": opens_at if mode(deps) is Mode.CLOSED else None,
        },
        "bulk": bulk_offer(photos, prices.batch, runtime.bulk) if photos else None,
    }
