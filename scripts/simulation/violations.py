"""Broken promises."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """Which promise is broken (`lost_jobs`, `budget` ...), and how."""

    kind: str
    text: str
