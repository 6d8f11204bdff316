"""What a user has told us about themselves: devices to push to, and preferences."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field

from functions.core.records import Form, Kept, Record

DEVICES_MAX = 10
"""A user's devices that get pushes; the one not seen for longest makes room."""

PUSHED_DEVICES_MAX = 3
"""Devices that a push goes to; their tokens travel with every job."""

DeviceId = Annotated[str, Form(r"[A-Za-z0-9_.:-]{8,128}", "must be 8 to 128 letters, digits and _ . : -")]
"""What the app knows its installation by. A client can make one up, so it limits honest devices and slows others
down."""


class Device(Kept):
    """One installation of the app."""

    push_token: str
    platform: str
    seen_at: datetime


@dataclass(frozen=True)
class News:
    """What one user is told after a batch run: where to push to, and how many photos are done and have failed."""

    push_tokens: tuple[str, ...]
    done: int = 0
    failed: int = 0


class Preferences(Kept):
    """What the user wants."""

    notifications: bool = True
    language: str | None = None


class Profile(Record):
    """The part of `users/{uid}` that functions write. `devices` by device id."""

    devices: dict[str, Device] = Field(default_factory=dict)
    preferences: Preferences = Preferences()


def device_key(device_id: str) -> str:
    """Return what a device is stored under: a hash, because the id itself may tell who it belongs to."""
    return hashlib.sha256(device_id.encode()).hexdigest()[:32]


def with_device(profile: Profile, device_id: str, device: Device) -> Profile:
    """Return the profile with this device, and at most the ten that were seen last."""
    devices = {**profile.devices, device_id: device}
    latest = sorted(devices, key=lambda name: devices[name].seen_at, reverse=True)[:DEVICES_MAX]
    return profile.model_copy(update={"devices": {name: devices[name] for name in latest}})


def push_tokens(profile: Profile) -> tuple[str, ...]:
    """Return where to push to: the devices seen last, a few of them; none if the user wants no pushes."""
    if not profile.preferences.notifications:
        return ()
    latest = sorted(profile.devices.values(), key=lambda device: device.seen_at, reverse=True)
    return tuple(device.push_token for device in latest[:PUSHED_DEVICES_MAX])
