"""`get_wallet`: the balance and the entries that led to it. The first call opens the wallet with its welcome tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.ledger import open_account
from functions.core.records import Request

if TYPE_CHECKING:
    from functions.wiring import Deps


class GetWallet(Request):
    """No parameters."""


def get_wallet(_request: GetWallet, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the wallet as JSON: `balance`, `totalEarned`, `totalSpent`, the last 20 entries in `recent`."""
    wallet = deps.store.get_wallet(uid)
    if wallet is None:
        welcome = deps.runtime().tokens.welcome
        now = deps.clock()
        wallet = deps.store.open_wallet(uid, lambda stored: open_account(stored, welcome, now))
    return wallet.model_dump(by_alias=True, mode="json")
