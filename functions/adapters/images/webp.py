"""A WebP's (first) picture alone. https://developers.google.com/speed/webp/docs/riff_container"""

from collections.abc import Iterator
from dataclasses import dataclass

from functions.adapters.images.files import (
    PARTS_MAX,
    PIXELS_WHOLE_MAX,
    PhotoFile,
    cut_off,
    damaged,
    require_decodable,
    too_complex,
)
from functions.adapters.images.metadata import orientation, wide_profile

_ALPHA_FLAG = 0x10


@dataclass
class _Found:
    """What was found so far."""

    kind: bytes = b""
    picture: bytes = b""
    alpha: bytes = b""
    exif: bytes = b""
    xmp: bytes = b""
    profile: bytes = b""


def read(webp: bytes) -> PhotoFile:
    """Return a WebP's picture. Raises InvalidImage if it is cut off, damaged, too large, or in too many chunks."""
    found, end = _Found(), 8 + int.from_bytes(webp[4:8], "little")
    for name, body in _chunks(webp[:end], 12):
        if name == b"ANMF" and not found.picture:
            for inner, content in _chunks(body, 16):
                _chunk(found, inner, content)
        else:
            _chunk(found, name, body)
    if not found.picture:
        raise cut_off() if end > len(webp) else damaged()
    width, height = _size(found)
    require_decodable(width, height, PIXELS_WHOLE_MAX)
    chunks = _packed(found.kind, found.picture)
    if found.alpha and found.kind == b"VP8 ":
        extents = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        chunks = _packed(b"VP8X", bytes([_ALPHA_FLAG, 0, 0, 0]) + extents) + _packed(b"ALPH", found.alpha) + chunks
    turn = orientation(found.exif.removeprefix(b"Exif\0\0"), found.xmp)
    return PhotoFile("WEBP", _packed(b"RIFF", b"WEBP" + chunks), width, height, turn, wide_profile(found.profile))


def _chunks(data: bytes, at: int) -> Iterator[tuple[bytes, bytes]]:
    for _ in range(PARTS_MAX):
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if len(data) < at + 8:
            return
        if at + 8 + length > len(data):
            raise cut_off()
        yield name, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    raise too_complex()


def _chunk(found: _Found, name: bytes, body: bytes) -> None:
    if name in {b"VP8 ", b"VP8L"} and not found.picture:
        found.kind, found.picture = name, body
    elif name == b"ALPH" and not found.picture:
        found.alpha = body
    elif name == b"EXIF":
        found.exif = body
    elif name == b"XMP ":
        found.xmp = body
    elif name == b"ICCP":
        found.profile = body


def _size(found: _Found) -> tuple[int, int]:
    """Read width and height. RFC 6386, 9.1; RFC 9649, 3.4."""
    head = found.picture[:10]
    if found.kind == b"VP8 " and len(head) == 10 and head[3:6] == b"\x9d\x01\x2a":
        return int.from_bytes(head[6:8], "little") & 0x3FFF, int.from_bytes(head[8:10], "little") & 0x3FFF
    if found.kind == b"VP8L" and len(head) >= 5 and head[0] == 0x2F:
        bits = int.from_bytes(head[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    raise damaged()


def _packed(name: bytes, body: bytes) -> bytes:
    return b"".join([name, len(body).to_bytes(4, "little"), body, bytes(len(body) % 2)])
