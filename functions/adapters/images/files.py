"""What a photo's file is reduced to before a decoder sees it, and the limits that all formats share.

Each format's reader walks the file's structure, which costs microseconds a part, and copies what makes up the picture.
Whatever else a file may carry (EXIF, text, thumbnails, further pictures, videos) never reaches a decoder: metadata are
where most of the bombs are, and most of the bugs.
"""

from dataclasses import dataclass

from functions.core.shared.errors import InvalidImage
from functions.core.shared.photos import PhotoProblem

PARTS_MAX = 20_000
"""Segments of a JPEG, chunks of a PNG or WebP. Phones write a few dozen; a PNG of 10 MB in the smallest parts that are
usual, 4 KiB, has 2,600. Walking 20,000 takes 20 ms."""

DECODER_BYTES_MAX = 80 * 1024 * 1024
"""The most that decoding a photo takes in memory, by its header: with the file twice, 100 MB. It bounds a progressive
JPEG to about 27 million pixels; one photo is decoded at a time in a process."""

PIXELS_WHOLE_MAX = 20_000_000
"""The most pixels of a PNG or WebP: at four bytes each they are within `DECODER_BYTES_MAX`. Phones' cameras write
JPEG; where somebody saves their pictures anew they have 12 million, and 10 MB hold little more as PNG."""

PROFILE_BYTES_MAX = 16 * 1024
"""A colour profile beyond this is a printer's table, which says nothing about a phone's photo."""


@dataclass(frozen=True)
class PhotoFile:
    """A file of nothing but pixels: `data` in the format that `kind` names, as Pillow does; `width` and `height` in
    pixels, as stored.

    `orientation` is EXIF's, 1 to 8; `profile` the ICC profile of the colours, None for sRGB. `gap` says that the
    picture's data end where zeros stand in place of more.
    """

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
    """Check a picture's size against the number of pixels that its format and form can be decoded at.

    Raises:
        InvalidImage: there are more.
    """
    if width * height > pixels_max:
        raise InvalidImage(
            PhotoProblem.TOO_LARGE,
            f"The photo has {width * height:,} pixels; at most {pixels_max:,} are taken in this form. Make it smaller.",
        )
