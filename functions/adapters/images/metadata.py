"""The two things in a photo's metadata that the picture needs: which way is up, and what its colours mean."""

import re
import struct

from functions.adapters.images.files import PROFILE_BYTES_MAX

_ORIENTATION = 0x0112

_WHOLE = {3: "H", 4: "I", 8: "H", 9: "I"}
"""TIFF's types of whole numbers. Some programs write the orientation in another one than they should."""

_TAGS_MAX = 256
"""Of an EXIF directory; cameras write about twenty."""

_XMP_ORIENTATION = re.compile(rb"""tiff:Orientation(?:=["']|>)([1-8])""")

_SRGB_X = {b"rXYZ": 0.4361, b"gXYZ": 0.3851}
"""How red and green stand in sRGB: the first of their three coordinates, adapted to D50. ICC.1:2022, 9.2."""


def orientation(exif: bytes, xmp: bytes = b"") -> int:
    """Return how the camera was held, 1 to 8, by an EXIF block (from its byte order on) or else an XMP packet. 1,
    upright, if neither is readable: metadata make no photo unusable."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order and len(exif) >= 8:
        (at,) = struct.unpack_from(order + "I", exif, 4)
        count = struct.unpack_from(order + "H", exif, at)[0] if at + 2 <= len(exif) else 0
        for entry in range(at + 2, min(at + 2 + 12 * min(count, _TAGS_MAX), len(exif) - 11), 12):
            tag, kind, values = struct.unpack_from(order + "HHI", exif, entry)
            if tag == _ORIENTATION and kind in _WHOLE and values == 1:
                (value,) = struct.unpack_from(order + _WHOLE[kind], exif, entry + 8)
                return value if 1 <= value <= 8 else 1
    found = _XMP_ORIENTATION.search(xmp)
    return int(found[1]) if found else 1


def wide_profile(profile: bytes) -> bytes | None:
    """Return an ICC profile that colours have to be converted by: a display's with three primaries other than sRGB's,
    as the Display P3 of iPhones. None for others: sRGB needs no conversion, and tables are for printers and scanners,
    and can keep a library busy. ICC.1:2022, 7.2 and 7.3."""
    if not 132 <= len(profile) <= PROFILE_BYTES_MAX or profile[12:24] != b"mntrRGB XYZ " or profile[36:40] != b"acsp":
        return None
    primaries = {}
    for entry in range(132, min(132 + 12 * int.from_bytes(profile[128:132]), len(profile) - 11), 12):
        name, at = profile[entry : entry + 4], int.from_bytes(profile[entry + 4 : entry + 8])
        if name.startswith((b"A2B", b"D2B")):
            return None
        if name in _SRGB_X and at + 12 <= len(profile):
            primaries[name] = struct.unpack_from(">i", profile, at + 8)[0] / 65_536
    usual = all(abs(primaries.get(name, x) - x) < 0.01 for name, x in _SRGB_X.items())
    return None if usual else profile
