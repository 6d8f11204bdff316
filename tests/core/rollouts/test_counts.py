"""Counters of a flag's arms: buckets, and who counts."""

from datetime import timedelta

import pytest

from functions.core.rollouts.counts import ArmCounts, bucket_of, counted, grown, ms_bucket, slower_than, total

SLOW = ArmCounts(started=1, ended=1, failed=1, micros=233, ms={"6": 1})


@pytest.mark.parametrize(
    ("ms", "name"), [(0, "0"), (50, "0"), (51, "1"), (100, "1"), (3_200, "6"), (51_200, "10"), (9e5, "11")]
)
def test_a_time_falls_into_the_bucket_that_ends_above_it(ms: float, name: str) -> None:
    """Bucket n ends at 50 ms times 2^n, the last one never."""
    assert ms_bucket(timedelta(milliseconds=ms)) == name


def test_who_was_named_does_not_count() -> None:
    """`listed` says nothing about everybody else; nor does what only a newer release knows."""
    arms = {"model@1": "new", "prompt@0": "listed", "cache@2": "old", "lane@0": "shadow"}
    assert counted(arms, SLOW) == {"model@1": {"new": SLOW}, "cache@2": {"old": SLOW}}


def test_counters_add_up_and_grow() -> None:
    """Of several shards; and beyond what was seen. A shard that was made anew has lost some: that is no growth."""
    both = total([SLOW, ArmCounts(started=2, ended=1, micros=7, ms={"0": 1, "6": 1})])
    assert both == ArmCounts(started=3, ended=2, failed=1, micros=240, ms={"6": 2, "0": 1})
    assert both.in_flight == 1
    assert grown(SLOW, both) == ArmCounts(started=2, ended=1, micros=7, ms={"6": 1, "0": 1})
    assert grown(both, SLOW) == grown(SLOW, SLOW) == total([]) == ArmCounts()


def test_the_slowest_are_those_beyond_a_bucket() -> None:
    """95 of 100 calls were within bucket 4; 5 were slower."""
    counts = ArmCounts(ms={"2": 60, "4": 35, "9": 5})
    assert [bucket_of(counts, share) for share in (0.6, 0.61, 0.95, 0.96)] == [2, 4, 4, 9]
    assert (slower_than(counts, 4), slower_than(counts, 9), bucket_of(ArmCounts(), 0.5)) == (5, 0, None)
