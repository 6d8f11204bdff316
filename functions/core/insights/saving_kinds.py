"""A change that saves money, and what it is reckoned from."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from functions.core.model.ways import Way
from functions.core.rollouts.flags import Flag
from functions.core.shared.lanes import Lane
from functions.core.shared.providers import Provider, split
from functions.core.shared.records import Record


class Kind(StrEnum):
    """What is changed."""

    LANE_SHARE = "lane_share"
    IMAGE_SIDE = "image_side"
    ANSWER_LENGTH = "answer_length"
    MODEL = "model"
    PROVIDER = "provider"
    ATTEMPTS = "attempts"
    CACHE = "cache"
    BATCH_SIZE = "batch_size"
    WAITING = "waiting"
    ALLOWANCE = "allowance"
    PROMPT_CACHE = "prompt_cache"
    OFF_PEAK = "off_peak"


class Saving(Record):
    """A change: the share of the cost that it saves, from `low` to `high`, how that is computed, what it risks, and the
    `changes` of the config that make it, None if none do."""

    kind: str
    way: str
    share: float
    low: float
    high: float
    arithmetic: str
    risk: str
    changes: dict[str, Any] | None = None


class Savings(Record):
    """What 30 days are expected to `cost` in micro-dollars; the changes, greatest first; the share that all of them
    save one after another; the `model`, the wording of the `prompt` and the `side_max` that they change, which trials
    of them have to be compared with, as it was asked when this was made; and the wording that the flag `prompt`
    tries."""

    cost: int
    list: tuple[Saving, ...]
    together: float
    model: str = ""
    prompt: str = ""
    prompt_next: str = ""
    side_max: int | None = None


@dataclass(frozen=True)
class Costs:
    """What is spent on: micro-dollars of `cost` in 30 days, and by lane `photos` in these and what one costs."""

    cost: int
    photos: Mapping[Lane, float]
    photo_micros: Mapping[Lane, float]

    @property
    def whole(self) -> float:
        """Return what all photos cost, without a limit."""
        return sum(self.photos[lane] * self.photo_micros[lane] for lane in Lane)


@dataclass(frozen=True)
class Again:
    """What the cache has counted by lane: `photos`, and those of them whose same file was `known`."""

    photos: Mapping[str, int]
    known: Mapping[str, int]


def saving(kind: Kind, way: str, share: float, ends: tuple[float, float], arithmetic: str, risk: str) -> Saving:
    """Return a saving of this share, `ends` times it at its least and most."""
    low, high = (share * end for end in ends)
    return Saving(kind=kind, way=way, share=share, low=low, high=high, arithmetic=arithmetic, risk=risk)


def tried_way(changes: Mapping[str, Any], way: Way, models: Mapping[Provider, str], prompt_next: str) -> Way:
    """Return the way, in a batch, that these changes of the config make of this one. `models` are the providers'."""
    orders, images = changes.get("providers", {}), changes.get("images", {})
    first = next((order[0] for order in orders.values()), None)
    asked = models[Provider(first)] if first else changes.get("model", {}).get("next", way.model)
    return Way(
        model=in_batches(asked),
        prompt=prompt_next if Flag.PROMPT in changes.get("flags", {}) else way.prompt,
        side_max=images.get("nextSideMax", images.get("sideMax", way.side_max)),
    )


def in_batches(model: str) -> str:
    """Return what is asked of a model in a batch: Azure's are OpenAI's, and Azure takes no batches here."""
    provider, name = split(model)
    return name if provider is Provider.AZURE else model
