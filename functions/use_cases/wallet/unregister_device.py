"""`unregister_device`: a user signs out on a device, which gets no more pushes of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.shared.records import Request
from functions.core.wallet.profile import DeviceId, device_key

if TYPE_CHECKING:
    from functions.wiring import Deps


class UnregisterDevice(Request):
    """The installation of the app on which the user signs out."""

    device_id: DeviceId


def unregister_device(request: UnregisterDevice, uid: str, deps: Deps) -> dict[str, Any]:
    """Return how many `devices` are left. Queued photos are not pushed to this one either. An unknown device is no
    error."""
    key = device_key(request.device_id)
    left = deps.store.release_tokens(
        uid, lambda devices: {devices[key]["pushToken"]} if key in devices else set(), deps.clock()
    )
    return {"devices": left}
