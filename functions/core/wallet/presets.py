"""Presets: what a user wants for many photos, saved under a name. What a call says itself counts before its preset."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from functions.core.shared.errors import InvalidRequest
from functions.core.shared.records import Form, Kept, Open

PRESETS_MAX = 20
"""Of one user: they are read with the profile."""

PresetName = Annotated[str, Form(r"[\w][\w .-]{0,39}", "must be 1 to 40 letters, digits, spaces and _ . -")]


class BulkLane(StrEnum):
    """How soon the photos of a bulk job are wanted."""

    BATCH = "batch"
    ANY_TIME = "any_time"


class Preset(Kept):
    """What is wanted. `max_tokens` is the most that one photo may cost, `payer` the team that pays; None leaves a field
    to its default."""

    region: str | None = None
    language: str | None = None
    lane: Open[BulkLane] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    payer: str | None = None


NO_PRESET = Preset()


def with_preset(presets: Mapping[str, Preset], name: str, preset: Preset | None) -> dict[str, Preset]:
    """Return a user's presets with this one under its name, or without it. Raises InvalidRequest if there are too
    many."""
    changed = {**{each: known for each, known in presets.items() if each != name}, **({name: preset} if preset else {})}
    if preset and len(changed) > PRESETS_MAX:
        raise InvalidRequest(f"preset: at most {PRESETS_MAX} are kept. Remove one first.", field="preset")
    return changed


def preset_of(presets: Mapping[str, Preset], name: str) -> Preset:
    """Return the preset of this name. Raises InvalidRequest for none."""
    if name not in presets:
        raise InvalidRequest("preset: you have none of this name.", field="preset")
    return presets[name]
