"""What of a photo is kept, to know it again: a 256-bit hash in six framings, and its colours.

The hash has the signs, about their median, of 16 x 16 low frequencies of a grey picture of 32 x 32: Zauner,
"Implementation and Benchmarking of Perceptual Image Hash Functions" (2010); PDQ takes the same (ThreatExchange/pdq).
Brightness, another encoder and another size leave it alone. A crop does not, so each photo is hashed as it is and with
more and more of its edges cut away: whichever of two photos was cropped, one of them as it is meets a framing of the
other. What was cut off one side more than off the other is met by moved framings; these are made of a photo that is
looked up, and not kept. The hash sees no colour, which is why colours are compared beside it.
"""

import math
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
_BASIS = [
    [math.cos(math.pi * frequency * (2 * at + 1) / (2 * GREY_SIDE)) for at in range(_HALF)]
    for frequency in _FREQUENCIES
]
"""Half of each cosine (DCT-II): the other half is the same, mirrored, with the opposite sign where the frequency is
odd."""


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
    rows = [_transformed(grey[at : at + GREY_SIDE]) for at in range(0, len(grey), GREY_SIDE)]
    found = [value for column in zip(*rows, strict=True) for value in _transformed(column)]
    median = sorted(found)[BITS // 2]
    return int("".join("1" if value >= median else "0" for value in found), 2)


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


def _transformed(line: bytes | tuple[float, ...]) -> list[float]:
    """Return the frequencies 1 to 16 of 32 values."""
    mirrored = line[: _HALF - 1 : -1]
    sums = [a + b for a, b in zip(line, mirrored, strict=False)]
    differences = [a - b for a, b in zip(line, mirrored, strict=False)]
    return [
        sum(map(mul, differences if frequency % 2 else sums, basis))
        for frequency, basis in zip(_FREQUENCIES, _BASIS, strict=True)
    ]
