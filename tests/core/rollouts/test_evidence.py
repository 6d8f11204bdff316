"""Evidence against a flag's new path: what each bet may win by chance, and what the detector makes of named days."""

from math import comb, exp, log1p
from random import Random

import pytest

from functions.core.rollouts.evidence import (
    FIRES,
    MOST,
    OLD_CALLS_MAX,
    Block,
    Evidence,
    Verdict,
    bounds,
    step,
    verdict,
)

LIMIT = 5
PRACTISED = Evidence(limit_percent=LIMIT, old_calls=1_000, old_failed=10)


def after(*blocks: tuple[int, Block], begun: Evidence = PRACTISED) -> Evidence:
    """Return the evidence after each block was seen so many times."""
    for times, block in blocks:
        for _ in range(times):
            begun = step(begun, block, LIMIT)
    return begun


def binomial(n: int, k: int, rate: float) -> float:
    """Return the probability of k failures."""
    return comb(n, k) * rate**k * (1 - rate) ** (n - k)


@pytest.mark.parametrize("limit", [1, 5, 50])
@pytest.mark.parametrize("share", [0, 0.5, 1])
@pytest.mark.parametrize("calls", [1, 7, 40])
def test_a_path_within_the_limit_wins_nothing_on_average(limit: int, share: float, calls: int) -> None:
    """Over all outcomes of a block, the mean factor of each bet against the limit is at most 1; at the limit, that of
    the nearest is 1, since no cap touches it."""
    outcomes = [(step(Evidence(), Block(calls, failed), limit).above, failed) for failed in range(calls + 1)]
    for bet in range(9):
        mean = sum(binomial(calls, failed, share * limit / 100) * above[bet] for above, failed in outcomes)
        assert mean <= 1 + 1e-9
        assert bet or share < 1 or mean == pytest.approx(1)


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("better", [0, 0.1])
@pytest.mark.parametrize(("new", "old"), [(1, 9), (5, 5), (12, 1)])
def test_a_path_no_worse_than_the_old_one_wins_nothing_on_average(
    rate: float, better: float, new: int, old: int
) -> None:
    """Over all outcomes of a block with any common rate, or a better new path, the mean factor of each bet is at most
    1: the test is exact, not one for large samples."""
    means = [0.0] * 9
    for new_failed in range(new + 1):
        for old_failed in range(old + 1):
            chance = binomial(new, new_failed, rate * (1 - better)) * binomial(old, old_failed, rate)
            worse = step(PRACTISED, Block(new, new_failed, old, old_failed), LIMIT).worse
            means = [mean + chance * bet for mean, bet in zip(means, worse, strict=True)]
    assert max(means) <= 1 + 1e-9


@pytest.mark.parametrize("block", [Block(1, 1, 9, 0), Block(5, 5, 45, 0)])
def test_a_path_that_always_fails_is_rolled_back_within_ten_calls(block: Block) -> None:
    """After a good start, ten failures in a row beside a healthy old path suffice, and four do not."""
    good = after((300, Block(block.new_calls, 0, block.old_calls, 0)))
    assert verdict(good, compared=True) is Verdict.GO_ON
    assert verdict(after((10 // block.new_calls, block), begun=good), compared=True) is Verdict.ROLL_BACK
    few = step(good, Block(4, 4, block.old_calls, 0), LIMIT)
    assert verdict(few, compared=True) is not Verdict.ROLL_BACK


def test_a_provider_that_fails_both_paths_holds_and_does_not_roll_back() -> None:
    """An hour at 30 % on both sides is above the limit, but the new path is not to blame."""
    sick = after((300, Block(5, 0, 5, 0)), (60, Block(10, 3, 10, 3)))
    assert verdict(sick, compared=True) is Verdict.HOLD
    assert verdict(sick, compared=False) is Verdict.ROLL_BACK


def test_a_hold_ends_with_the_outage() -> None:
    """However long an outage was, what it won is capped, so that a healthy day brings the detector back."""
    sick = after((10_000, Block(10, 10, 10, 10)))
    assert max(sick.above) == pytest.approx(MOST)
    assert verdict(after((1_440, Block(5, 0, 5, 0)), begun=sick), compared=True) is Verdict.GO_ON


def test_a_path_that_is_worse_but_within_the_limit_is_on_hold() -> None:
    """4.5 % instead of 0.1 % is within the limit of 5 %: nobody is taken off it, and nobody joins."""
    worse = after((1, Block(1, 0, 100_000, 100)), (500, Block(200, 9, 200, 0)))
    assert verdict(worse, compared=True) is Verdict.HOLD
    assert sum(worse.above) / 9 < FIRES


def test_one_arm_alone_compares_nothing() -> None:
    """Blocks without new calls teach the old path's rate and nothing else; without old ones nothing is compared."""
    assert after((5, Block(0, 0, 10, 1))).worse == after((5, Block(10, 1))).worse == PRACTISED.worse
    assert after((5, Block(0, 0, 10, 1))).above == PRACTISED.above
    assert after((5, Block(0, 0, 10, 1))).old_failed == 15


def test_the_old_paths_rate_follows_the_provider() -> None:
    """Beyond so many calls, the older half of what is known of the old path counts half."""
    full = Evidence(limit_percent=LIMIT, old_calls=OLD_CALLS_MAX + 2, old_failed=200)
    assert step(full, Block(0, 0, 9, 1), LIMIT).old_calls == OLD_CALLS_MAX / 2 + 10
    assert step(full, Block(0, 0, 9, 1), LIMIT).old_failed == 101


def test_another_limit_begins_anew() -> None:
    """What was won against 5 % says nothing against 10 %."""
    sick = after((10, Block(5, 5, 5, 0)))
    assert step(sick, Block(1, 0, 1, 0), 10) == step(Evidence(), Block(1, 0, 1, 0), 10)


def test_a_bet_adds_one_and_multiplies() -> None:
    """Each block is one more bet: M becomes (M + 1) times the factor, for the rate nearest above the limit too."""
    once, twice = after((1, Block(1, 1))), after((2, Block(1, 1)))
    factor = once.above[0]
    assert factor == pytest.approx(0.0595 / 0.05)
    assert twice.above[0] == pytest.approx(exp(log1p(factor)) * factor)


def test_evidence_survives_the_document() -> None:
    """What is stored of it is what is read: nine bets each way and three numbers."""
    seen = after((3, Block(5, 2, 5, 0)))
    assert Evidence.model_validate(seen.model_dump(mode="json", by_alias=True)) == seen


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.3, 1.0])
def test_bounds_hold_however_often_one_looks(rate: float) -> None:
    """In 200 runs of 400 calls, looked at after each: the true rate is ever outside in at most one of twenty."""
    dice, outside = Random(7), 0  # noqa: S311  (repeatable)
    for _ in range(200):
        failed = 0
        for calls in range(1, 401):
            failed += dice.random() < rate
            low, high = bounds(failed, calls)
            if not low - 1e-9 <= rate <= high + 1e-9:
                outside += 1
                break
    assert outside <= 10


def test_bounds_close_in_on_the_rate() -> None:
    """Nothing is known before the first call; after a thousand, a rate of 1 % is below 3 %."""
    assert bounds(0, 0) == (0.0, 1.0)
    assert bounds(0, 1) == pytest.approx((0.0, 0.975))
    low, high = bounds(10, 1_000)
    assert 0.002 < low < 0.01 < high < 0.03
    assert bounds(50, 50)[1] == 1.0
