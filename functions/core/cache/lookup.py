"""Whether a photo is answered by what is kept: the same file, or the same picture again.

    photo ► nearest entry under the same key ► its job is done, young, undisputed ► its tier serves ► hit
    everything else is a miss, which says what it would have been

A near hit never answers what is dangerous or unsure: a mistake would cost more there than the model does.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from functions.core.cache.certification import THRESHOLDS
from functions.core.cache.entries import Entry
from functions.core.cache.fingerprints import Fingerprint, colour_distance, distance
from functions.core.config.runtime import CacheMode
from functions.core.model.classification import Answer, Category
from functions.core.shared.records import Record

COLOUR_DISTANCE_MAX = 12.0
"""True duplicates differ by 0 to 7, red dots and blue dots by 100."""

HAZARD_LEVEL_NEAR_MAX = 2
CONFIDENCE_NEAR_MIN = 0.7


class Tier(StrEnum):
    """How a photo was found."""

    EXACT = "exact"
    NEAR = "near"


class Gist(Record):
    """What of an answer another one is compared by: where it sends its user. Names and materials may differ, since a
    model words them anew each time."""

    category: str
    primary_method: str
    requires_special_disposal: bool
    hazard_level: int
    recycling_code: int | None


class Miss(StrEnum):
    """Why the model is asked although something is alike, and answered."""

    TOO_OLD = "tooOld"
    DISPUTED = "disputed"
    DANGEROUS_OR_UNSURE = "dangerousOrUnsure"
    TIER_SERVES_NOTHING = "tierServesNothing"


@dataclass(frozen=True)
class Candidate:
    """The entry that is most like a photo. `bits` is 0 for the same file."""

    entry: Entry
    tier: Tier
    bits: int


@dataclass(frozen=True)
class Source:
    """What the candidate's job says: its answer and when it was given, and whether its user disputes it."""

    answer: Answer
    answered_at: datetime
    disputed: bool


@dataclass(frozen=True)
class Rules:
    """What holds now. `bits_max` is the certified threshold of the near tier, None if none is; no answer from before
    `oldest` is given."""

    exact: CacheMode
    near: CacheMode
    bits_max: int | None
    oldest: datetime


def nearest(photo: Fingerprint, key: bytes, entries: Iterable[Entry]) -> Candidate | None:
    """Return the entry under this key that is most like a photo, the newest of equals; None if none of its colours is
    within any threshold."""
    best: Candidate | None = None
    least = THRESHOLDS[-1] + 1
    for entry in sorted(entries, key=lambda each: (each.asked_on, each.job_id), reverse=True):
        if entry.key != key:
            continue
        if entry.photo.sha == photo.sha:
            return Candidate(entry, Tier.EXACT, 0)
        bits = distance(photo, entry.photo)
        if bits < least and colour_distance(photo, entry.photo) <= COLOUR_DISTANCE_MAX:
            best, least = Candidate(entry, Tier.NEAR, bits), bits
    return best


def weigh(candidate: Candidate, source: Source, rules: Rules) -> Miss | None:
    """Return why the model is asked, None if the candidate answers. `TIER_SERVES_NOTHING` comes last: the model's
    answer then tells whether the candidate's would have been right."""
    if source.disputed or source.answered_at < rules.oldest:
        return Miss.DISPUTED if source.disputed else Miss.TOO_OLD
    if candidate.tier is Tier.EXACT:
        return None if rules.exact is CacheMode.ON else Miss.TIER_SERVES_NOTHING
    if dangerous_or_unsure(source.answer):
        return Miss.DANGEROUS_OR_UNSURE
    serves = rules.near is CacheMode.ON and rules.bits_max is not None and candidate.bits <= rules.bits_max
    return None if serves else Miss.TIER_SERVES_NOTHING


def dangerous_or_unsure(answer: Answer) -> bool:
    """Whether an answer is too grave, or too doubtful, to be given for a photo that is only nearly the same."""
    return (
        answer.category in {Category.HAZARDOUS, Category.MEDICAL}
        or answer.hazard_level > HAZARD_LEVEL_NEAR_MAX
        or answer.needs_review
        or answer.confidence < CONFIDENCE_NEAR_MIN
    )


def gist_of(answer: Answer) -> Gist:
    """Return what an answer is compared by."""
    return Gist(
        category=answer.category,
        primary_method=answer.disposal.primary_method,
        requires_special_disposal=answer.requires_special_disposal,
        hazard_level=answer.hazard_level,
        recycling_code=answer.recycling_code,
    )


def same_answer(kept: Gist, asked: Gist) -> bool:
    """Whether two answers send a user the same way."""
    danger, codes = {kept.hazard_level, asked.hazard_level}, {kept.recycling_code, asked.recycling_code}
    return (
        (kept.category, kept.primary_method) == (asked.category, asked.primary_method)
        and kept.requires_special_disposal == asked.requires_special_disposal
        and (len(danger) == 1 or max(danger) <= HAZARD_LEVEL_NEAR_MAX)
        and (len(codes) == 1 or None in codes)
    )
