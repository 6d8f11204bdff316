"""`record_manual_classification`: a user says what a thing is, and is rewarded for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, StringConstraints

from functions.core.model.classification import Category
from functions.core.refresh.refresh import credit_due
from functions.core.shared.idempotency import require_same_payload
from functions.core.shared.records import Request, RequestId
from functions.core.wallet import earning, ledger
from functions.core.wallet.accounts import Account
from functions.core.wallet.achievements import unlocked
from functions.core.wallet.profile import DeviceId, device_key
from functions.core.wallet.quotas import DeviceDay, count_on_device

if TYPE_CHECKING:
    from functions.wiring import Deps


class RecordManualClassification(Request):
    """What the user says, and on which device. `request_id` is the idempotency key."""

    request_id: RequestId
    device_id: DeviceId
    item_name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    category: Annotated[Category, Field(strict=False)]


def record_manual_classification(request: RecordManualClassification, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the `entry` of the reward as JSON; a repeated key gets the same entry.

    Raises:
        DailyLimit: the user's or the device's rewards are used up today.
        KeyReused: the key belongs to another classification.
    """
    now, runtime = deps.clock(), deps.runtime()
    rules = runtime.tokens
    detail = {"itemName": request.item_name, "category": request.category.value}

    def decide(wallet: ledger.Wallet | None, device: DeviceDay | None) -> tuple[Account, DeviceDay]:
        account = credit_due(wallet, uid, runtime, now)
        plan = runtime.plans.of(account.wallet.plan)
        account = earning.manual_classification(account, request.request_id, detail, rules, plan, now)
        return unlocked(account, runtime, now), count_on_device(device, "manual", rules.manual_per_device, now)

    entry_id = ledger.entry_id(ledger.Reason.MANUAL, request.request_id)
    entry = deps.store.post_entry(uid, entry_id, decide, device_key(request.device_id))
    require_same_payload(entry.detail or {}, detail)
    return {"entry": entry.as_json()}
