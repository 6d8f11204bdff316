"""How far each family is believed by now: `stats/cache`, folded from the labels on jobs, now and then.

A label is a job for which the model was asked although the cache had an answer: in shadow mode, because its user wanted
a fresh one, or as the check of a hit. The job says whether the two agree, at no write of its own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field

from functions.core.cache.certification import NearTier, checked, labelled
from functions.core.cache.checks import Chosen, draw_of, is_checked, one_more, one_wrong
from functions.core.cache.lookup import Tier
from functions.core.shared.records import Kept
from functions.core.shared.utc_days import day_of

FAMILIES_MAX = 8
"""Kept: a changed model, prompt or preparation begins another, and those that nobody asks by any more go."""


class Family(Kept):
    """What was seen of one family: its near tier, which of its hits were chosen to be asked again, and how many of the
    same files were asked again and how many of these were wrong. If the model gave another answer, it by itself is to
    blame."""

    near: NearTier = NearTier()
    near_chosen: Chosen = Chosen(all_until=0)
    exact_chosen: Chosen = Chosen()
    exact_checked: Annotated[int, Field(ge=0)] = 0
    exact_wrong: Annotated[int, Field(ge=0)] = 0
    seen_at: AwareDatetime


class CacheState(Kept):
    """The families by their name; the time of the last label that is in them, and until when hits were looked at that
    may be asked again."""

    families: dict[str, Family] = Field(default_factory=dict)
    labelled_until: AwareDatetime | None = None
    chosen_until: AwareDatetime | None = None


@dataclass(frozen=True)
class Label:
    """Whether a kept answer was right, at how many bits of a family, and when that was found out."""

    family: str
    tier: Tier
    bits: int
    right: bool
    at: datetime


@dataclass(frozen=True)
class Hit:
    """A hit that may be asked again, and when it was."""

    job_id: str
    family: str
    tier: Tier
    at: datetime


def chosen_of(families: Mapping[str, Family], name: str, tier: Tier) -> Chosen:
    """Return which hits of a tier were chosen."""
    family = families.get(name)
    if family is None:
        return Chosen()
    return family.exact_chosen if tier is Tier.EXACT else family.near_chosen


def choose(state: CacheState, hits: Iterable[Hit]) -> tuple[CacheState, list[str]]:
    """Return the state after more hits, in the order of their times, all of them later than those that are in it; and
    which jobs are asked again."""
    families, until, again = dict(state.families), state.chosen_until, list[str]()
    for hit in hits:
        until, day = hit.at, day_of(hit.at)
        chosen = chosen_of(families, hit.family, hit.tier)
        if not is_checked(chosen, day, draw_of(hit.job_id)):
            continue
        again.append(hit.job_id)
        family = families.get(hit.family) or Family(seen_at=hit.at)
        field = "exact_chosen" if hit.tier is Tier.EXACT else "near_chosen"
        families[hit.family] = family.model_copy(update={field: one_more(chosen, day)})
    return state.model_copy(update={"families": families, "chosen_until": until}), again


def near_tier(families: Mapping[str, Family], name: str) -> NearTier:
    """Return a family's near tier, which serves nothing if nobody knows it."""
    family = families.get(name)
    return family.near if family else NearTier()


def folded(state: CacheState, labels: Iterable[Label], limit: float) -> CacheState:
    """Return the state after more labels, in the order of their times, all of them later than those that are in it.
    `limit` is the share of wrong answers up to which a threshold is certified."""
    families, until = dict(state.families), state.labelled_until
    for label in labels:
        families[label.family] = _with(families.get(label.family) or Family(seen_at=label.at), label, limit)
        until = label.at
    kept = sorted(families, key=lambda name: families[name].seen_at, reverse=True)[:FAMILIES_MAX]
    return state.model_copy(update={"families": {name: families[name] for name in kept}, "labelled_until": until})


def tightened(before: CacheState, after: CacheState) -> dict[str, int | None]:
    """Return the families whose near tier serves less than before, and within how many bits it does now."""
    serves = {
        name: (near_tier(before.families, name).serves, each.near.serves) for name, each in after.families.items()
    }
    return {name: now for name, (then, now) in serves.items() if then is not None and (now is None or now < then)}


def _with(family: Family, label: Label, limit: float) -> Family:
    seen: dict[str, object] = {"seen_at": label.at}
    near = family.near
    if label.tier is Tier.EXACT:
        counts = {"exact_checked": family.exact_checked + 1, "exact_wrong": family.exact_wrong + (not label.right)}
        return family.model_copy(update={**seen, **counts})
    if near.serves is not None and label.bits <= near.serves:
        near = checked(near, label.bits, right=label.right)
        if not label.right:
            seen["near_chosen"] = one_wrong(family.near_chosen)
    else:
        near = labelled(near, label.bits, limit, right=label.right)
    return family.model_copy(update={**seen, "near": near})
