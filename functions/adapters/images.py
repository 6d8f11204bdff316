"""From the bytes that a user uploaded to a small, upright JPEG without metadata; or to the reason why not."""

import struct
import zlib
from io import BytesIO

from PIL import Image, ImageOps

from functions.core.errors import InvalidImage

FORMATS = ("JPEG", "MPO", "PNG", "WEBP")
"""What phones produce. MPO is the JPEG with a second picture inside that some cameras write."""

PIXELS_MAX = 50_000_000
"""Above any phone's camera in use; a decompression bomb is refused by its header, before a pixel is decoded."""

SIDE_MIN = 16
"""A picture smaller than this shows nothing that could be classified."""

Image.MAX_IMAGE_PIXELS = None  # PIXELS_MAX is checked below, as an error; Pillow's own limit begins with a warning


def prepare(data: bytes, side_max: int, jpeg_quality: int) -> bytes:
    """Return the photo as JPEG bytes: oriented by its EXIF, at most `side_max` pixels on its longest side, nothing
    but pixels.

    Raises:
        InvalidImage: the data is empty, damaged, truncated, too large, or no JPEG, PNG or WebP.
    """
    if not data:
        raise InvalidImage("The photo is empty. Upload it again.")
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            _check_size(*image.size)
            image.draft("RGB", (2 * side_max, 2 * side_max))  # lets the JPEG decoder skip what would be thrown away
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((side_max, side_max), Image.Resampling.LANCZOS)
            out = BytesIO()
            _flattened(upright).save(out, "JPEG", quality=jpeg_quality)
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, struct.error, zlib.error) as error:
        # What Pillow's decoders raise on damaged files; UnidentifiedImageError is an OSError.
        raise InvalidImage("This is no readable JPEG, PNG or WebP photo, or it is cut off. Upload it again.") from error
    return out.getvalue()


def _check_size(width: int, height: int) -> None:
    if min(width, height) < SIDE_MIN:
        raise InvalidImage(f"The photo is {width} x {height} pixels; it needs at least {SIDE_MIN} on each side.")
    if width * height > PIXELS_MAX:
        raise InvalidImage(f"The photo has {width * height:,} pixels; at most {PIXELS_MAX:,} are taken.")


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
