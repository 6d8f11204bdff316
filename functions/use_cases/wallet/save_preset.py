"""`save_preset`: what a user wants for many photos, under a name for `classify_images` and `start_bulk`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions.core.shared.locales import LanguageTag, Region
from functions.core.shared.records import Request, TeamId
from functions.core.wallet.presets import BulkLane, Preset, PresetName, with_preset

if TYPE_CHECKING:
    from functions.wiring import Deps


class SavePreset(Request):
    """A preset, in place of the one of its name; with `remove` none is left."""

    preset: PresetName
    region: Region | None = None
    language: LanguageTag | None = None
    lane: Annotated[BulkLane, Field(strict=False)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    payer: TeamId | None = None
    remove: bool = False


def save_preset(request: SavePreset, uid: str, deps: Deps) -> dict[str, Any]:
    """Return all `presets` of the user, by name. Safe to repeat. Two reads and a write. A `payer` is checked when
    it is to pay. Raises InvalidRequest if there are too many."""
    saved = Preset(**request.model_dump(exclude={"preset", "remove"}))
    wanted = None if request.remove else saved
    presets = deps.store.change_presets(uid, lambda known: with_preset(known, request.preset, wanted))
    return {"presets": {name: each.as_json() for name, each in presets.items()}}
