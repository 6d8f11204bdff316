"""`get_billing`: what is sold, what the caller pays for, and what a photo costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.shared.records import Request
from functions.use_cases.payments.shown import shown_billing

if TYPE_CHECKING:
    from functions.wiring import Deps


class GetBilling(Request):
    """No parameters."""


def get_billing(_request: GetBilling, uid: str, deps: Deps) -> dict[str, Any]:
    """Return `plan`, its `seller`, `planUntil` and whether it `renews` or is `overdue`; `balance`, `purchased` and
    `owed` tokens; where something is sold (`sellOn`), the `products`, each with how many `photos` of a lane its tokens
    pay for, and the price of a photo in tokens (`photoTokens`); what a `photo` costs the caller, and what was used by
    month (`months`), with what the other lane or a plan would have cost: `core.payments.comparison`. Two reads."""
    return shown_billing(deps.store.look_at_billing(uid).billing, deps.store.get_wallet(uid), deps)
