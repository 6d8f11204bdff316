"""A JPEG's first picture without anything else. Marker names and rules: ITU T.81, annex B.

Decoded at a fraction of its size, a picture of 108 million pixels in one pass costs 10 MB and 0.1 s. One in several
passes (progressive) needs all of its coefficients in memory, and its passes add up.
"""

import re
from dataclasses import dataclass, field

from functions.adapters.images.files import (
    DECODER_BYTES_MAX,
    PARTS_MAX,
    PhotoFile,
    cut_off,
    damaged,
    require_decodable,
    too_complex,
    unsupported,
)
from functions.adapters.images.metadata import orientation, wide_profile
from functions.adapters.images.scans import Frame, Scan, read_frame, read_scan, shortest_codes, zeros_max

PIXELS_MAX = 250_000_000
"""Above any phone's camera in use (200 million)."""

PASSES_MAX = 64
"""A progressive JPEG comes in about ten."""

VISITS_MAX = 16_000_000
"""Blocks of 8 x 8 coefficients that all passes together may visit, 60 ns each. A progressive JPEG of 27 million pixels
needs 4 million. An empty pass takes 75 bytes: 10 MB of them would keep an instance busy for an hour."""

_SOI, _EOI, _SOS, _DQT, _DHT, _DRI = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
_STANDALONE = {0x01, _SOI}
_FRAMES = {0xC0, 0xC1, 0xC2}
_OTHER_FRAMES = {0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)}

