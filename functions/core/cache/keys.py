"""Under what an answer is kept: everything that it depends on, apart from the photo. Whoever changes one of these asks
under another key, so nothing has to be deleted."""

import hashlib
import json
from dataclasses import dataclass

from functions.core.model.ways import Way

HASH_VERSION = 2
"""Of `fingerprints`: hashes of two versions cannot be compared."""

KEY_BYTES = 4


@dataclass(frozen=True)
class Asked:
    """What decides what a model answers about a photo: `answer_schema` is the JSON schema as it is sent."""

    way: Way
    answer_schema: str
    jpeg_quality: int
    region: str
    language: str


def key_of(asked: Asked) -> bytes:
    """Return the key of an answer."""
    return _digest([*_family(asked), asked.region, asked.language])


def family_of(asked: Asked) -> str:
    """Return what is certified together: a key without region and language, of which there are too many for each to
    have a history of its own."""
    return _digest(_family(asked)).hex()


def _family(asked: Asked) -> list[object]:
    images = {"side_max": asked.way.side_max, "jpeg_quality": asked.jpeg_quality}
    return [asked.way.model, asked.way.prompt, asked.answer_schema, images, HASH_VERSION]


def _digest(parts: list[object]) -> bytes:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).digest()[:KEY_BYTES]
