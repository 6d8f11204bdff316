"""What a file is, by its first bytes: its name and its type are the sender's word."""

from collections.abc import Callable

from functions.adapters.images import jpeg, png, webp
from functions.adapters.images.files import PhotoFile, unsupported
from functions.core.shared.errors import InvalidImage
from functions.core.shared.photos import PhotoProblem

_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_AVIF = {b"avif", b"avis"}
_HEIF = {b"mif1", b"mif2", b"msf1"}

_OTHERS = {
    b"GIF8": "A GIF",
    b"BM": "A BMP",
    b"II*\0": "A TIFF or raw photo",
    b"MM\0*": "A TIFF or raw photo",
    b"\0\0\x01\0": "An icon",
    b"8BPS": "A Photoshop file",
    b"\xff\x0a": "A JPEG XL",
    b"\0\0\0\x0cJXL ": "A JPEG XL",
    b"\0\0\0\x0cjP  ": "A JPEG 2000",
    b"\xff\x4f\xff\x51": "A JPEG 2000",
}
"""Pictures of other kinds, by how they begin."""


def read(data: bytes) -> PhotoFile:
    """Return what a decoder needs. Raises InvalidImage for anything but a JPEG, PNG or WebP that can be taken."""
    readers: dict[bytes, Callable[[bytes], PhotoFile]] = {b"\xff\xd8\xff": jpeg.read, png.SIGNATURE: png.read}
    for start, reader in readers.items():
        if data.startswith(start):
            return reader(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return webp.read(data)
    raise _foreign(data)


def _foreign(data: bytes) -> InvalidImage:
    """Return why a file of another kind is refused."""
    if data[4:8] == b"ftyp":
        brands = {data[at : at + 4] for at in range(8, min(int.from_bytes(data[:4]), len(data), 128), 4)}
        if brands & _AVIF and data[8:12] not in _HEIC:
            return unsupported("An AVIF")
        if brands & (_HEIC | _HEIF):
            return InvalidImage(
                PhotoProblem.HEIC, "The photo is a HEIC file. Convert it to JPEG on the phone, and upload that."
            )
    for start, what in _OTHERS.items():
        if data.startswith(start):
            return unsupported(what)
    return InvalidImage(PhotoProblem.NOT_AN_IMAGE, "This file is no photo. Take a photo, or choose another file.")
