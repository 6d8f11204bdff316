"""`quote`: what each lane costs now and how long it takes, and which one suits the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.budget.holds import Mode
from functions.core.refresh.refresh import credit_due
from functions.core.shared.records import Request
from functions.core.shared.utc_days import iso_text
from functions.core.wallet.token_prices import prices_now, recommended_lane
from functions.use_cases.budget.spending import instant_closed_because, mode, reopens_at
from functions.use_cases.jobs.orders import wait_minutes

if TYPE_CHECKING:
    from functions.wiring import Deps


class Quote(Request):
    """No parameters."""


def quote(_request: Quote, uid: str, deps: Deps) -> dict[str, Any]:
    """Return prices (tokens), waits (minutes), balance, queue position and the recommended lane.

    The price shown is the price paid when `maxTokens` is sent along with the photo. With the budget used up,
    `instant.closedBecause` is `BUDGET` until `instant.opensAt`; batch photos are still taken, and those that have not
    been sent wait until `batch.pausedUntil`, which is part of `batch.waitMinutes`.
    """
    runtime, queue = deps.runtime(), deps.queue()
    rules = runtime.tokens
    wallet = deps.store.get_wallet(uid)
    # What a contact would make of the wallet is what the next call finds; nothing is written for a look at prices.
    balance = credit_due(wallet, uid, runtime, deps.clock()).wallet.balance
    prices = prices_now(rules, queue.queued)
    closed_because = instant_closed_because(deps)
    recommended = recommended_lane(
        prices,
        balance,
        wallet.scans if wallet else 0,
        rules.instant_recommended_scans,
        instant_open=closed_because is None,
    )
    opens_at = iso_text(reopens_at(deps))
    return {
        "balance": balance,
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
    }
