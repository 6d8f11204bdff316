"""How photos are asked about: what answers depend on, and what a flag's two paths can differ in."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Way:
    """The `model` that is asked, by its name of `core.shared.providers`, the version of its `prompt`, and the longest
    side of a photo in pixels."""

    model: str
    prompt: str
    side_max: int
