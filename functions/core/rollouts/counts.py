"""What the calls of a flag's two paths came to: counters that ride on the writes of a day's budget shards.

    started   at the hold; those not ended yet are in flight
    ended     at the settlement, with `micros` and, of an instant call, its time; `failed` are among them

Only the provider's failures and our own count as failed. A call that died is settled by `recover_jobs` and is one of
them. Batches are counted when they are settled: each line starts and ends there.
"""

import math
from collections import Counter
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


FIGURES = ("started", "ended", "failed", "micros")

Counts = dict[str, dict[str, ArmCounts]]
"""By a flag's key, `arms.key_of`, and arm."""


def ms_bucket(took: timedelta) -> str:
    """Return the name of the bucket of a call's time."""
    times = took / timedelta(milliseconds=BUCKET_FIRST_MS)
    return str(0 if times <= 1 else min(math.ceil(math.log2(times)), BUCKET_LAST))


def slower_than(counts: ArmCounts, bucket: int) -> int:
    """Return how many calls took longer than a bucket reaches."""
    return sum(n for name, n in counts.ms.items() if int(name) > bucket)


def bucket_of(counts: ArmCounts, share: float) -> int | None:
    """Return in which bucket, or a lower one, this share of the calls is; None if there are none."""
    seen, all_calls = 0, sum(counts.ms.values())
    for bucket in range(BUCKET_LAST + 1) if all_calls else ():
        seen += counts.ms.get(str(bucket), 0)
        if seen >= share * all_calls:
            return bucket
    return None


def total(each: Iterable[ArmCounts]) -> ArmCounts:
    """Return the sum of counters."""
    figures, times = Counter[str](), Counter[str]()
    for counts in each:
        figures.update({name: getattr(counts, name) for name in FIGURES})
        times.update(counts.ms)
    return ArmCounts(**figures, ms=dict(times))


def grown(seen: ArmCounts, now: ArmCounts) -> ArmCounts:
    """Return by how much counters have grown since they were seen. Less than was seen is a shard that was made anew:
    nothing."""
    figures = {name: max(getattr(now, name) - getattr(seen, name), 0) for name in FIGURES}
    ms = {name: n - seen.ms.get(name, 0) for name, n in now.ms.items() if n > seen.ms.get(name, 0)}
    return ArmCounts(**figures, ms=ms)


def counted(arms: Mapping[str, str], counts: ArmCounts) -> Counts:
    """Return these counters for each arm that a job took. `listed`, and an arm of a newer release, do not count."""
    return {key: {arm: counts} for key, arm in arms.items() if arm in {Arm.OLD, Arm.NEW}}
