"""Bloom filters of document names, by which a client finds out which of its documents are no longer in a result.

Bit i of a name is `(h1 + i * h2) mod 2^64 mod bits`, h1 and h2 being the halves of its MD5 as little-endian numbers;
bits count from the lowest of each byte. Source: the protocol's own documentation of `BloomFilter` and `BitSequence`.
"""

import hashlib
import math
from collections.abc import Collection

from google.cloud.firestore_v1.types import bloom_filter

from .protos import Message

FALSE_POSITIVE_RATE = 0.0001  # of a document that has gone; the client then asks for the whole result

BloomFilter: Message = bloom_filter.BloomFilter.pb()


def bloom_of(names: Collection[str]) -> Message:
    """Return the `BloomFilter` of some names."""
    bits = math.ceil(len(names) * -math.log(FALSE_POSITIVE_RATE) / math.log(2) ** 2) or 1
    hashes = max(1, round(bits / max(1, len(names)) * math.log(2)))
    bitmap = bytearray(-(-bits // 8))
    for name in names:
        for index in _indexes(name, bits, hashes):
            bitmap[index // 8] |= 1 << index % 8
    return BloomFilter(bits={"bitmap": bytes(bitmap), "padding": len(bitmap) * 8 - bits}, hash_count=hashes)


def _indexes(name: str, bits: int, hashes: int) -> list[int]:
    digest = hashlib.md5(name.encode(), usedforsecurity=False).digest()
    first, second = int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")
    return [((first + number * second) % 2**64) % bits for number in range(hashes)]
