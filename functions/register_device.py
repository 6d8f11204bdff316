"""`register_device`: where to push to, and what the user wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import StringConstraints

from functions.core.profile import Device, DeviceId, Preferences, Profile, device_key, with_device
from functions.core.records import LanguageTag, Request

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
    device = Device(push_token=request.push_token, platform=request.platform, seen_at=deps.clock())
    preferences = Preferences(notifications=request.notifications, language=request.language)

    def decide(profile: Profile) -> Profile:
        registered = with_device(profile, device_key(request.device_id), device)
        return registered.model_copy(update={"preferences": preferences})

    profile = deps.store.update_profile(uid, decide)
    return {"devices": len(profile.devices), "preferences": profile.preferences.model_dump(by_alias=True)}
