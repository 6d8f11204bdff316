"""The frame of a JPEG and the passes over it: what they visit, and how many zeros in a row their data can hold.

A block is 8 x 8 coefficients of one component. Names and rules: ITU T.81, annexes B, C and G.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from functions.adapters.images.files import damaged, unsupported

Codes = Mapping[int, tuple[int, int]]
"""By table class (0 DC, 1 AC) x 16 + number: the length in bits of its shortest code, all zeros, and its meaning."""

ZEROS_SPARE_BYTES = 64
"""Beyond the zeros that a flat picture explains. A single block has at most this many coefficients."""


@dataclass(frozen=True)
class Component:
    """One plane of colours: its sampling factors, and its blocks when it is passed over alone and with others."""

    horizontal: int
    vertical: int
    blocks: int


@dataclass(frozen=True)
class Frame:
    """The picture's size in pixels, and its components by their id."""

    width: int
    height: int
    progressive: bool
    components: Mapping[int, Component]

    @property
    def coefficient_bytes(self) -> int:
        """What its coefficients take in memory, two bytes each."""
        return sum(component.blocks for component in self.components.values()) * 64 * 2


@dataclass(frozen=True)
class Scan:
    """One pass: the tables of each component that it visits, as (DC, AC), and which bits of which coefficients."""

    components: Mapping[int, tuple[int, int]]
    first: int
    last: int
    refines: bool

    def visits(self, frame: Frame) -> int:
        """Return how many blocks it visits."""
        return sum(frame.components[name].blocks for name in self.components)


def read_frame(body: bytes, *, progressive: bool) -> Frame:
    """Read a start of frame. Raises InvalidImage if it contradicts itself, or has more than eight bits a sample."""
    if len(body) < 6 or len(body) != 6 + 3 * body[5] or not 1 <= body[5] <= 4:
        raise damaged()
    if body[0] != 8:
        raise unsupported("A JPEG of more than eight bits")
    height, width = int.from_bytes(body[1:3]), int.from_bytes(body[3:5])
    sampling = {body[at]: (body[at + 1] >> 4, body[at + 1] & 15) for at in range(6, len(body), 3)}
    factors = [factor for pair in sampling.values() for factor in pair]
    if not (width and height) or len(sampling) != body[5] or not all(1 <= factor <= 4 for factor in factors):
        raise damaged()
    across = max(horizontal for horizontal, _ in sampling.values())
    down = max(vertical for _, vertical in sampling.values())
    units = -(-width // (8 * across)) * -(-height // (8 * down))
    components = {name: Component(h, v, units * h * v) for name, (h, v) in sampling.items()}
    return Frame(width, height, progressive, components)


def read_scan(body: bytes, frame: Frame) -> Scan:
    """Read a start of scan. Raises InvalidImage if it contradicts itself or the frame."""
    if not body or len(body) != 4 + 2 * body[0]:
        raise damaged()
    components = {body[at]: (body[at + 1] >> 4, body[at + 1] & 15) for at in range(1, 1 + 2 * body[0], 2)}
    if len(components) != body[0] or not components or not components.keys() <= frame.components.keys():
        raise damaged()
    first, last, bits = body[-3:]
    return Scan(components, first, last, refines=bits >> 4 > 0)


def shortest_codes(body: bytes) -> dict[int, tuple[int, int]]:
    """Return the shortest code of each Huffman table in a segment; of one that is damaged nothing."""
    found: dict[int, tuple[int, int]] = {}
    at = 0
    while at + 18 <= len(body):
        counts = body[at + 1 : at + 17]
        bits = next((length for length, count in enumerate(counts, start=1) if count), 0)
        if bits:
            found[body[at]] = (bits, body[at + 17])
        at += 17 + sum(counts)
    return found


def zeros_max(scan: Scan, frame: Frame, codes: Codes) -> int:
    """Return how many zero bytes in a row can be this pass's data.

    Zeros repeat the shortest code. In a flat picture that may be "nothing changes" (DC) and "the block ends" (AC), for
    every block. Any other code repeated is no picture: such zeros stand where data was lost.
    """
    bits = sum(
        frame.components[name].blocks * _flat_bits(scan, tables, frame, codes)
        for name, tables in scan.components.items()
    )
    return bits // 8 + ZEROS_SPARE_BYTES


def _flat_bits(scan: Scan, tables: tuple[int, int], frame: Frame, codes: Codes) -> int:
    """Return how many zero bits a block of a flat picture can have; 0 if it has others among them."""
    dc_bits, dc_says = codes.get(tables[0], (0, 0))
    ac_bits, ac_says = codes.get(16 + tables[1], (0, 0))
    if not frame.progressive:
        return dc_bits + ac_bits if dc_says == 0 and ac_says == 0 else 0
    if scan.first == 0:
        return 1 if scan.refines else dc_bits * (dc_says == 0)
    if ac_says & 15 or ac_says == 0xF0:
        return 0
    return ac_bits + 63 * scan.refines
