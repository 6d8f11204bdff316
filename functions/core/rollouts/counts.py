"""What the calls of a flag's two paths came to: counters that ride on the writes of a day's budget shards.

    started   at the hold; those not ended yet are in flight
    ended     at the settlement, with `micros` and, of an instant call, its time; `failed` are among them

Only the provider's failures and our own count as failed. A call that died is settled by `recover_jobs` and is one of
them. Batches are counted when they are settled: each line starts and ends there.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import timedelta

from pydantic import Field

from functions.core.rollouts.arms import Arm
from functions.core.shared.records import Kept

BUCKET_FIRST_MS = 50
BUCKET_LAST = 11
"""Bucket n ends at 50 ms times 2^n: 12 of them reach to 51 s and beyond, which is longer than a call waits."""


class ArmCounts(Kept):
    """The counters of one arm, each of which only grows. `ms` counts ended instant calls by the bucket of their
    time."""

    started: int = 0
    ended: int = 0
    failed: int = 0
    micros: int = 0
    ms: dict[str, int] = Field(default_factory=dict)

    @property
    def in_flight(self) -> int:
        """Return how many have started and not ended."""
        return self.started - self.ended

    def plus(self, other: "ArmCounts", sign: int = 1) -> "ArmCounts":
        """Return the sum, or with a `sign` of -1 the difference; buckets that come to nothing are left out."""
        ms = {name: self.ms.get(name, 0) + sign * other.ms.get(name, 0) for name in sorted({*self.ms, *other.ms})}
        figures = {name: getattr(self, name) + sign * getattr(other, name) for name in FIGURES}
        return ArmCounts(**figures, ms={name: n for name, n in ms.items() if n})


FIGURES = ("started", "ended", "failed", "micros")

Counts = dict[str, dict[str, ArmCounts]]
"""By a flag's key, `arms.key_of`, and arm."""


def ms_bucket(took: timedelta) -> str:
    """Return the name of the bucket of a call's time."""
    times = took / timedelta(milliseconds=BUCKET_FIRST_MS)
    return str(0 if times <= 1 else min(math.ceil(math.log2(times)), BUCKET_LAST))


def ms_within(counts: ArmCounts, share: float) -> float | None:
    """Return within how many milliseconds this share of the calls had ended, by the end of its bucket; None if none
    has."""
    waits = sorted((int(name), n) for name, n in counts.ms.items())
    all_calls, seen = sum(n for _, n in waits), 0
    for bucket, n in waits:
        seen += n
        if seen >= share * all_calls:
            return float(BUCKET_FIRST_MS * 2**bucket)
    return None


def counted(arms: Mapping[str, str], counts: ArmCounts) -> Counts:
    """Return these counters for each arm that a job took. `listed`, and an arm of a newer release, do not count."""
    return {key: {arm: counts} for key, arm in arms.items() if arm in {Arm.OLD, Arm.NEW}}


def total(each: Iterable[Mapping[str, Mapping[str, ArmCounts]]]) -> Counts:
    """Return the sum over shards."""
    sums: Counts = {}
    for counts in each:
        for key, arms in counts.items():
            mine = sums.setdefault(key, {})
            for arm, more in arms.items():
                mine[arm] = mine.get(arm, ArmCounts()).plus(more)
    return sums


def since(seen: Mapping[str, ArmCounts], now: Mapping[str, ArmCounts]) -> dict[str, ArmCounts]:
    """Return, by arm, what was counted beyond what was `seen`."""
    return {arm: now.get(arm, ArmCounts()).plus(seen.get(arm, ArmCounts()), -1) for arm in sorted({*seen, *now})}
