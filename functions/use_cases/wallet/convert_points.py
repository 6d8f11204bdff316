"""`convert_points`: lifetime points into tokens, a few a day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions.core.refresh.refresh import credit_due
from functions.core.shared.idempotency import require_same_payload
from functions.core.shared.records import Request, RequestId
from functions.core.wallet import earning, ledger
from functions.core.wallet.accounts import Account

if TYPE_CHECKING:
    from functions.core.wallet.quotas import DeviceDay
    from functions.wiring import Deps


class ConvertPoints(Request):
    """How many points. `request_id` is the idempotency key."""

    request_id: RequestId
    points: Annotated[int, Field(ge=1, le=1_000_000_000)]


def convert_points(request: ConvertPoints, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the `entry` of the conversion as JSON; a repeated key gets the same entry.

    Raises:
        InvalidRequest: `points` is no multiple of what a token takes.
        ConversionLimit: more than can be converted now.
        KeyReused: the key belongs to another number of points.
    """
    now, runtime = deps.clock(), deps.runtime()
    rules = runtime.tokens

    def decide(wallet: ledger.Wallet | None, _device: DeviceDay | None) -> tuple[Account, None]:
        account = credit_due(wallet, uid, runtime, now)
        return earning.convert_points(account, request.request_id, request.points, rules, now), None

    entry_id = ledger.entry_id(ledger.Reason.CONVERT, request.request_id)
    entry = deps.store.post_entry(uid, entry_id, decide)
    require_same_payload(entry.detail or {}, {"points": str(request.points)})
    return {"entry": entry.as_json()}
