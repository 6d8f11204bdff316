"""Counters of a flag's arms: buckets, sums and differences."""

from datetime import timedelta

import pytest

from functions.core.rollouts.counts import ArmCounts, counted, ms_bucket, ms_within, since, total

SLOW = ArmCounts(started=1, ended=1, failed=1, micros=233, ms={"6": 1})
QUICK = ArmCounts(started=3, ended=2, micros=400, ms={"1": 2})


@pytest.mark.parametrize(
    ("ms", "name"), [(0, "0"), (50, "0"), (51, "1"), (100, "1"), (3_200, "6"), (51_200, "10"), (9e5, "11")]
)
def test_a_time_falls_into_the_bucket_that_ends_above_it(ms: float, name: str) -> None:
    """Bucket n ends at 50 ms times 2^n, the last one never."""
    assert ms_bucket(timedelta(milliseconds=ms)) == name


def test_quantiles_come_from_the_buckets() -> None:
    """Of two quick calls and a slow one half are within 100 ms, and all within 3.2 s."""
    both = SLOW.plus(QUICK)
    assert [ms_within(both, share) for share in (0.5, 0.95)] == [100, 3_200]
    assert ms_within(ArmCounts(), 0.5) is None


def test_shards_add_up_and_a_look_takes_what_was_seen_away() -> None:
    """What the shards of a day count, less the look before, is what came between; in flight is started less ended."""
    sums = total([{"model@1": {"new": SLOW}}, {"model@1": {"new": QUICK, "old": SLOW}, "prompt@0": {"old": QUICK}}])
    assert sums == {"model@1": {"new": SLOW.plus(QUICK), "old": SLOW}, "prompt@0": {"old": QUICK}}
    assert since({"new": SLOW}, sums["model@1"]) == {"new": QUICK, "old": SLOW}
    assert since({"new": SLOW}, {"new": SLOW}) == {"new": ArmCounts()}
    assert QUICK.in_flight == 1


def test_who_was_named_does_not_count() -> None:
    """`listed` says nothing about everybody else; nor does what only a newer release knows."""
    arms = {"model@1": "new", "prompt@0": "listed", "cache@2": "old", "lane@0": "shadow"}
    assert counted(arms, SLOW) == {"model@1": {"new": SLOW}, "cache@2": {"old": SLOW}}
