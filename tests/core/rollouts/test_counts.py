"""Counters of a flag's arms: buckets, and who counts."""

from datetime import timedelta

import pytest

from functions.core.rollouts.counts import ArmCounts, counted, ms_bucket

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
