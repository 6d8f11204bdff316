"""How many tokens an image counts, per model: the documented formulas as data.

    tiles     fit into a square of 2,048 pixels, bring the shorter side down to 768, count squares of 512
    patches   count squares of 32 pixels, shrunk to at most 1,536 of them, times the model's factor
    cells     fit into the model's longest side, count squares of 28 pixels, at most so many

Source: https://developers.openai.com/api/docs/guides/images-vision#calculating-costs, and of cells
https://platform.claude.com/docs/en/build-with-claude/vision. Images are never enlarged. Not documented is the factor of
gpt-5.6-luna and gpt-6-luna: it is held at the largest documented one, so that an estimate errs on the safe side. A
model that is in no table is refused, since its bill could not be bounded.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from functions.core.shared.providers import Provider, split

TILE_PX = 512
TILE_FIT_PX = 2_048
TILE_SHORT_SIDE_PX = 768

PATCH_PX = 32
PATCHES_MAX = 1_536

CELL_PX = 28


class UnknownImageTokensError(Exception):
    """There is no formula for what an image costs with this model."""


@dataclass(frozen=True)
class Tiles:
    """Counts `base` tokens an image and `tile` for each tile; `detail: low` is the base alone."""

    base: int
    tile: int


@dataclass(frozen=True)
class Patches:
    """Counts patches times `factor`; `detail` makes no documented difference."""

    factor: float


@dataclass(frozen=True)
class Cells:
    """Counts cells of an image whose longer side is brought down to `side_max` pixels, at most `tokens_max`."""

    side_max: int
    tokens_max: int


Formula = Tiles | Patches | Cells

FORMULAS: dict[str, Formula] = {
    "gpt-4o": Tiles(85, 170),
    "gpt-4.1": Tiles(85, 170),
    "gpt-4o-mini": Tiles(2_833, 5_667),
    "gpt-5": Tiles(70, 140),
    "o1": Tiles(75, 150),
    "o3": Tiles(75, 150),
    "gpt-4.1-mini": Patches(1.62),
    "gpt-4.1-nano": Patches(2.46),
    "gpt-5-mini": Patches(1.62),
    "gpt-5-nano": Patches(2.46),
    "o4-mini": Patches(1.72),
    "gpt-5.4-mini": Patches(1.62),
    "gpt-5.4-nano": Patches(2.46),
    "gpt-5.6-luna": Patches(2.46),
    "gpt-6-luna": Patches(2.46),
}

ANTHROPIC_FORMULAS: dict[str, Formula] = {"claude-haiku-5-5": Cells(side_max=2_576, tokens_max=4_784)}

_OF_PROVIDER: Mapping[Provider, Mapping[str, Formula]] = {
    Provider.OPENAI: FORMULAS,
    Provider.AZURE: FORMULAS,
    Provider.ANTHROPIC: ANTHROPIC_FORMULAS,
}

_SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8})$")


def undated(model: str) -> str:
    """Return a model's name without the day of its snapshot, as OpenAI or as Anthropic writes it."""
    return _SNAPSHOT.sub("", model)


def formula_of(name: str) -> Formula:
    """Return how a model, by the name of `core.shared.providers`, or a dated snapshot of it, counts images. Raises
    UnknownImageTokensError if that is unknown."""
    provider, model = split(name)
    formulas = _OF_PROVIDER[provider]
    formula = formulas.get(model) or formulas.get(undated(model))
    if formula is None:
        raise UnknownImageTokensError(
            f"what an image costs with the model {model!r} is not known; set {provider.upper()}_MODEL to one of "
            f"{', '.join(formulas)}"
        )
    return formula


def image_tokens(formula: Formula, width: int, height: int) -> int:
    """Return the tokens of an image of `width` x `height` pixels in high detail."""
    if isinstance(formula, Cells):
        scale = min(1.0, formula.side_max / max(width, height))
        return min(_cover(width * scale, CELL_PX) * _cover(height * scale, CELL_PX), formula.tokens_max)
    if isinstance(formula, Patches):
        return math.ceil(_patches(width, height) * formula.factor)
    return formula.base + _tiles(width, height) * formula.tile


def image_tokens_max(formula: Formula, side: int) -> int:
    """Return the most that an image can count whose sides are both at most `side` pixels."""
    if isinstance(formula, Cells):
        return min(math.ceil(min(side, formula.side_max) / CELL_PX) ** 2, formula.tokens_max)
    if isinstance(formula, Patches):
        return math.ceil(min(math.ceil(side / PATCH_PX) ** 2, PATCHES_MAX) * formula.factor)
    fitted = min(side, TILE_FIT_PX)
    tiles = math.ceil(fitted / TILE_PX) * math.ceil(min(fitted, TILE_SHORT_SIDE_PX) / TILE_PX)
    return formula.base + tiles * formula.tile


def _tiles(width: int, height: int) -> int:
    scale = min(1.0, TILE_FIT_PX / max(width, height))
    scale = min(scale, TILE_SHORT_SIDE_PX / min(width, height))
    return _cover(width * scale, TILE_PX) * _cover(height * scale, TILE_PX)


def _patches(width: int, height: int) -> int:
    """The documented shrinking: by the area, then so that the tighter side holds whole patches."""
    count = _cover(width, PATCH_PX) * _cover(height, PATCH_PX)
    if count <= PATCHES_MAX:
        return count
    scale = math.sqrt(PATCH_PX**2 * PATCHES_MAX / (width * height))
    across, down = width * scale / PATCH_PX, height * scale / PATCH_PX
    scale *= min(max(1, math.floor(across)) / across, max(1, math.floor(down)) / down)
    return min(_cover(width * scale, PATCH_PX) * _cover(height * scale, PATCH_PX), PATCHES_MAX)


def _cover(length_px: float, piece_px: int) -> int:
    # Rounded first, so that the last bit of a float does not make 45 pieces of 44.
    return max(1, math.ceil(round(length_px / piece_px, 6)))