_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""What stands for itself: neither a byte of coded data, nor a restart within them, nor a fill byte."""

_LOOKAHEAD = bytes(16)
"""The decoder asks for some bytes behind the last block before it decodes that one."""


@dataclass
class _Walk:
    """What was found so far. `parts` are what the decoder will get."""

    jpeg: bytes
    at: int = 2
    parts: list[bytes | memoryview] = field(default_factory=lambda: [b"\xff\xd8"])
    frame: Frame | None = None
    codes: dict[int, tuple[int, int]] = field(default_factory=dict)
    passes: int = 0
    visits: int = 0
    begun: set[int] = field(default_factory=set)
    exif: bytes = b""
    xmp: bytes = b""
    profile: bytes = b""


def read(jpeg: bytes) -> PhotoFile:
    """Return a JPEG's first picture; what phones append (further pictures, videos) is skipped. Raises InvalidImage if
    it is cut off, damaged, too large, in too many parts or passes, or in a form that no camera writes."""
    walk = _Walk(jpeg)
    for _ in range(PARTS_MAX):
        kind = _next_marker(walk)
        if kind == _EOI or kind is None:
            return _several_passes(walk, ended=kind is not None)
        if kind in _STANDALONE:
            continue
        body = _body(walk)
        if kind != _SOS:
            _segment(walk, kind, body)
            continue
        frame = walk.frame
        if frame is None:
            raise damaged()
        scan = read_scan(body, frame)
        if not frame.progressive and len(scan.components) == len(frame.components):
            return _one_pass(walk, frame, scan, body)
        _pass_of_several(walk, frame, scan, body)
    raise too_complex()


def _next_marker(walk: _Walk) -> int | None:
    """Return the next marker's kind, None at the end of the file. Fill bytes and stray ones are skipped, as in all
    decoders."""
    found = _MARKER.search(walk.jpeg, walk.at)
    if not found:
        return None
    walk.at = found.end()
    return walk.jpeg[found.end() - 1]


def _body(walk: _Walk) -> bytes:
    length = int.from_bytes(walk.jpeg[walk.at : walk.at + 2])
    if walk.at + max(length, 2) > len(walk.jpeg):
        raise cut_off()
    if length < 2:
        raise damaged()
    body = walk.jpeg[walk.at + 2 : walk.at + length]
    walk.at += length
    return body


def _segment(walk: _Walk, kind: int, body: bytes) -> None:
    if kind in _OTHER_FRAMES:
        raise unsupported("This kind of JPEG (lossless, hierarchical or arithmetic)")
    if kind in _FRAMES:
        if walk.frame is not None:
            raise damaged()
        walk.frame = read_frame(body, progressive=kind == 0xC2)
        require_decodable(walk.frame.width, walk.frame.height, PIXELS_MAX)
    elif kind == _APP1 and body.startswith(b"Exif\0\0"):
        walk.exif = walk.exif or body[6:]
    elif kind == _APP1 and body.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
        walk.xmp = walk.xmp or body
    elif kind == _APP2 and body.startswith(b"ICC_PROFILE\0\x01\x01"):
        walk.profile = body[14:]
    elif kind == _DHT:
        walk.codes.update(shortest_codes(body))
    says_colours = (kind == _APP0 and body.startswith(b"JFIF\0")) or (kind == _APP14 and body.startswith(b"Adobe"))
    if says_colours or kind in _FRAMES | {_DQT, _DHT, _DRI}:
        _keep(walk, kind, body)


def _keep(walk: _Walk, kind: int, body: bytes) -> None:
    walk.parts += [b"\xff", bytes([kind]), (len(body) + 2).to_bytes(2), body]


def _coded(walk: _Walk) -> memoryview:
    """Return the coded data that begin here: up to the next marker that is no restart, or to the end of the file."""
    begin = walk.at
    found = _MARKER.search(walk.jpeg, begin)
    walk.at = found.start() if found else len(walk.jpeg)
    return memoryview(walk.jpeg)[begin : walk.at]


def _gap(walk: _Walk, coded: memoryview, zeros: int) -> int | None:
    """Return where in the data that were just passed more than this many zero bytes in a row begin."""
    begin = walk.at - len(coded)
    at = walk.jpeg.find(bytes(zeros + 1), begin, walk.at) if zeros < len(coded) else -1
    return None if at < 0 else at - begin


def _one_pass(walk: _Walk, frame: Frame, scan: Scan, body: bytes) -> PhotoFile:
    """Return a picture whose only pass begins here, up to where its data end, without an end marker: the decoder then
    succeeds exactly if all rows were there, whatever stands behind them."""
    coded = _coded(walk)
    gap = _gap(walk, coded, zeros_max(scan, frame, walk.codes))
    _keep(walk, _SOS, body)
    return _file(walk, frame, [coded[:gap], _LOOKAHEAD], gap=gap is not None)


def _pass_of_several(walk: _Walk, frame: Frame, scan: Scan, body: bytes) -> None:
    if frame.coefficient_bytes > DECODER_BYTES_MAX:
        pixels = frame.width * frame.height
        require_decodable(frame.width, frame.height, pixels * DECODER_BYTES_MAX // frame.coefficient_bytes)
    walk.passes += 1
    walk.visits += scan.visits(frame)
    if walk.passes > PASSES_MAX or walk.visits > VISITS_MAX:
        raise too_complex()
    coded = _coded(walk)
    if _gap(walk, coded, zeros_max(scan, frame, walk.codes)) is not None:
        raise damaged()
    if scan.first == 0:
        walk.begun |= scan.components.keys()
    _keep(walk, _SOS, body)
    walk.parts.append(coded)


def _several_passes(walk: _Walk, *, ended: bool) -> PhotoFile:
    """Return a picture after its last pass. Where the file ends without saying so, passes are missing."""
    if walk.frame is None or not walk.begun:
        raise damaged() if ended else cut_off()
    if not ended or walk.begun < walk.frame.components.keys():
        raise cut_off()
    return _file(walk, walk.frame, [b"\xff\xd9"])


def _file(walk: _Walk, frame: Frame, end: list[bytes | memoryview], *, gap: bool = False) -> PhotoFile:
    return PhotoFile(
        "JPEG",
        b"".join([*walk.parts, *end]),
        frame.width,
        frame.height,
        orientation(walk.exif, walk.xmp),
        wide_profile(walk.profile),
        gap,
    )
