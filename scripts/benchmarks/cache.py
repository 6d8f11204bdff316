"""How many photos the cache knows again, how many it takes for others, what a look and a hit cost, and whether it finds
out when it is wrong: the rules themselves on real photos, and the bill of the functions that serve by them.

Photos are `answer--any.jpg` or `answer-number.jpg`: two photos of one answer are disposed of alike.
"""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from io import BytesIO
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from PIL import Image

from functions.adapters.images import prepare, prepare_known
from functions.core.cache.certification import THRESHOLDS, Labels, NearTier, checked
from functions.core.cache.checks import CHECKED_IN_DOUBT, CHECKED_SHARE
from functions.core.cache.entries import Entry, evicted
from functions.core.cache.fingerprints import Fingerprint, colour_distance, distance
from functions.core.cache.lookup import COLOUR_DISTANCE_MAX, nearest
from functions.core.config.runtime import ImageRules
from scripts.benchmarks.cache_bill import bill
from scripts.benchmarks.repeats import GENTLE, REPEATS

BITS_MAX = 48
"""The threshold that is measured: the third of those that are tested, which real photos passed."""

BATCH_PRICE = 0.5
"""Of the instant one."""

REPEATED = 300
TIMED = 200
USERS = 5
REQUESTS_PER_USER = 200
SEEDS = 100
CHECKS_MAX = 2_000

KEY = bytes(4)
TODAY = datetime(2026, 11, 29, tzinfo=UTC).date()


class Photo(NamedTuple):
    """A photo, what it shows, and what it is known by."""

    answer: str
    data: bytes
    known: Fingerprint


class Stream(NamedTuple):
    """What became of the requests of some users."""

    requests: int
    hits: int
    wrong: int

    @property
    def saved_share(self) -> float:
        """Return the share of the model's cost that is saved, less the hits that are asked again in the batch lane: one
        in twenty, and the hundred after one that was wrong."""
        in_doubt = min(self.hits, CHECKED_IN_DOUBT)
        again = in_doubt + CHECKED_SHARE * (self.hits - in_doubt)
        return (self.hits - again * BATCH_PRICE) / self.requests


def run(photos: Path) -> dict[str, Any]:
    """Return the figures for a folder of photos."""
    chance = random.Random(1)  # noqa: S311 (repeatable, not secret)
    files = sorted(photos.glob("*.jpg"))
    chance.shuffle(files)
    known = [_photo(path) for path in files]
    some = known[:REPEATED]
    any_hit, wrong = strangers(known)
    seventy, ninety, gentle = (
        stream(known, share, kinds, chance) for share, kinds in ((0.7, REPEATS), (0.9, REPEATS), (0.9, GENTLE))
    )
    off = [checks_until_off(0.05, seed) for seed in range(SEEDS)]
    return {
        "photos": len(known),
        "found_reencoded": found(some, ["reencoded_85", "reencoded_50"], chance),
        "found_messenger": found(some, ["messenger"], chance),
        "found_even_crop": found(some, ["even_crop"], chance),
        "found_brighter": found(some, ["brighter"], chance),
        "found_steady_retake": found(some, ["steady_retake"], chance),
        "found_uneven_crop": found(some, ["uneven_crop"], chance),
        "found_screenshot": found(some, ["screenshot"], chance),
        "found_new_retake": found(some, ["new_retake"], chance),
        "new_photos": len(known),
        "hits_new": any_hit,
        "wrong_hits_new": wrong,
        **bill([photo.data for photo in some]),
        "cpu_ms_per_photo": cpu_ms([photo.data for photo in known[:TIMED]]),
        "hit_rate_70pct_repeats": round(seventy.hits / seventy.requests, 3),
        "hit_rate_90pct_repeats": round(ninety.hits / ninety.requests, 3),
        "wrong_hits_in_streams": seventy.wrong + ninety.wrong + gentle.wrong,
        "saved_share_90pct_repeats": round(gentle.saved_share, 3),
        "planted_5pct_off_after_checks": max(off),
        "planted_5pct_off_after_checks_mean": round(fmean(off)),
        "planted_half_pct_stays_on_share": fmean(checks_until_off(0.005, seed) == CHECKS_MAX for seed in range(SEEDS)),
    }


