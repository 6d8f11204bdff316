"""The two lanes that a photo can take. Every subject knows them, so they belong to none."""

from enum import StrEnum


class Lane(StrEnum):
    """How soon, and at what price."""

    INSTANT = "instant"
    BATCH = "batch"
