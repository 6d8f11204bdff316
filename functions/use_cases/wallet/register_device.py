"""`register_device`: where to push to, and what the user wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from functions.core.refresh.refresh import credit_due, in_arrears
from functions.core.shared.locales import LanguageTag
from functions.core.shared.records import Request
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Wallet
from functions.core.wallet.profile import (
    SEEN_AGAIN,
    Device,
    DeviceId,
    Preferences,
    Profile,
    PushToken,
    device_key,
    with_device,
    with_token,
)

if TYPE_CHECKING:
    from functions.wiring import Deps


class RegisterDevice(Request):
    """One installation of the app and its push token."""

    device_id: DeviceId
    push_token: PushToken
    platform: Literal["android", "ios", "web"]
    notifications: bool = True
    language: LanguageTag | None = None


def register_device(request: RegisterDevice, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the number of `devices` and the `preferences` in force. The token is this user's from now on: whoever was
    signed in on the device before gets no more pushes there. Registering again what is registered writes nothing.
    """
    now, runtime, key = deps.clock(), deps.runtime(), device_key(request.device_id)
    device = Device(push_token=request.push_token, platform=request.platform, seen_at=now)
    preferences = Preferences(notifications=request.notifications, language=request.language)

    def decide(profile: Profile, wallet: Wallet | None) -> tuple[Profile, Account] | None:
        before = profile.devices.get(key)
        registered = with_device(profile, key, device).model_copy(update={"preferences": preferences})
        if wallet is not None and before is not None and not in_arrears(wallet, runtime, now):
            same = before.model_copy(update={"seen_at": now}) == device and profile.preferences == preferences
            pushed = request.push_token in wallet.push_tokens if request.notifications else not wallet.push_tokens
            if same and pushed and now - before.seen_at < SEEN_AGAIN:
                return None
        account = credit_due(wallet, uid, runtime, now)
        # The wallet carries the tokens too, so that a job knows whom to tell at no further read.
        replaced = before.push_token if before else None
        tokens = with_token(account.wallet.push_tokens, request.push_token, replaced) if request.notifications else ()
        return registered, account.with_fields(push_tokens=tokens)

    profile = deps.store.register_device(uid, request.push_token, now, decide)
    return {"devices": len(profile.devices), "preferences": profile.preferences.model_dump(by_alias=True)}