def found(photos: Sequence[Photo], kinds: Sequence[str], chance: random.Random) -> float:
    """Return the share of repeats of these kinds in which their photo is found."""
    alike = [_is_hit(_repeat(photo, kind, chance), photo.known) for photo in photos for kind in kinds]
    return round(fmean(alike), 4)


def strangers(photos: Sequence[Photo]) -> tuple[int, int]:
    """Ask each photo of all others, as if each had never been sent: return those that are a hit, and those whose hit
    has another answer."""
    hits, wrong = set[int](), set[int]()
    for (here, one), (there, other) in combinations(enumerate(photos), 2):
        if _is_hit(one.known, other.known) or _is_hit(other.known, one.known):
            hits |= {here, there}
            wrong |= {here, there} if one.answer != other.answer else set()
    return len(hits), len(wrong)


def stream(photos: Sequence[Photo], repeats: float, kinds: Iterable[str], chance: random.Random) -> Stream:
    """Serve some users who send photos of their own, a share of them again, some photos far more often."""
    hits = wrong = 0
    for user in range(USERS):
        own, sent, entries = iter(photos[user::USERS]), list[Photo](), dict[str, Entry]()
        answers = dict[str, str]()
        for number in range(REQUESTS_PER_USER):
            again = bool(sent) and chance.random() < repeats
            photo = sent[int(len(sent) * chance.random() ** 2)] if again else next(own, None)
            if photo is None:
                raise ValueError(f"too few photos: {REQUESTS_PER_USER} requests of {USERS} users are wanted")
            known = _repeat(photo, chance.choice(list(kinds)), chance) if again else photo.known
            if not again:
                sent.append(photo)
            best = nearest(known, KEY, entries.values())
            if best is not None and best.bits <= BITS_MAX:
                hits += 1
                wrong += answers[best.entry.job_id] != photo.answer
                continue
            entry = Entry(KEY, f"{number:032x}", TODAY, known)
            for name in evicted(entries, [entry], TODAY):
                del entries[name]
            entries[entry.job_id], answers[entry.job_id] = entry, photo.answer
    return Stream(USERS * REQUESTS_PER_USER, hits, wrong)


def cpu_ms(photos: Sequence[bytes]) -> float:
    """Return the milliseconds of CPU that a fingerprint takes, beyond preparing the photo."""
    rules = ImageRules()

    def seconds(step: Callable[[bytes, int, int], object]) -> float:
        began = time.process_time()
        for data in photos:
            step(data, rules.side_max, rules.jpeg_quality)
        return time.process_time() - began

    seconds(prepare_known)  # once, so that neither is the first
    return round((seconds(prepare_known) - seconds(prepare)) / len(photos) * 1_000, 2)


def checks_until_off(wrong_share: float, seed: int) -> int:
    """Return after how many checks a certified tier, of whose answers a share is wrong at every distance, serves
    nothing any more; `CHECKS_MAX` if it serves until then."""
    chance = random.Random(seed)  # noqa: S311 (repeatable, not secret)
    labels = {str(each): Labels(passed=True) for each in THRESHOLDS if each <= BITS_MAX}
    tier = NearTier(labels=labels, serves=BITS_MAX)
    for count in range(CHECKS_MAX):
        if tier.serves is None:
            return count
        tier = checked(tier, chance.randint(0, tier.serves), right=chance.random() >= wrong_share)
    return CHECKS_MAX


def _photo(path: Path) -> Photo:
    data, name = path.read_bytes(), path.stem
    answer = name.partition("--")[0] if "--" in name else name.rpartition("-")[0]
    return Photo(answer, data, _known(data))


def _known(data: bytes) -> Fingerprint:
    rules = ImageRules()
    return prepare_known(data, rules.side_max, rules.jpeg_quality)[1]


def _repeat(photo: Photo, kind: str, chance: random.Random) -> Fingerprint:
    with Image.open(BytesIO(photo.data)) as image:
        return _known(REPEATS[kind](image.convert("RGB"), chance))


def _is_hit(one: Fingerprint, kept: Fingerprint) -> bool:
    return distance(one, kept) <= BITS_MAX and colour_distance(one, kept) <= COLOUR_DISTANCE_MAX
