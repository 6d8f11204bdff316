"""What the calls of a flag's two paths came to: counters that ride on the writes of a day's budget shards.

    started   at the hold; those not ended yet are in flight
    ended     at the settlement, with `micros` and, of an instant call, its time; `failed` are among them

Only the provider's failures and our own count as failed. A call that died is settled by `recover_jobs` and is one of
them. Batches are counted when they are settled: each line starts and ends there.
"""

import math
from collections.abc import Mapping
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


FIGURES = ("started", "ended", "failed", "micros")

Counts = dict[str, dict[str, ArmCounts]]
"""By a flag's key, `arms.key_of`, and arm."""


def ms_bucket(took: timedelta) -> str:
    """Return the name of the bucket of a call's time."""
    times = took / timedelta(milliseconds=BUCKET_FIRST_MS)
    return str(0 if times <= 1 else min(math.ceil(math.log2(times)), BUCKET_LAST))


def counted(arms: Mapping[str, str], counts: ArmCounts) -> Counts:
    """Return these counters for each arm that a job took. `listed`, and an arm of a newer release, do not count."""
    return {key: {arm: counts} for key, arm in arms.items() if arm in {Arm.OLD, Arm.NEW}}
