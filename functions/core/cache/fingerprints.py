"""What of a photo is kept, to know it again: a 256-bit hash in six framings, and its colours.

The hash has the signs, about their median, of 16 x 16 low frequencies of a grey picture of 32 x 32: Zauner,
"Implementation and Benchmarking of Perceptual Image Hash Functions" (2010); PDQ takes the same (ThreatExchange/pdq).
Brightness, another encoder and another size leave it alone. A crop does not, so each photo is hashed as it is and with
more and more of its edges cut away: whichever of two photos was cropped, one of them as it is meets a framing of the
other. What was cut off one side more than off the other is met by moved framings; these are made of a photo that is
looked up, and not kept. The hash sees no colour, which is why colours are compared beside it.
"""

import math
from array import array
from dataclasses import dataclass
from operator import mul

GREY_SIDE = 32
"""Pixels on each side of the grey picture that is hashed."""

COLOUR_SIDE = 4
"""Cells on each side of the picture's colours; each has two bytes, Cb and Cr."""

CUTS = (0.0, 0.02, 0.04, 0.06, 0.08, 0.1)
"""What each framing leaves out of the width and of the height, at both ends."""

MOVED_CUT, MOVED_BY = 0.04, 0.03
MOVED = tuple((across, down) for across in (-1, 0, 1) for down in (-1, 0, 1) if across or down)
"""A moved framing leaves `MOVED_CUT` out on the mean: by so much more at one end, and less at the other, into each of
eight directions."""

MET = (0, 2, 4)
"""The framings that moved ones are compared with: every other of `CUTS`, which are as near to the others as needed."""

BITS = 256
HASH_BYTES = BITS // 8
COLOUR_BYTES = 2 * COLOUR_SIDE**2

_HALF = GREY_SIDE // 2
_FREQUENCIES = range(1, 1 + math.isqrt(BITS))


def _basis(unit: int) -> list[list[int]]:
    """Return half of each cosine (DCT-II) in whole multiples of 1 / `unit`: the other half is the same, mirrored, with
    the opposite sign where the frequency is odd."""
    return [
        [round(unit * math.cos(math.pi * frequency * (2 * at + 1) / (2 * GREY_SIDE))) for at in range(_HALF)]
        for frequency in _FREQUENCIES
    ]


_DOWN, _ACROSS = _basis(1 << 24), _basis(1 << 23)
"""As fine as leaves a frequency below 2 ** 62."""

_LANE = 8
"""Bytes of one integer within a large one: arithmetic on that one is arithmetic on all at once."""


@dataclass(frozen=True)
class Fingerprint:
    """A photo as the cache knows it: 16 bytes of the SHA-256 of the prepared JPEG, a hash for each of `CUTS`, and
    `COLOUR_BYTES`. `moved` has the hashes of moved framings, none of a photo that was kept."""

    sha: bytes
    hashes: tuple[int, ...]
    colours: bytes
    moved: tuple[int, ...] = ()


def dct_hash(grey: bytes) -> int:
    """Return the hash of a grey picture of 32 x 32 pixels, a byte each, row by row."""
    spread = bytearray(_LANE * len(grey))
    spread[::_LANE] = grey
    width = _LANE * GREY_SIDE
    rows = [int.from_bytes(spread[at : at + width], "little") for at in range(0, len(spread), width)]
    down = _lanes(_transformed(rows, _DOWN), GREY_SIDE)
    shift = _shift(len(_FREQUENCIES))
    columns = [int.from_bytes(down[at::GREY_SIDE].tobytes(), "little") - shift for at in range(GREY_SIDE)]
    found = _lanes(_transformed(columns, _ACROSS), len(_FREQUENCIES))
    median = sorted(found)[BITS // 2]
    return int("".join(["1" if value >= median else "0" for value in found]), 2)


def distance(one: Fingerprint, kept: Fingerprint) -> int:
    """Return how many bits a photo differs by from one that was kept, in the framings in which they are most alike."""
    first, second = one.hashes[0], kept.hashes[0]
    differences = [first ^ framed for framed in kept.hashes] + [second ^ framed for framed in one.hashes]
    if one.moved:
        met = [kept.hashes[at] for at in MET]
        differences += [moved ^ framed for moved in one.moved for framed in met]
    return min(map(int.bit_count, differences))


def colour_distance(one: Fingerprint, other: Fingerprint) -> float:
    """Return the root mean square of the differences of two photos' colours, of 255."""
    squares = sum((a - b) ** 2 for a, b in zip(one.colours, other.colours, strict=True))
    return math.sqrt(squares / COLOUR_BYTES)


def _transformed(lines: list[int], basis: list[list[int]]) -> list[int]:
    """Return the frequencies 1 to 16 of 32 lines, in each of their lanes."""
    mirrored = lines[: _HALF - 1 : -1]
    sums = [a + b for a, b in zip(lines, mirrored, strict=False)]
    differences = [a - b for a, b in zip(lines, mirrored, strict=False)]
    return [
        sum(map(mul, differences if frequency % 2 else sums, cosine))
        for frequency, cosine in zip(_FREQUENCIES, basis, strict=True)
    ]


def _lanes(lines: list[int], count: int) -> "array[int]":
    """Return the integers in so many lanes of each line, all of them 2 ** 63 higher: none is negative, and their order
    is the same."""
    shift = _shift(count)
    return array("Q", b"".join([(line + shift).to_bytes(_LANE * count, "little") for line in lines]))


def _shift(count: int) -> int:
    return int.from_bytes((bytes(_LANE - 1) + b"\x80") * count, "little")
