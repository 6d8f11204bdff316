"""`get_wallet`: the balance and its entries. The first call opens the wallet with its welcome tokens; others write only
the credit due, or the return of a user for whom it had stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.shared.records import Request
from functions.use_cases.wallet.shown import contacted, shown_wallet

if TYPE_CHECKING:
    from functions.wiring import Deps


class GetWallet(Request):
    """No parameters."""


def get_wallet(_request: GetWallet, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the wallet as JSON: `balance`, `totalEarned`, `totalSpent`, `points`, how many of them buy a token
    (`pointsPerToken`), the last 20 entries in `recent`, when the next allowance comes (`nextRefreshAt`), and under
    `today` what is used of each daily limit as `{used, limit}`.
    """
    return shown_wallet(contacted(uid, deps), deps)
