"""Who pays has a wallet: what is bought without one would wait for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.core.refresh.refresh import credit_due

if TYPE_CHECKING:
    from functions.core.wallet.ledger import Wallet
    from functions.wiring import Deps


def wallet_of(uid: str, deps: Deps) -> Wallet:
    """Return the caller's wallet, which is opened if there is none. One read, or a transaction for a new user."""
    runtime, now = deps.runtime(), deps.clock()
    return deps.store.get_wallet(uid) or deps.store.open_wallet(
        uid, lambda stored: credit_due(stored, uid, runtime, now)
    )
