"""Identifiers that look like OpenAI's and are the same in every run with the same seed."""

import hashlib
import itertools
import random


class Ids:
    """Hands out identifiers; safe to use from several threads."""

    def __init__(self, seed: int) -> None:
        """Derive everything from `seed`."""
        self._seed = seed
        self._numbers = itertools.count(1)

    def new(self, prefix: str) -> str:
        """Return `prefix` followed by 24 hexadecimal characters that no other identifier has."""
        return prefix + hashlib.sha256(f"{self._seed}:{next(self._numbers)}".encode()).hexdigest()[:24]

    def dice(self, name: str) -> random.Random:
        """Return dice that always fall the same for the same seed and name."""
        return random.Random(f"{self._seed}:{name}")  # noqa: S311 - repeatable, not secret
