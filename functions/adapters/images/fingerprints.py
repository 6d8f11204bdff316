"""The fingerprint of a photo that has been decoded already; see `functions.core.cache.fingerprints`."""

import hashlib

from PIL import Image

from functions.core.cache.fingerprints import COLOUR_SIDE, CUTS, GREY_SIDE, Fingerprint, dct_hash

SHA_BYTES = 16


def fingerprint(image: Image.Image, jpeg: bytes) -> Fingerprint:
    """Return the fingerprint of a prepared photo, an RGB picture and its JPEG."""
    grey = image.convert("L")
    cells = image.resize((COLOUR_SIDE, COLOUR_SIDE), Image.Resampling.BOX).convert("YCbCr")
    _, blue, red = cells.split()
    return Fingerprint(
        hashlib.sha256(jpeg).digest()[:SHA_BYTES],
        tuple(dct_hash(_framed(grey, cut)) for cut in CUTS),
        blue.tobytes() + red.tobytes(),
    )


def _framed(grey: Image.Image, cut: float) -> bytes:
    """Return the picture within its edges, at the size that is hashed."""
    across, down = grey.width * cut, grey.height * cut
    box = (across, down, grey.width - across, grey.height - down)
    return grey.resize((GREY_SIDE, GREY_SIDE), Image.Resampling.BOX, box).tobytes()
