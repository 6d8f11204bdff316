"""What a photo's file is reduced to before a decoder sees it, and the limits that all formats share.

Each format's reader walks the file's structure, at microseconds a part, and copies the picture alone. The rest (EXIF,
text, thumbnails, further pictures, videos) never reaches a decoder: most bombs and most bugs are in metadata.
"""

from dataclasses import dataclass

from functions.core.shared.errors import InvalidImage
from functions.core.shared.photos import PhotoProblem

PARTS_MAX = 20_000
"""JPEG segments, PNG or WebP chunks. Phones write a few dozen; 10 MB of PNG in 4 KiB chunks are 2,600. Walking 20,000
takes 20 ms."""

DECODER_BYTES_MAX = 80 * 1024 * 1024
"""Most memory for decoding a photo, by its header: with the file twice, 100 MB. It bounds a progressive JPEG to about
27 million pixels; a process decodes one photo at a time."""

PIXELS_WHOLE_MAX = 20_000_000
"""Most pixels of a PNG or WebP: at four bytes each within `DECODER_BYTES_MAX`. Phones' cameras write JPEG; saved anew
as PNG, 12 million pixels are usual, and 10 MB hold little more."""

PROFILE_BYTES_MAX = 16 * 1024
"""A colour profile beyond this is a printer's table, which says nothing about a phone's photo."""


@dataclass(frozen=True)
class PhotoFile:
    """A file of nothing but pixels: `data` in the format `kind`, named as in Pillow; `width` and `height` in pixels, as
    stored; EXIF's `orientation`, 1 to 8; the ICC `profile`, None for sRGB; `gap` if zeros stand in place of the data's
    rest."""

    kind: str
    data: bytes
    width: int
    height: int
    orientation: int = 1
    profile: bytes | None = None
    gap: bool = False


def damaged() -> InvalidImage:
    """Return what a user is told of a file that contradicts itself."""
    return InvalidImage(PhotoProblem.DAMAGED, "The photo's file is damaged. Upload it again, or take another photo.")


def cut_off() -> InvalidImage:
    """Return what a user is told of a file whose end is missing."""
    return InvalidImage(PhotoProblem.CUT_OFF, "The end of the photo is missing. Upload it again.")


def too_complex() -> InvalidImage:
    """Return what a user is told of a file in more parts, or passes, than any camera makes."""
    return InvalidImage(PhotoProblem.TOO_COMPLEX, "The photo's file is built in an unusual way. Save it anew as JPEG.")


def unsupported(what: str) -> InvalidImage:
    """Return what a user is told of a picture that is not taken in this form."""
    return InvalidImage(PhotoProblem.UNSUPPORTED_FORMAT, f"{what} is not taken. Save the photo as JPEG, PNG or WebP.")


def require_decodable(width: int, height: int, pixels_max: int) -> None:
    """Check a picture's size against the most pixels of its format and form. Raises InvalidImage if it has more."""
    if width * height > pixels_max:
        raise InvalidImage(
            PhotoProblem.TOO_LARGE,
            f"The photo has {width * height:,} pixels; at most {pixels_max:,} are taken in this form. Make it smaller.",
        )
