"""How many tokens a text or an image counts, per model: data with its sources, and the formulas.

The product has a table of its own on purpose: an estimate that is checked against itself would prove nothing.

Sources
    Tiles and patches: https://developers.openai.com/api/docs/guides/images-vision#calculating-costs
    Text: https://help.openai.com/en/articles/4936856, "one token is about four characters of English"; the overhead of
    three tokens a message and three for the reply is that of the OpenAI cookbook, "How to count tokens with tiktoken".

Not documented, and held at what costs most: the factor of gpt-5.6-luna and gpt-6-luna (the largest documented one,
2.46), `detail: low` on patch models (no effect), and the JSON schema of a request (counted as text). Measurements in
OpenAI's forum (community.openai.com/t/1377015) found smaller factors than the documented ones for gpt-5-mini,
gpt-5-nano and the gpt-5.4 models; the documented ones stay here.
"""

import math
import re
from dataclasses import dataclass

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 3
TOKENS_OF_REPLY_PRIMING = 3

TILE_PX = 512
TILE_FIT_PX = 2048  # first fit into this square
TILE_SHORT_SIDE_PX = 768  # then bring the shorter side down to this

PATCH_PX = 32
PATCHES_MAX = 1536


@dataclass(frozen=True)
class TileModel:
    """Counts `base` tokens an image plus `tile` for each 512-pixel tile; `detail: low` is the base alone."""

    base: int
    tile: int


@dataclass(frozen=True)
class PatchModel:
    """Counts 32-pixel patches, at most 1,536, times `factor`."""

    factor: float


MODELS: dict[str, TileModel | PatchModel] = {
    "gpt-4o": TileModel(85, 170),
    "gpt-4.1": TileModel(85, 170),
    "gpt-4o-mini": TileModel(2833, 5667),
    "gpt-5": TileModel(70, 140),
    "o1": TileModel(75, 150),
    "o3": TileModel(75, 150),
    "gpt-4.1-mini": PatchModel(1.62),
    "gpt-4.1-nano": PatchModel(2.46),
    "gpt-5-mini": PatchModel(1.62),
    "gpt-5-nano": PatchModel(2.46),
    "o4-mini": PatchModel(1.72),
    "gpt-5.4-mini": PatchModel(1.62),
    "gpt-5.4-nano": PatchModel(2.46),
    "gpt-5.6-luna": PatchModel(2.46),
    "gpt-6-luna": PatchModel(2.46),
}

_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")


def find_model(name: str) -> TileModel | PatchModel | None:
    """Return how `name` counts images, also for a dated snapshot of a known model; None for an unknown model."""
    return MODELS.get(name) or MODELS.get(_SNAPSHOT.sub("", name))


def text_tokens(characters: int) -> int:
    """Return the tokens of a text of so many characters, by the documented approximation."""
    return math.ceil(characters / CHARACTERS_PER_TOKEN)


def image_tokens(model: TileModel | PatchModel, width: int, height: int, detail: str = "auto") -> int:
    """Return the tokens of an image of `width` x `height` pixels; `auto` counts as `high`."""
    if isinstance(model, PatchModel):
        return math.ceil(patches(width, height) * model.factor)
    if detail == "low":
        return model.base
    return model.base + tiles(width, height) * model.tile


def tiles(width: int, height: int) -> int:
    """Return how many tiles cover the image after it was shrunk (it is never enlarged)."""
    scale = min(1.0, TILE_FIT_PX / max(width, height))
    scale = min(scale, TILE_SHORT_SIDE_PX / min(width, height))
    return _pieces(width * scale, TILE_PX) * _pieces(height * scale, TILE_PX)


def patches(width: int, height: int) -> int:
    """Return how many patches cover the image, after it was shrunk to at most 1,536 if it needs more.

    The scale is sqrt(32^2 * 1536 / (width * height)), then reduced so that the tighter side holds whole patches. The
    documented example: 1800 x 2400 pixels become 33 x 44 = 1,452 patches.
    """
    count = _pieces(width, PATCH_PX) * _pieces(height, PATCH_PX)
    if count <= PATCHES_MAX:
        return count
    scale = math.sqrt(PATCH_PX**2 * PATCHES_MAX / (width * height))
    across, down = width * scale / PATCH_PX, height * scale / PATCH_PX
    # A strip thinner than one patch still takes one.
    scale *= min(max(1, math.floor(across)) / across, max(1, math.floor(down)) / down)
    return min(PATCHES_MAX, _pieces(width * scale, PATCH_PX) * _pieces(height * scale, PATCH_PX))


def _pieces(length_px: float, piece_px: int) -> int:
    # Rounded first: 44 patches must not become 45 by the last bit of a float.
    return max(1, math.ceil(round(length_px / piece_px, 6)))
