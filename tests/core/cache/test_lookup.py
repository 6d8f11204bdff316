"""Which kept photo a new one is like, and whether that one's answer is given."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from functions.core.cache.entries import Entry
from functions.core.cache.fingerprints import COLOUR_BYTES, CUTS, Fingerprint
from functions.core.cache.lookup import (
    Candidate,
    Miss,
    Rules,
    Source,
    Tier,
    dangerous_or_unsure,
    gist_of,
    nearest,
    same_answer,
    weigh,
)
from functions.core.config.runtime import CacheMode
from functions.core.model.classification import Answer, Category, DisposalMethod
from tests.builders import answer as usual_answer

NOW = datetime(2026, 11, 29, tzinfo=UTC)
KEY = b"key!"
FAR = 2**256 - 1
ANSWER = usual_answer()
RULES = Rules(CacheMode.ON, CacheMode.ON, bits_max=48, oldest=NOW - timedelta(days=30))
SOURCE = Source(ANSWER, NOW - timedelta(days=1), disputed=False)


def photo(sha: int, bits: int = 0, colour: int = 0) -> Fingerprint:
    """Return a photo that is so many bits, and so much colour, away from the plainest."""
    return Fingerprint(bytes([sha] * 16), (2**bits - 1,) * len(CUTS), bytes([colour] * COLOUR_BYTES))


def entry(job: str, known: Fingerprint, key: bytes = KEY, day: int = 1) -> Entry:
    """Return an entry of a job."""
    return Entry(key, job * 32, date(2026, 11, day), known)


def candidate(bits: int) -> Candidate:
    """Return a candidate at so many bits, the same file at 0."""
    return Candidate(entry("a", photo(1)), Tier.NEAR if bits else Tier.EXACT, bits)


def answer(**changes: Any) -> Answer:
    """Return the usual answer, changed."""
    return ANSWER.model_copy(update=changes)


def test_the_same_file_is_found_before_any_that_is_like_it() -> None:
    """By its SHA-256, even if another entry has the same hashes."""
    found = nearest(photo(2), KEY, [entry("a", photo(1), day=9), entry("b", photo(2, bits=40))])
    assert (found and found.entry.job_id, found and found.tier) == ("b" * 32, Tier.EXACT)


def test_the_nearest_is_found_among_those_of_its_colour() -> None:
    """Red dots are not blue dots, whatever the hash says; of equals the newest is taken."""
    blue, near, nearer = entry("a", photo(1, 1, 99)), entry("b", photo(1, 20)), entry("c", photo(1, 7), day=2)
    found = nearest(photo(9), KEY, [blue, near, nearer, entry("d", photo(1, 7))])
    assert (found and found.entry, found and found.bits, found and found.tier) == (nearer, 7, Tier.NEAR)
    assert nearest(photo(9), KEY, [blue]) is None


def test_what_no_threshold_reaches_is_not_looked_at() -> None:
    """Its job would be read for nothing."""
    edge, beyond = entry("a", photo(1, 56)), entry("b", photo(1, 57))
    assert nearest(photo(9), KEY, [beyond]) is None
    assert nearest(photo(9), KEY, [beyond, edge]) == Candidate(edge, Tier.NEAR, 56)


def test_another_key_is_never_found() -> None:
    """What another model, prompt, region or language has answered is no answer, not even for the same file."""
    assert nearest(photo(1), KEY, [entry("a", photo(1), key=b"else")]) is None


@pytest.mark.parametrize(
    ("bits", "source", "rules", "why"),
    [
        (0, {}, {}, None),
        (48, {}, {}, None),
        (49, {}, {}, Miss.TIER_SERVES_NOTHING),
        (48, {}, {"bits_max": 40}, Miss.TIER_SERVES_NOTHING),
        (3, {}, {"bits_max": None}, Miss.TIER_SERVES_NOTHING),
        (0, {}, {"bits_max": None}, None),
        (56, {}, {"bits_max": 56}, None),
        (0, {"disputed": True}, {}, Miss.DISPUTED),
        (0, {"answered_at": NOW - timedelta(days=30, seconds=1)}, {}, Miss.TOO_OLD),
        (0, {"answered_at": NOW - timedelta(days=30)}, {}, None),
        (0, {}, {"exact": CacheMode.SHADOW}, Miss.TIER_SERVES_NOTHING),
        (0, {}, {"near": CacheMode.OFF}, None),
        (9, {}, {"near": CacheMode.SHADOW}, Miss.TIER_SERVES_NOTHING),
        (9, {}, {"exact": CacheMode.OFF}, None),
        (0, {"answer": answer(category=Category.MEDICAL)}, {}, None),
        (9, {"answer": answer(category=Category.MEDICAL)}, {}, Miss.DANGEROUS_OR_UNSURE),
        (9, {"answer": answer(category=Category.MEDICAL)}, {"near": CacheMode.OFF}, Miss.DANGEROUS_OR_UNSURE),
    ],
)
def test_what_answers_is_young_undisputed_near_and_certified(
    bits: int, source: dict[str, Any], rules: dict[str, Any], why: Miss | None
) -> None:
    """Everything else asks the model, and says why; that its tier is off comes last, so that shadow counts are hits."""
    assert weigh(candidate(bits), replace(SOURCE, **source), replace(RULES, **rules)) is why


@pytest.mark.parametrize(
    ("changes", "withheld"),
    [
        ({}, False),
        ({"category": Category.HAZARDOUS}, True),
        ({"category": Category.MEDICAL}, True),
        ({"hazard_level": 2}, False),
        ({"hazard_level": 3}, True),
        ({"needs_review": True}, True),
        ({"confidence": 0.69}, True),
        ({"confidence": 0.7}, False),
    ],
)
def test_what_is_dangerous_or_unsure_is_not_given_for_a_photo_that_is_only_alike(
    changes: dict[str, Any], withheld: bool
) -> None:
    """A battery is asked about each time."""
    calm = {"category": Category.DRY, "hazard_level": 1, "needs_review": False, "confidence": 0.9}
    assert dangerous_or_unsure(answer(**{**calm, **changes})) is withheld


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"item_name": "another name", "materials": ("glass",)}, True),
        ({"category": Category.NON_WASTE}, False),
        ({"disposal": ANSWER.disposal.model_copy(update={"primary_method": DisposalMethod.LANDFILL})}, False),
        ({"requires_special_disposal": True}, False),
        ({"hazard_level": 2}, True),
        ({"hazard_level": 3}, False),
        ({"recycling_code": None}, True),
        ({"recycling_code": 2}, False),
    ],
)
def test_two_answers_are_the_same_if_a_user_does_the_same(changes: dict[str, Any], same: bool) -> None:
    """Where it goes and how dangerous it is count, wording does not."""
    usual = answer(
        disposal=ANSWER.disposal.model_copy(update={"primary_method": DisposalMethod.RECYCLE}),
        category=Category.DRY,
        requires_special_disposal=False,
        hazard_level=1,
        recycling_code=1,
    )
    asked = usual.model_copy(update=changes)
    kept, new = gist_of(usual), gist_of(asked)
    assert same_answer(kept, new) is same_answer(new, kept) is same
