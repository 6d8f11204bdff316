"""Answers from pixels: a few measures of an object and its background, compared with prototypes of materials.

This is no model. The same pixels always give the same answer, and other pixels may give another. The prototypes are
averages over two dozen photos of the TrashNet data set, objects before a light wall; they get 16 of those photos right
(15 when each is left out of the averages) and promise nothing for others.
"""

import math
from collections.abc import Callable
from dataclasses import astuple, dataclass

from PIL import Image, ImageChops, ImageStat

THUMBNAIL_PX = 96
BORDER_PX = 6  # what the edge of the picture shows is taken for the background
OBJECT_DIFFERENCE = 30  # of 255, in any colour: more than this from the background is the object
VIVID_SATURATION = 140  # of 255; cardboard stays below
VIVID_SHARE = 0.6  # of the object in one vivid colour: colour then says more than the prototypes


@dataclass(frozen=True)
class Measures:
    """What the prototypes are compared by, each from 0 to 1."""

    background_tint: float  # saturation of the background's colour
    object_saturation: float
    brown_share: float  # of all pixels: cardboard, and the light it is photographed in


@dataclass(frozen=True)
class Sighting:
    """Subcategories with their probabilities, best first; the probabilities add up to 1."""

    ranking: tuple[tuple[str, float], ...]
    measures: Measures


PROTOTYPES = {
    "Glass": Measures(0.124, 0.319, 0.484),
    "Metal": Measures(0.055, 0.326, 0.085),
    "Paper": Measures(0.114, 0.193, 0.393),
    "Plastic": Measures(0.074, 0.148, 0.074),
}
SPREADS = Measures(0.054, 0.088, 0.267)  # standard deviation within a material
# Hues (of 256) and darkness that stand for things which are not bottles, cans or boxes.
VIVID_COLOURS: dict[str, range] = {"Food Waste": range(12, 45), "Garden Waste": range(45, 115)}
DARK_VALUE = 60
DARK_KIND = "Batteries"


def look(image: Image.Image) -> Sighting:
    """Measure an image and rank the subcategories. Raises OSError if the image data is cut or damaged."""
    image.draft("RGB", (THUMBNAIL_PX * 2, THUMBNAIL_PX * 2))  # JPEG: decode at a fraction of the size
    small = image.convert("RGB").resize((THUMBNAIL_PX, THUMBNAIL_PX))
    background = ImageStat.Stat(small, _BORDER).median
    subject = _differs_from(small, background)
    hue, saturation, value = small.convert("HSV").split()
    brown = ImageChops.darker(_where(hue, lambda h: 10 <= h <= 35), _where(saturation, lambda s: 40 < s < 170))
    measures = Measures(
        background_tint=(max(background) - min(background)) / 255,
        object_saturation=_mean(saturation, subject),
        brown_share=_mean(brown),
    )
    weights = {name: _closeness(measures, prototype) for name, prototype in PROTOTYPES.items()}
    vivid = _where(saturation, lambda s: s > VIVID_SATURATION)
    for name, hues in VIVID_COLOURS.items():
        share = _mean(ImageChops.darker(vivid, _where(hue, hues.__contains__)), subject)
        weights[name] = _loud(share)
    weights[DARK_KIND] = _loud(_mean(_where(value, lambda v: v < DARK_VALUE), subject))
    total = sum(weights.values())
    ranking = sorted(
        ((name, weight / total) for name, weight in weights.items()), key=lambda entry: (-entry[1], entry[0])
    )
    return Sighting(tuple(ranking), measures)


_BORDER = Image.new("L", (THUMBNAIL_PX, THUMBNAIL_PX), 255)
_BORDER.paste(0, (BORDER_PX, BORDER_PX, THUMBNAIL_PX - BORDER_PX, THUMBNAIL_PX - BORDER_PX))


def _differs_from(small: Image.Image, colour: list[int]) -> Image.Image:
    red, green, blue = ImageChops.difference(small, Image.new("RGB", small.size, tuple(colour))).split()
    return _where(ImageChops.lighter(red, ImageChops.lighter(green, blue)), lambda d: d > OBJECT_DIFFERENCE)


def _where(band: Image.Image, condition: Callable[[int], bool]) -> Image.Image:
    return band.point([255 if condition(level) else 0 for level in range(256)])


def _mean(band: Image.Image, mask: Image.Image | None = None) -> float:
    """Return the mean of a band from 0 to 1, where the mask is set; 0 where it never is."""
    statistics = ImageStat.Stat(band, mask)
    return statistics.mean[0] / 255 if statistics.count[0] else 0.0


def _closeness(measures: Measures, prototype: Measures) -> float:
    steps = zip(astuple(measures), astuple(prototype), astuple(SPREADS), strict=True)
    return math.exp(-0.5 * sum(((found - expected) / spread) ** 2 for found, expected, spread in steps)) + 1e-6


def _loud(share: float) -> float:
    """Return the weight of a colour that covers `share` of the object: next to nothing, or more than any prototype."""
    return 4 * share if share > VIVID_SHARE else 1e-7
