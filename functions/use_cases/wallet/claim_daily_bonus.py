"""`claim_daily_bonus`: a few tokens for coming back, once a UTC day; days in a row make a streak."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.refresh.refresh import credit_due
from functions.core.shared.records import Request
from functions.core.shared.utc_days import day_of
from functions.core.wallet import earning, ledger
from functions.core.wallet.accounts import Account
from functions.core.wallet.achievements import unlocked
from functions.core.wallet.profile import DeviceId, device_key
from functions.core.wallet.quotas import DeviceDay, count_on_device

if TYPE_CHECKING:
    from functions.wiring import Deps


class ClaimDailyBonus(Request):
    """On which device: a device earns for a few users a day at most."""

    device_id: DeviceId


def claim_daily_bonus(request: ClaimDailyBonus, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the `entry` of today's bonus as JSON; claiming again the same day returns the same. Raises DailyLimit if
    this device has claimed for enough users today."""
    now, runtime = deps.clock(), deps.runtime()
    rules = runtime.tokens

    def decide(wallet: ledger.Wallet | None, device: DeviceDay | None) -> tuple[Account, DeviceDay]:
        account = earning.daily_bonus(credit_due(wallet, uid, runtime, now), rules, now)
        return unlocked(account, runtime, now), count_on_device(device, "bonus", rules.bonuses_per_device, now)

    entry_id = ledger.entry_id(ledger.Reason.BONUS, day_of(now))
    entry = deps.store.post_entry(uid, entry_id, decide, device_key(request.device_id))
    return {"entry": entry.as_json()}
