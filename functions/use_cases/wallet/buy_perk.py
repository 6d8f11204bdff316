"""`buy_perk`: tokens buy a day of priority, or a day that may be left out of a streak."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions.core.config.shop import Perk
from functions.core.payments.refusals import PurchaseNotHere
from functions.core.refresh.refresh import credit_due
from functions.core.shared.idempotency import require_same_payload
from functions.core.shared.records import Request, RequestId
from functions.core.wallet import ledger
from functions.core.wallet.perks import perk_bought

if TYPE_CHECKING:
    from functions.core.wallet.accounts import Account
    from functions.core.wallet.quotas import DeviceDay
    from functions.wiring import Deps


class BuyPerk(Request):
    """What, and for how many tokens at most. `request_id` is the idempotency key."""

    request_id: RequestId
    perk: Annotated[Perk, Field(strict=False)]
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)]


def buy_perk(request: BuyPerk, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the `entry` of the purchase as JSON; a repeated key gets the same entry.

    Raises:
        PurchaseNotHere: the operator does not sell it.
        KeyReused: the key belongs to another perk.
        PriceChanged, InvalidRequest, InsufficientTokens: see `core.wallet.perks.perk_bought`.
    """
    now, runtime = deps.clock(), deps.runtime()
    price = runtime.shop.price(request.perk)

    def decide(wallet: ledger.Wallet | None, _device: DeviceDay | None) -> tuple[Account, None]:
        if price is None:
            raise PurchaseNotHere("This is not sold here.", sellOn=[])
        account, savers = credit_due(wallet, uid, runtime, now), runtime.shop.streak_savers_max
        return perk_bought(account, request.perk, price, request.request_id, request.max_tokens, savers, now), None

    entry = deps.store.post_entry(uid, ledger.entry_id(ledger.Reason.PERK, request.request_id), decide)
    require_same_payload(entry.detail or {}, {"perk": request.perk.value})
    return {"entry": entry.as_json()}
