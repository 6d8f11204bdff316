"""An A/B test with a fixed sample: how many calls of each arm it takes is said first, and nothing is shown before.

Looking early and stopping when it looks good finds a difference where there is none in up to every third test (Johari
et al. 2017, https://arxiv.org/abs/1512.04922). `evidence.bounds` are wider, and for looking at any time.
"""

import math
from collections.abc import Mapping
from datetime import datetime
from statistics import NormalDist

from functions.core.rollouts.arms import Arm
from functions.core.rollouts.counts import ArmCounts, grown, slower_than
from functions.core.rollouts.flags import Metric
from functions.core.shared.records import Kept, Open

SURE = NormalDist().inv_cdf(0.975)
"""Standard deviations for 95 % certainty, on both sides."""

POWER = NormalDist().inv_cdf(0.8)
"""For seeing a difference that is there in four tests of five."""


def calls_each(rate: float, difference: float) -> int:
    """Return how many calls of each arm it takes to see a `difference`, to either side, from the old path's `rate`
    (Fleiss, Levin and Paik 2003, Statistical Methods for Rates and Proportions, formula 4.14)."""
    other = min(rate + difference, 1.0)
    mean = (rate + other) / 2
    spread = SURE * math.sqrt(2 * mean * (1 - mean)) + POWER * math.sqrt(rate * (1 - rate) + other * (1 - other))
    return math.ceil((spread / (other - rate)) ** 2)


class Sample(Kept):
    """Calls of an arm, and how many of them were `hit`: failed, or slow."""

    calls: int
    hit: int

    @property
    def rate(self) -> float:
        """Return the share that was hit."""
        return self.hit / self.calls


class Result(Kept):
    """What a test came to: both arms' samples, and the difference of the new rate from the old with its 95 % bounds."""

    old: Sample
    new: Sample
    difference: float
    low: float
    high: float


class AbTest(Kept):
    """A test since it began, from these `first` counters of each arm. `slow_from`: the bucket beyond which a call is
    slow. The `result` is that of the first look at which both arms had enough `calls`, and stays."""

    metric: Open[Metric]
    calls: int
    since: datetime
    first: dict[str, ArmCounts]
    slow_from: int | None = None
    result: Result | None = None

    def seen(self, totals: Mapping[str, ArmCounts]) -> "AbTest":
        """Return it after another look at the counters."""
        old, new = (sample(self, arm, totals) for arm in (Arm.OLD, Arm.NEW))
        if self.result is not None or min(old.calls, new.calls) < self.calls:
            return self
        return self.model_copy(update={"result": compared(old, new)})


def sample(test: AbTest, arm: Arm, totals: Mapping[str, ArmCounts]) -> Sample:
    """Return what an arm came to since the test began."""
    mine = grown(test.first.get(arm, ArmCounts()), totals.get(arm, ArmCounts()))
    if test.metric == Metric.FAILED:
        return Sample(calls=mine.ended, hit=mine.failed)
    return Sample(calls=sum(mine.ms.values()), hit=slower_than(mine, test.slow_from or 0))


def compared(old: Sample, new: Sample) -> Result:
    """Return how far the new rate is from the old (Newcombe 1998, Statistics in Medicine 17, 873-890, method 10: the
    difference of Wilson's bounds)."""
    (old_low, old_high), (new_low, new_high) = _wilson(old), _wilson(new)
    difference = new.rate - old.rate
    below = math.hypot(new.rate - new_low, old_high - old.rate)
    above = math.hypot(new_high - new.rate, old.rate - old_low)
    return Result(old=old, new=new, difference=difference, low=difference - below, high=difference + above)


def _wilson(of: Sample) -> tuple[float, float]:
    n, rate, z2 = of.calls, of.rate, SURE**2
    middle = rate + z2 / (2 * n)
    spread = SURE * math.sqrt(rate * (1 - rate) / n + z2 / (4 * n * n))
    return (middle - spread) / (1 + z2 / n), (middle + spread) / (1 + z2 / n)
