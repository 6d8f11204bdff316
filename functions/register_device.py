"""`register_device`: where to push to, and what the user wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import StringConstraints

from functions.core.accounts import Account
from functions.core.ledger import Wallet
from functions.core.locales import LanguageTag
from functions.core.profile import Device, DeviceId, Preferences, Profile, device_key, push_tokens, with_device
from functions.core.records import Request
from functions.core.refresh import contact

if TYPE_CHECKING:
    from functions.wiring import Deps


class RegisterDevice(Request):
    """One installation of the app and its push token."""

    device_id: DeviceId
    push_token: Annotated[str, StringConstraints(min_length=1, max_length=4_096, pattern=r"^\S+$")]
    platform: Literal["android", "ios", "web"]
    notifications: bool = True
    language: LanguageTag | None = None


def register_device(request: RegisterDevice, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the number of `devices` and the `preferences` in force. Registering again refreshes the token."""
    now, runtime = deps.clock(), deps.runtime()
    device = Device(push_token=request.push_token, platform=request.platform, seen_at=now)
    preferences = Preferences(notifications=request.notifications, language=request.language)

    def decide(profile: Profile, wallet: Wallet | None) -> tuple[Profile, Account]:
        registered = with_device(profile, device_key(request.device_id), device)
        registered = registered.model_copy(update={"preferences": preferences})
        # The wallet carries the tokens too, so that a job knows whom to tell at no further read.
        account = contact(wallet, uid, runtime, now).having(push_tokens=push_tokens(registered))
        return registered, account

    profile = deps.store.update_profile(uid, decide)
    return {"devices": len(profile.devices), "preferences": profile.preferences.model_dump(by_alias=True)}
