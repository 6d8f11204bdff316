"""A/B tests: the size that is said first, and the result after it."""

from datetime import UTC, datetime
from random import Random

import pytest

from functions.core.rollouts.ab_testing import AbTest, Sample, calls_each, compared, sample
from functions.core.rollouts.arms import Arm
from functions.core.rollouts.counts import ArmCounts
from functions.core.rollouts.flags import Metric

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def failures(calls: int, failed: int) -> ArmCounts:
    """Return the counters of these calls."""
    return ArmCounts(started=calls, ended=calls, failed=failed)


def a_test(calls: int, metric: Metric = Metric.FAILED) -> AbTest:
    """Return a test that has just begun."""
    first = {"old": failures(70, 7), "new": failures(10, 9)}
    return AbTest(metric=metric, calls=calls, since=NOW, first=first, slow_from=4)


@pytest.mark.parametrize(
    ("rate", "difference", "calls"),
    [(0.05, 0.05, 435), (0.1, 0.05, 686), (0.01, 0.01, 2_319), (0.5, 0.1, 388), (0.97, 0.1, 257)],
)
def test_the_size_is_that_of_the_tables(rate: float, difference: float, calls: int) -> None:
    """As Fleiss, Levin and Paik tabulate it, for 95 % certainty and a power of 80 %; no rate is beyond 1."""
    assert calls_each(rate, difference) == calls


def test_the_size_suffices() -> None:
    """Of 300 tests with the difference, at least three of four find it; of 300 without, at most one of ten do."""
    dice, n = Random(5), calls_each(0.1, 0.1)  # noqa: S311  (repeatable)

    def found(new_rate: float) -> bool:
        hits = {"old": 0.1, "new": new_rate}
        counts = {arm: failures(n, sum(dice.random() < rate for _ in range(n))) for arm, rate in hits.items()}
        test = AbTest(metric=Metric.FAILED, calls=n, since=NOW, first={}).seen(counts)
        assert test.result is not None
        return not test.result.low <= 0 <= test.result.high

    assert sum(found(0.2) for _ in range(300)) >= 225
    assert sum(found(0.1) for _ in range(300)) <= 30


def test_there_is_no_result_before_the_sample_is_whole() -> None:
    """Of both arms; afterwards it stays."""
    test = a_test(100)
    assert test.seen({"old": failures(270, 9), "new": failures(109, 10)}) == test
    done = test.seen({"old": failures(270, 9), "new": failures(110, 10)})
    assert done.result is not None
    assert (done.result.old, done.result.new) == (Sample(calls=200, hit=2), Sample(calls=100, hit=1))
    assert done.seen({"old": failures(999, 9), "new": failures(999, 500)}) == done


def test_the_result_is_that_of_the_paper() -> None:
    """Newcombe's own example: 56 of 70 against 48 of 80 is a difference of 0.2, between 0.0524 and 0.3339."""
    found = compared(Sample(calls=80, hit=48), Sample(calls=70, hit=56))
    assert (found.difference, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_slow_calls_are_those_beyond_the_old_paths_slowest() -> None:
    """An upgrade has no time, and is in no sample of times."""
    counts = {"new": ArmCounts(ended=30, ms={"3": 8, "5": 2})}
    assert sample(a_test(9, Metric.SLOW), Arm.NEW, counts) == Sample(calls=10, hit=2)
    assert sample(a_test(9, Metric.SLOW), Arm.OLD, counts) == Sample(calls=0, hit=0)
