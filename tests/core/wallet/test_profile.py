"""A user's devices and preferences."""

import re
from datetime import timedelta

from functions.core.batches.batches import JOB_LEASE
from functions.core.jobs.transitions import WAIT_MAX
from functions.core.wallet.profile import (
    DEVICES_MAX,
    RELEASE_LIFETIME,
    TEAMS_LEFT_MAX,
    Device,
    Profile,
    claim_id,
    device_key,
    with_counted,
    with_device,
    with_token,
)
from functions.core.wallet.team_wallet import Counters, Member, Role
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


def test_a_token_is_of_one_device() -> None:
    """An installation that has forgotten its id comes under another one, with the same token."""
    profile = with_device(with_device(Profile(), "a", device()), "b", device())
    assert set(profile.devices) == {"b"}


def test_pushes_go_to_the_devices_that_registered_last() -> None:
    """A token comes first when it registers, takes the place of the one that its device had, and is there once."""
    tokens: tuple[str, ...] = ()
    for token in ("a", "b", "c", "d"):
        tokens = with_token(tokens, token, None)
    assert tokens == ("d", "c", "b")
    assert with_token(tokens, "b", None) == ("b", "d", "c")
    assert with_token(tokens, "e", "c") == ("e", "d", "b")


def test_a_claim_is_one_users_to_one_token() -> None:
    """The border between the two counts, and neither can be read from it."""
    assert re.fullmatch(r"[0-9a-f]{32}", claim_id("ann", "token"))
    assert len({claim_id("a", "bc"), claim_id("ab", "c"), claim_id("a", "bd")}) == 3


def test_a_release_outlives_every_job_that_carries_the_token() -> None:
    """One that is sent in the last minute of its time, and whose batch then takes all of its lease."""
    assert RELEASE_LIFETIME > WAIT_MAX + JOB_LEASE


def test_the_counters_of_the_teams_left_last_are_kept() -> None:
    """And of a member nothing else."""
    known = {f"team-{n}": Counters(rate_minute=n) for n in range(1, TEAMS_LEFT_MAX + 1)}
    kept = with_counted(known, "green", Member(role=Role.ADMIN, joined_at=NOW, used=5, rate_count=2))
    assert kept.keys() == {*known, "green"} - {"team-1"}
    assert kept["green"].model_dump() == Counters(rate_count=2).model_dump()
