"""The fingerprint of a photo that has been decoded already; see `functions.core.cache.fingerprints`."""

import hashlib

from PIL import Image

from functions.core.cache.fingerprints import (
    COLOUR_SIDE,
    CUTS,
    GREY_SIDE,
    MOVED,
    MOVED_BY,
    MOVED_CUT,
    Fingerprint,
    dct_hash,
)

SHA_BYTES = 16

DARK = 16
DARK_SHARE_MIN = 0.9
"""A bar is as dark as this, but for the icons that a telephone puts into it."""

BAR_MIN, BARS_MAX = 0.03, 0.8
"""The least share of a side that a bar takes, and the most that both do."""


def fingerprint(image: Image.Image, jpeg: bytes) -> Fingerprint:
    """Return the fingerprint of a prepared photo, an RGB picture and its JPEG."""
    grey = image.convert("L")
    box = _between_bars(grey)
    grey, image = grey.crop(box), image.crop(box)
    cells = image.resize((COLOUR_SIDE, COLOUR_SIDE), Image.Resampling.BOX).convert("YCbCr")
    _, blue, red = cells.split()
    return Fingerprint(
        hashlib.sha256(jpeg).digest()[:SHA_BYTES],
        tuple(_hash(grey, cut, cut) for cut in CUTS),
        blue.tobytes() + red.tobytes(),
        tuple(
            _hash(grey, MOVED_CUT + across * MOVED_BY, MOVED_CUT + down * MOVED_BY, MOVED_CUT) for across, down in MOVED
        ),
    )


def _hash(grey: Image.Image, left: float, top: float, mean: float | None = None) -> int:
    """Return the hash of a picture without these shares at its left and top; at the other ends it lacks as much, or
    what makes it `mean` on the mean."""
    right, bottom = (left, top) if mean is None else (2 * mean - left, 2 * mean - top)
    box = (grey.width * left, grey.height * top, grey.width * (1 - right), grey.height * (1 - bottom))
    return dct_hash(grey.resize((GREY_SIDE, GREY_SIDE), Image.Resampling.BOX, box).tobytes())


def _between_bars(grey: Image.Image) -> tuple[int, int, int, int]:
    """Return the box of a picture between two dark bars, above and below or on both sides: a screenshot shows a photo
    so. Without two of them it is the whole."""
    dark = grey.point([255] * (DARK + 1) + [0] * (255 - DARK))
    top, bottom = _bars(dark.resize((1, grey.height), Image.Resampling.BOX).tobytes())
    left, right = _bars(dark.resize((grey.width, 1), Image.Resampling.BOX).tobytes())
    return left, top, grey.width - right, grey.height - bottom


def _bars(lines: bytes) -> tuple[int, int]:
    """Return how many lines at each end are dark, of so dark ones; none if that makes no two bars."""
    light = [at for at, share in enumerate(lines) if share < 255 * DARK_SHARE_MIN]
    first, last = (light[0], len(lines) - 1 - light[-1]) if light else (0, 0)
    are_bars = min(first, last) >= BAR_MIN * len(lines) and first + last <= BARS_MAX * len(lines)
    return (first, last) if are_bars else (0, 0)
