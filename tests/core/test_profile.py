"""A user's devices and preferences."""

import re
from datetime import timedelta

from functions.core.profile import DEVICES_MAX, Device, Preferences, Profile, device_key, push_tokens, with_device
from tests.builders import NOW


def device(minutes: int = 0) -> Device:
    """Return a device that was seen so many minutes after the first, with a token of that time."""
    return Device(push_token=f"token-{minutes}", platform="ios", seen_at=NOW + timedelta(minutes=minutes))


def test_a_device_that_registers_again_refreshes_its_token() -> None:
    """One installation is one device."""
    profile = with_device(with_device(Profile(), "a", device()), "a", device(1))
    assert {name: one.push_token for name, one in profile.devices.items()} == {"a": "token-1"}


def test_the_device_not_seen_for_longest_makes_room() -> None:
    """Ten devices at most, the ones that were seen last."""
    profile = Profile()
    for number in range(DEVICES_MAX + 2):
        profile = with_device(profile, f"device-{number}", device(number))
    assert set(profile.devices) == {f"device-{number}" for number in range(2, DEVICES_MAX + 2)}


def test_preferences_outlive_a_new_device() -> None:
    """Registering changes the devices and nothing else."""
    profile = Profile.model_validate({"preferences": {"notifications": False, "language": "de"}})
    assert with_device(profile, "a", device()).preferences == profile.preferences


def test_a_device_is_stored_under_a_hash() -> None:
    """The id itself may tell who it belongs to; the same id is the same device."""
    assert re.fullmatch(r"[0-9a-f]{32}", device_key("ana's phone"))
    assert device_key("a") == device_key("a") != device_key("b")


def test_pushes_go_to_every_device_of_those_who_want_them() -> None:
    """A token each, or none at all for a user who has switched them off."""
    profile = with_device(with_device(Profile(), "a", device(0)), "b", device(1))
    assert sorted(push_tokens(profile)) == ["token-0", "token-1"]
    assert push_tokens(profile.model_copy(update={"preferences": Preferences(notifications=False)})) == ()
