"""Answers from pixels: a few measures of brightness, colour and edges, compared with prototypes of materials.

This is no model and does not claim to be one. The prototypes were fitted by eye and by averages on two dozen photos of the
TrashNet data set; they do better than chance on photos of that kind and say nothing about others. What matters here is that
the same pixels always give the same answer, and that other pixels may give another.
"""

import math
from dataclasses import dataclass

from PIL import Image, ImageFilter, ImageStat

THUMBNAIL_PX = 96


@dataclass(frozen=True)
class Measures:
    """What is measured on a thumbnail, each from 0 to 1."""

    saturation: float
    saturation_spread: float
    brightness_spread: float
    blueness: float
    edges: float
    warmth: float


@dataclass(frozen=True)
class Sighting:
    """Subcategories with their probabilities, best first; the probabilities add up to 1."""

    ranking: tuple[tuple[str, float], ...]
    measures: Measures


# Mean of each measure over the six photos of each material, in the order of the fields of Measures.
PROTOTYPES: dict[str, tuple[float, ...]] = {
    "Glass": (0.21, 0.14, 0.21, 0.45, 0.17, 0.53),
    "Metal": (0.18, 0.19, 0.16, 0.49, 0.20, 0.52),
    "Paper": (0.17, 0.06, 0.15, 0.46, 0.19, 0.54),
    "Plastic": (0.12, 0.11, 0.15, 0.50, 0.17, 0.50),
}
SPREADS = (0.07, 0.08, 0.06, 0.03, 0.07, 0.03)


def look(image: Image.Image) -> Sighting:
    """Measure an image and rank the materials.

    Raises:
        OSError: the image data is cut or damaged.
    """
    measures = measure(image)
    found = (
        measures.saturation, measures.saturation_spread, measures.brightness_spread,
        measures.blueness, measures.edges, measures.warmth,
    )
    weights = {
        name: math.exp(-0.5 * sum(((a - b) / s) ** 2 for a, b, s in zip(found, prototype, SPREADS, strict=True)) / 2) + 1e-9
        for name, prototype in PROTOTYPES.items()
    }
    total = sum(weights.values())
    ranking = sorted(((name, weight / total) for name, weight in weights.items()), key=lambda entry: (-entry[1], entry[0]))
    return Sighting(tuple(ranking), measures)


def measure(image: Image.Image) -> Measures:
    """Return the measures of an image's thumbnail."""
    image.draft("RGB", (THUMBNAIL_PX * 2, THUMBNAIL_PX * 2))  # JPEG: decode at a fraction of the size
    small = image.convert("RGB").resize((THUMBNAIL_PX, THUMBNAIL_PX))
    _, saturation, brightness = (ImageStat.Stat(band) for band in small.convert("HSV").split())
    red, green, blue = ImageStat.Stat(small).mean
    light = (red + green + blue) or 1.0
    edges = ImageStat.Stat(small.convert("L").filter(ImageFilter.FIND_EDGES))
    return Measures(
        saturation=saturation.mean[0] / 255,
        saturation_spread=saturation.stddev[0] / 255,
        brightness_spread=brightness.stddev[0] / 255,
        blueness=blue / light * 1.4,
        edges=edges.stddev[0] / 255,
        warmth=red / light * 1.5,
    )
