"""Whether a photo is answered by what is kept: the same file, or the same picture again.

    photo ► nearest entry under the same key ► its job is done, young, undisputed ► its tier serves ► hit
    everything else is a miss, which says what it would have been

A near hit never answers what is dangerous or unsure: a mistake would cost more there than the model does.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from functions.core.cache.entries import Entry
from functions.core.cache.fingerprints import BITS, Fingerprint, colour_distance, distance
from functions.core.model.classification import Answer, Category

COLOUR_DISTANCE_MAX = 12.0
"""True duplicates differ by 0 to 7, red dots and blue dots by 100."""

HAZARD_LEVEL_NEAR_MAX = 2
CONFIDENCE_NEAR_MIN = 0.7


class Tier(StrEnum):
    """How a photo was found."""

    EXACT = "exact"
    NEAR = "near"


class Mode(StrEnum):
    """What a tier does: nothing, note what it would have answered, or answer."""

    OFF = "off"
    SHADOW = "shadow"
    ON = "on"


class Miss(StrEnum):
    """Why the model is asked."""

    NOTHING_ALIKE = "nothingAlike"
    NOT_DONE = "notDone"
    TOO_OLD = "tooOld"
    DISPUTED = "disputed"
    TOO_FAR = "tooFar"
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
    """What the candidate's job says: its answer and when it was given, None if it has none; whether somebody disputes
    it."""

    answer: Answer | None
    answered_at: datetime | None
    disputed: bool


@dataclass(frozen=True)
class Rules:
    """What holds now. `bits_max` is the certified threshold of the near tier."""

    exact: Mode
    near: Mode
    bits_max: int
    age_max: timedelta


def nearest(photo: Fingerprint, key: bytes, entries: Iterable[Entry]) -> Candidate | None:
    """Return the entry under this key that is most like a photo, the last used of equals; None if none has its
    colours."""
    best: Candidate | None = None
    for entry in sorted(entries, key=lambda each: (each.used_on, each.job_id), reverse=True):
        if entry.key != key:
            continue
        if entry.photo.sha == photo.sha:
            return Candidate(entry, Tier.EXACT, 0)
        bits = distance(photo, entry.photo)
        if bits < (best.bits if best else BITS) and colour_distance(photo, entry.photo) <= COLOUR_DISTANCE_MAX:
            best = Candidate(entry, Tier.NEAR, bits)
    return best


def weigh(candidate: Candidate | None, source: Source, rules: Rules, now: datetime) -> Miss | None:
    """Return why the model is asked, None if the candidate answers. `TIER_SERVES_NOTHING` comes last: in shadow mode it
    is what would have been a hit."""
    if candidate is None:
        return Miss.NOTHING_ALIKE
    if source.answer is None or source.answered_at is None:
        return Miss.NOT_DONE
    if source.disputed or now - source.answered_at > rules.age_max:
        return Miss.DISPUTED if source.disputed else Miss.TOO_OLD
    if candidate.tier is Tier.EXACT:
        return None if rules.exact is Mode.ON else Miss.TIER_SERVES_NOTHING
    if candidate.bits > rules.bits_max or dangerous_or_unsure(source.answer):
        return Miss.TOO_FAR if candidate.bits > rules.bits_max else Miss.DANGEROUS_OR_UNSURE
    return None if rules.near is Mode.ON else Miss.TIER_SERVES_NOTHING


def dangerous_or_unsure(answer: Answer) -> bool:
    """Whether an answer is too grave, or too doubtful, to be given for a photo that is only nearly the same."""
    return (
        answer.category in {Category.HAZARDOUS, Category.MEDICAL}
        or answer.hazard_level > HAZARD_LEVEL_NEAR_MAX
        or answer.needs_review
        or answer.confidence < CONFIDENCE_NEAR_MIN
    )


def same_answer(kept: Answer, asked: Answer) -> bool:
    """Whether two answers send a user the same way. Names and materials may differ: a model words them anew each
    time."""
    danger, codes = {kept.hazard_level, asked.hazard_level}, {kept.recycling_code, asked.recycling_code}
    return (
        kept.category == asked.category
        and kept.disposal.primary_method == asked.disposal.primary_method
        and kept.requires_special_disposal == asked.requires_special_disposal
        and (len(danger) == 1 or max(danger) <= HAZARD_LEVEL_NEAR_MAX)
        and (len(codes) == 1 or None in codes)
    )
