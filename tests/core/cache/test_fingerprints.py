"""The hash of a photo, and how far two photos are from each other."""

import math
import random
from dataclasses import replace

import pytest

from functions.core.cache.fingerprints import BITS, COLOUR_BYTES, Fingerprint, colour_distance, dct_hash, distance

SIDE = 32


def grey(seed: int) -> list[int]:
    """Return a grey picture with a few soft shapes."""
    chance = random.Random(seed)  # noqa: S311 (a picture)
    spots = [(chance.uniform(0, SIDE), chance.uniform(0, SIDE), chance.uniform(3, 9)) for _ in range(6)]
    return [
        max(40 + round(120 * max(0.0, 1 - ((x - a) ** 2 + (y - b) ** 2) / r**2)) for a, b, r in spots)
        for y in range(SIDE)
        for x in range(SIDE)
    ]


def photo(*hashes: int, colours: bytes = bytes(COLOUR_BYTES)) -> Fingerprint:
    """Return a photo that is known by these hashes."""
    return Fingerprint(bytes(16), hashes, colours)


def transformed(picture: list[int]) -> list[float]:
    """Return the cosine transform of the textbook, written out."""
    return [
        sum(
            picture[y * SIDE + x] * math.cos(math.pi * u * (2 * x + 1) / 64) * math.cos(math.pi * v * (2 * y + 1) / 64)
            for y in range(SIDE)
            for x in range(SIDE)
        )
        for u in range(1, 17)
        for v in range(1, 17)
    ]


def test_the_hash_is_the_sign_of_each_frequency() -> None:
    """The cosine transform is above its median where a bit is set."""
    plain = transformed(grey(1))
    median = sorted(plain)[BITS // 2]
    bits = f"{dct_hash(bytes(grey(1))):0{BITS}b}"
    sure = [at for at, each in enumerate(plain) if abs(each - median) > 1e-6]
    assert len(sure) > BITS - 4
    assert all((bits[at] == "1") == (plain[at] > median) for at in sure)


@pytest.mark.parametrize("frequency", [1, 7, 16])
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_largest_frequency_there_can_be_has_its_sign(frequency: int, sign: int) -> None:
    """Across and down at once, as a pattern has it in black and white."""
    waves = [math.cos(math.pi * frequency * (2 * at + 1) / 64) for at in range(SIDE)]
    picture = [255 * (sign * across * down > 0) for down in waves for across in waves]
    plain = transformed(picture)
    at = max(range(BITS), key=lambda each: sign * plain[each])
    assert sign * plain[at] > 50_000
    assert f"{dct_hash(bytes(picture)):0{BITS}b}"[at] == ("1" if sign > 0 else "0")


def test_brightness_leaves_the_hash_alone_and_another_picture_does_not() -> None:
    """All pixels brighter by the same is the same photo; two pictures differ in about half their bits."""
    one, other = grey(1), grey(2)
    brighter = bytes(each + 30 for each in one)
    assert dct_hash(brighter) == dct_hash(bytes(one))
    assert 80 < (dct_hash(bytes(one)) ^ dct_hash(bytes(other))).bit_count() < 176


def test_a_moved_framing_counts_for_the_photo_that_is_looked_up() -> None:
    """Against every other framing of the one that was kept, whose own moved ones are not kept."""
    kept = photo(*(0xFF << (8 * number) for number in range(1, 7)))
    found = replace(photo(*(0xFFFF << (64 + 16 * number) for number in range(6))), moved=(0, 0xFF << 24 | 1))
    assert distance(found, kept) == 1
    assert distance(replace(found, moved=()), kept) > 8
    assert distance(kept, found) > 8


def test_the_nearest_framing_counts_whichever_photo_was_cropped() -> None:
    """One photo as it is against every framing of the other, in both directions; not framing against framing."""
    whole, cropped = photo(0b1111, 0b0000, 0xFF00), photo(0b0001, 0xFF00, 0xFF00)
    assert distance(whole, cropped) == distance(cropped, whole) == 1
    assert distance(whole, whole) == 0


def test_colours_are_compared_by_the_root_mean_square() -> None:
    """A difference of 10 in every cell is 10; in one of 32 cells it is a fifth of that."""
    same, one = bytes([10] * COLOUR_BYTES), bytes([10] + [0] * (COLOUR_BYTES - 1))
    assert colour_distance(photo(0), photo(0, colours=same)) == 10
    assert round(colour_distance(photo(0), photo(0, colours=one)), 2) == 1.77
