"""Presets: kept by name, so many at the most."""

import pytest

from functions.core.shared.errors import InvalidRequest
from functions.core.wallet.presets import PRESETS_MAX, Preset, preset_of, with_preset

HOME = Preset(region="DE")


def test_a_preset_is_saved_changed_and_removed() -> None:
    """By its name."""
    one = with_preset({}, "home", HOME)
    assert preset_of(one, "home") == HOME
    assert with_preset(one, "home", Preset()) == {"home": Preset()}
    assert with_preset(one, "home", None) == {}
    assert with_preset({}, "home", None) == {}


def test_there_are_so_many_at_the_most() -> None:
    """One that is there can be changed all the same."""
    full = {f"preset {n}": HOME for n in range(PRESETS_MAX)}
    with pytest.raises(InvalidRequest):
        with_preset(full, "one more", HOME)
    assert len(with_preset(full, "preset 3", Preset())) == PRESETS_MAX


def test_one_that_is_not_there_is_named() -> None:
    """The call would otherwise do what nobody wanted."""
    with pytest.raises(InvalidRequest, match="none of this name"):
        preset_of({}, "home")
