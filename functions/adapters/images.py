"""From the bytes that a user uploaded to a small, upright JPEG without metadata; or to the reason why not."""

import re
import struct
import threading
import zlib
from io import BytesIO

from PIL import Image

from functions.core.errors import InvalidImage

FORMATS = ("JPEG", "PNG", "WEBP")
"""What phones produce. The JPEG with a second picture inside that some cameras write (MPO) is opened as a JPEG too."""

JPEG_PIXELS_MAX = 50_000_000
"""Above any phone's camera in use. A JPEG is decoded at a fraction of its size, so its pixels cost little memory."""

PIXELS_MAX = 12_000_000
"""For the others, which have to be decoded whole: a PNG of a few kilobytes can hold a gigabyte. Known from the
header, before a pixel is decoded."""

JPEG_SCANS_MAX = 64
"""A progressive JPEG comes in about ten passes over the picture. One that changes nothing takes 75 bytes of the file
and, at 50 million pixels, 30 ms: without a limit, a photo of 10 MB would keep an instance busy for an hour."""

SIDE_MIN = 16
"""A picture smaller than this shows nothing that could be classified."""

_DECODING = threading.Lock()
"""One photo is decoded at a time. Side by side nothing is gained on an instance's one CPU, while a progressive JPEG
of 50 million pixels takes 300 MB: two of them would be the instance's memory."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes an image upright, by its EXIF orientation."""

_ORIENTATION = 0x0112

_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""Of a JPEG: what is no byte of a pass and no restart within it. ITU T.81, B.1.1."""

_START_OF_IMAGE, _END_OF_IMAGE, _START_OF_SCAN = 0xD8, 0xD9, 0xDA

Image.MAX_IMAGE_PIXELS = None  # our own limits are checked below, as errors; Pillow's begins with a warning


def prepare(data: bytes, side_max: int, jpeg_quality: int) -> bytes:
    """Return the photo as JPEG bytes: oriented by its EXIF, at most `side_max` pixels on its longest side, nothing but
    pixels.

    Raises:
        InvalidImage: the data is empty, damaged, truncated, too large, or no JPEG, PNG or WebP.
    """
    if not data:
        raise InvalidImage("The photo is empty. Upload it again.")
    try:
        with _DECODING, Image.open(BytesIO(data), formats=FORMATS) as image:
            is_jpeg = image.format in {"JPEG", "MPO"}
            _check_size(*image.size, JPEG_PIXELS_MAX if is_jpeg else PIXELS_MAX)
            if is_jpeg and _scans(data) > JPEG_SCANS_MAX:
                raise InvalidImage(f"The photo is drawn in more than {JPEG_SCANS_MAX} passes. Save it anew.")
            turn = _TURNS.get(_orientation(image))
            image.draft("RGB", (2 * side_max, 2 * side_max))  # lets the JPEG decoder skip what would be thrown away
            small = _eight_bit(image) if image.mode.startswith("I") else image
            small.thumbnail((side_max, side_max), Image.Resampling.LANCZOS)
            flat = _flattened(small)
            out = BytesIO()
            (flat if turn is None else flat.transpose(turn)).save(out, "JPEG", quality=jpeg_quality)
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, struct.error, zlib.error) as error:
        # What Pillow's decoders raise on damaged files; UnidentifiedImageError is an OSError.
        raise InvalidImage("This is no readable JPEG, PNG or WebP photo, or it is cut off. Upload it again.") from error
    return out.getvalue()


def _scans(jpeg: bytes) -> int:
    """Count the passes of a JPEG's first picture, up to one too many. What phones append to it, as videos, is not
    looked at."""
    at = scans = 0
    while scans <= JPEG_SCANS_MAX and (found := _MARKER.search(jpeg, at)):
        kind, at = jpeg[found.start() + 1], found.end()
        if kind == _END_OF_IMAGE:
            break
        scans += kind == _START_OF_SCAN
        if kind != _START_OF_IMAGE:
            at += int.from_bytes(jpeg[at : at + 2], "big")
    return scans


def _orientation(image: Image.Image) -> int:
    """Read the EXIF orientation. Pillow's own transposition writes the EXIF anew and fails on tags of odd types."""
    try:
        value = image.getexif().get(_ORIENTATION)
    except Exception:  # noqa: BLE001  (an EXIF block can be broken in any way, and that makes no photo unusable)
        return 1
    return value if isinstance(value, int) else 1


def _eight_bit(image: Image.Image) -> Image.Image:
    """Scale 16 bits of grey down to 8: Pillow's own conversion cuts them off at white."""
    return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")


def _check_size(width: int, height: int, pixels_max: int) -> None:
    if min(width, height) < SIDE_MIN:
        raise InvalidImage(f"The photo is {width} x {height} pixels; it needs at least {SIDE_MIN} on each side.")
    if width * height > pixels_max:
        raise InvalidImage(f"The photo has {width * height:,} pixels; at most {pixels_max:,} are taken.")


def _flattened(image: Image.Image) -> Image.Image:
    """Put transparency on white, and every other mode (CMYK, palette, 16 bit) into RGB. The copy carries no
    metadata."""
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    flat = Image.new("RGB", image.size)
    flat.paste(image.convert("RGB"))
    return flat
