"""What a user has told us about themselves: devices to push to, and preferences.

    register    the token is this user's, and nobody else's: whoever had it before was signed in on the same telephone
    unregister  the user signs out: no push to this device, for jobs that wait already neither
    dead        Firebase Cloud Messaging says that the token leads nowhere any more

A wallet has the tokens that pushes go to, and every job of its time a copy of them. So one that is taken from a user
leaves a `Release`, which a push asks for.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from functions.core.shared.records import Form, Kept, Record
from functions.core.wallet.presets import Preset
from functions.core.wallet.team_wallet import Counters

TEAMS_LEFT_MAX = 20
"""Whose counters are kept. To have more teams with tokens than that costs more than the photos of a day."""

DEVICES_MAX = 10
"""A user's devices that get pushes; the one not seen for longest makes room."""

PUSHED_DEVICES_MAX = 3
"""Devices that a push goes to; their tokens travel with every job."""

SEEN_AGAIN = timedelta(days=1)
"""How often it is worth a write that a device was seen. An app registers at each start."""

RELEASE_LIFETIME = timedelta(days=7)
"""Longer than any job can be open: a day in the queue, a day at the provider, a lease of four days."""

PushToken = Annotated[str, Form(r"[!-~]{1,512}", "must be a token of Firebase Cloud Messaging, which has no spaces")]
"""Those of 2026 have 142 to 163 characters, and no documented bound; each wallet and each job carries a few."""

DeviceId = Annotated[str, Form(r"[A-Za-z0-9_.:-]{8,128}", "must be 8 to 128 letters, digits and _ . : -")]
"""The app's own name of its installation. Clients can make one up, so it limits honest devices and slows others."""


class Device(Kept):
    """One installation of the app."""

    push_token: str
    platform: str
    seen_at: datetime


@dataclass(frozen=True)
class PushSummary:
    """What one user is told after a batch run, or when a bulk job has ended: where to push to, if no token is given
    where the user is signed in now; and how many photos are done and have failed."""

    uid: str
    push_tokens: tuple[str, ...] = ()
    done: int = 0
    failed: int = 0
    bulk_id: str | None = None


class Preferences(Kept):
    """What the user wants."""

    notifications: bool = True
    language: str | None = None


class Profile(Record):
    """The part of `users/{uid}` that functions write. `devices` by device id; `teams` by their ids, the last joined
    last; `counted`: what the user had had, by then, of teams that they have left."""

    devices: dict[str, Device] = Field(default_factory=dict)
    presets: dict[str, Preset] = Field(default_factory=dict)
    preferences: Preferences = Preferences()
    teams: tuple[str, ...] = ()
    counted: dict[str, Counters] = Field(default_factory=dict)


def with_counted(known: Mapping[str, Counters], team_id: str, left: Counters) -> dict[str, Counters]:
    """Return the counters of teams that a user has left with those of one more; at most twenty, the last used."""
    counters = Counters(**{name: getattr(left, name) for name in Counters.model_fields})
    every = {**known, team_id: counters}
    latest = sorted(every, key=lambda name: (name == team_id, every[name].rate_minute), reverse=True)
    return {name: every[name] for name in latest[:TEAMS_LEFT_MAX]}


def device_key(device_id: str) -> str:
    """Return what a device is stored under: a hash, because the id itself may tell who it belongs to."""
    return hashlib.sha256(device_id.encode()).hexdigest()[:32]


def with_device(profile: Profile, device_id: str, device: Device) -> Profile:
    """Return the profile with this device, and at most the ten seen last. A device with the same token is the same
    installation, under a forgotten id."""
    others = {name: other for name, other in profile.devices.items() if other.push_token != device.push_token}
    devices = {**others, device_id: device}
    latest = sorted(devices, key=lambda name: devices[name].seen_at, reverse=True)[:DEVICES_MAX]
    return profile.model_copy(update={"devices": {name: devices[name] for name in latest}})


def with_token(tokens: Sequence[str], token: str, replaced: str | None) -> tuple[str, ...]:
    """Return the push tokens after a device registered this one in place of `replaced`: the last registered. No other
    token comes in, since it may be somebody else's by now."""
    return (token, *(other for other in tokens if other not in {token, replaced}))[:PUSHED_DEVICES_MAX]


class Release(Record):
    """A push token that its user no longer has, for jobs that still carry it. Stored under `claim_id`."""

    expire_at: datetime


def claim_id(uid: str, token: str) -> str:
    """Return what names a token as this user's."""
    return hashlib.sha256(f"{uid}\n{token}".encode()).hexdigest()[:32]
