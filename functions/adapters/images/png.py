"""A PNG's still picture alone: header, palette, transparency and data. https://www.w3.org/TR/png-3/#5Chunk-layout"""

import zlib
from dataclasses import dataclass, field

from functions.adapters.images.files import (
    PARTS_MAX,
    PIXELS_WHOLE_MAX,
    PROFILE_BYTES_MAX,
    PhotoFile,
    cut_off,
    damaged,
    require_decodable,
    too_complex,
)
from functions.adapters.images.metadata import orientation, wide_profile

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_PICTURE = {b"PLTE", b"tRNS"}


@dataclass
class _Found:
    """What was found so far, the picture's data in pieces."""

    header: bytes = b""
    tables: list[bytes] = field(default_factory=list)
    pieces: list[memoryview] = field(default_factory=list)
    exif: bytes = b""
    xmp: bytes = b""
    profile: bytes = b""


def read(png: bytes) -> PhotoFile:
    """Return a PNG's picture. Raises InvalidImage if it is cut off, damaged, too large, or in too many chunks."""
    found, at = _Found(), len(SIGNATURE)
    for _ in range(PARTS_MAX):
        length, name = int.from_bytes(png[at : at + 4]), png[at + 4 : at + 8]
        if len(name) < 4 or name == b"IEND":
            break
        begin, at = at + 8, at + 12 + length
        body = memoryview(png)[begin : begin + length]
        _chunk(found, name, body, png[at - 4 : at])
    else:
        raise too_complex()
    if not found.pieces:
        raise cut_off() if len(name) < 4 else damaged()
    width, height = int.from_bytes(found.header[:4]), int.from_bytes(found.header[4:8])
    head = _packed(b"IHDR", found.header)
    data = [SIGNATURE, head, *found.tables, _packed(b"IDAT", b"".join(found.pieces)), _packed(b"IEND", b"")]
    turn = orientation(found.exif, found.xmp)
    return PhotoFile("PNG", b"".join(data), width, height, turn, wide_profile(found.profile))


def _chunk(found: _Found, name: bytes, body: memoryview, checksum: bytes) -> None:
    if not found.header and name != b"IHDR":
        raise damaged()
    if name == b"IDAT":
        found.pieces.append(body)  # the decoder finds out where these are damaged, or end too soon
    elif name == b"IHDR" or name in _PICTURE:
        if checksum != zlib.crc32(body, zlib.crc32(name)).to_bytes(4):
            raise cut_off() if len(checksum) < 4 else damaged()
        _picture(found, name, bytes(body))
    elif name == b"eXIf":
        found.exif = bytes(body)
    elif name == b"iCCP":
        found.profile = found.profile or _unpacked(bytes(body).partition(b"\0")[2][1:])
    elif name == b"iTXt" and bytes(body[:22]) == b"XML:com.adobe.xmp\0\0\0\0\0":
        found.xmp = bytes(body)


def _picture(found: _Found, name: bytes, body: bytes) -> None:
    if name == b"IHDR":
        if found.header or len(body) != 13:
            raise damaged()
        found.header = body
        require_decodable(int.from_bytes(body[:4]), int.from_bytes(body[4:8]), PIXELS_WHOLE_MAX)
    elif not found.pieces and len(found.tables) < len(_PICTURE):
        found.tables.append(_packed(name, body))


def _packed(name: bytes, body: bytes) -> bytes:
    return b"".join([len(body).to_bytes(4), name, body, zlib.crc32(body, zlib.crc32(name)).to_bytes(4)])


def _unpacked(data: bytes) -> bytes:
    """Unpack a profile, one byte beyond the largest that is used at most."""
    try:
        return zlib.decompressobj().decompress(data, PROFILE_BYTES_MAX + 1)
    except zlib.error:
        return b""
