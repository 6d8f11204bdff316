"""What the counters say of a flag's new path: is it worse than the operator's limit, and worse than the old path?

Each look at the counters is a block: calls that ended since the look before, of both arms. Two bets run along, each
against a claim that spares the new path. Of either, each block multiplies by a factor whose mean is at most 1 while the
claim is true, however the block before went:

    above    "the new path fails no more often than the limit"   (p/limit)^failed ((1-p)/(1-limit))^good
    worse    "the new path fails no more often than the old one" (q1/q)^.. ((1-q1)/(1-q))^.. of new, q0 likewise of old

`above` is the likelihood ratio of a rate p. `worse` is an exact two-sample test (Turner, Ly and Grünwald 2021,
https://arxiv.org/abs/2106.02693): with q the mean of q1 and q0 weighted by the block's calls, each bracket's mean is
linear in the common rate and the weighted slopes cancel at q; so the product's mean peaks there, at 1. What both arms
suffer in one block cancels.

A new bet begins with each block: M = (M + 1) factor, the Shiryaev-Roberts e-detector (Shin, Ramdas and Rinaldo 2022,
https://arxiv.org/abs/2203.03532). No good day dulls it, and M has a mean of at most T after T blocks, so that it
passes FIRES within T blocks with a probability of at most T / FIRES, however often one looks: 10 days of one-minute
blocks come to 1 %. This takes calls of a block to be independent, so whoever acts on it asks for `arms.USERS_MIN`.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from functions.core.shared.records import Kept

FIRES = 1_500_000
"""A bet that has won this much is believed."""

MOST = 1e9
"""Nothing is kept beyond this: an hour's outage is to be forgotten again, and less than was won is still valid."""
LOG_MOST = math.log(MOST)

SHARES = (0.01, 0.03, 0.05, 0.10, 0.15, 0.25, 0.45, 0.79, 0.99)
"""Where the rates that are bet on lie, as shares of the way from the limit to 1."""

OLD_CALLS_MAX = 10_000
"""The old path's rate is remembered over about so many calls, since a provider changes over the weeks."""

Bets = tuple[float, ...]
NONE_WON: Bets = (0.0,) * len(SHARES)


class Block(NamedTuple):
    """Calls of both arms that ended between two looks, and how many of them failed."""

    new_calls: int
    new_failed: int
    old_calls: int = 0
    old_failed: int = 0


class Evidence(Kept):
    """What has been won so far, by the rate that was bet on, under one limit; and the old path's calls, for its
    rate."""

    limit_percent: int = 0
    above: Bets = NONE_WON
    worse: Bets = NONE_WON
    old_calls: float = 0
    old_failed: float = 0


class Verdict(StrEnum):
    """What is to become of a new path. One on hold is not given to more users by itself."""

    GO_ON = "go_on"
    HOLD = "hold"
    ROLL_BACK = "roll_back"


def step(evidence: Evidence, block: Block, limit_percent: int) -> Evidence:
    """Return the evidence after one more block. Under another limit, it begins anew."""
    if evidence.limit_percent != limit_percent:
        evidence = Evidence(limit_percent=limit_percent)
    limit, odds = limit_percent / 100, _odds(limit_percent)
    good = block.new_calls - block.new_failed
    above, worse = evidence.above, evidence.worse
    if block.new_calls:
        above = _won(above, [block.new_failed * failed + good * fine for _, failed, fine in odds])
    if block.new_calls and block.old_calls:
        old_rate = (evidence.old_failed + limit) / (evidence.old_calls + 1)
        worse = _won(worse, [_log_worse(q1, old_rate, block) for q1, _, _ in odds])
    keep = 0.5 if evidence.old_calls > OLD_CALLS_MAX else 1
    old_calls = keep * evidence.old_calls + block.old_calls
    old_failed = keep * evidence.old_failed + block.old_failed
    return evidence.model_copy(
        update={"above": above, "worse": worse, "old_calls": old_calls, "old_failed": old_failed}
    )


def fires(bets: Bets) -> bool:
    """Whether what was won is believed."""
    return sum(bets) / len(bets) >= FIRES


def verdict(evidence: Evidence, *, compared: bool) -> Verdict:
    """Decide what is to become of the new path. While some users are `compared` on the old one, it is rolled back only
    if it is worse than theirs as well: a provider that is down is down for both. A new path that is worse than the old
    one within the limit is on hold."""
    above, worse = fires(evidence.above), fires(evidence.worse)
    if above and (worse or not compared):
        return Verdict.ROLL_BACK
    return Verdict.HOLD if above or worse else Verdict.GO_ON


def bounds(failed: int, calls: int) -> tuple[float, float]:
    """Return between which rates the true one is, with 95 % certainty however often one looks: those at which a bet on
    Beta(1/2, 1/2) has not yet won twenty times its stake (Robbins 1970; Howard et al. 2021,
    https://arxiv.org/abs/1810.08240, section 3)."""
    good = calls - failed
    most = math.log(20)

    def won(rate: float) -> float:
        mixed = math.lgamma(failed + 0.5) + math.lgamma(good + 0.5) - math.lgamma(calls + 1) - math.log(math.pi)
        return mixed - (failed * math.log(rate) if failed else 0) - (good * math.log(1 - rate) if good else 0)

    def edge(outside: float, inside: float) -> float:
        for _ in range(50):
            middle = (outside + inside) / 2
            outside, inside = (middle, inside) if won(middle) > most else (outside, middle)
        return inside

    seen, tiny = failed / calls if calls else 0.5, 1e-12
    low = edge(tiny, seen) if failed and won(tiny) > most else 0.0
    high = edge(1 - tiny, seen) if good and won(1 - tiny) > most else 1.0
    return low, high


@cache
def _odds(limit_percent: int) -> list[tuple[float, float, float]]:
    """Return the rates that are bet on, with the logarithm of what a failed and a good call multiply `above` by."""
    limit = limit_percent / 100
    rates = [limit + (1 - limit) * share for share in SHARES]
    return [(p, math.log(p / limit), math.log((1 - p) / (1 - limit))) for p in rates]


def _won(bets: Bets, log_factors: Sequence[float]) -> Bets:
    return tuple(
        math.exp(min(math.log1p(bet) + factor, LOG_MOST)) for bet, factor in zip(bets, log_factors, strict=True)
    )


def _log_ratio(p: float, q: float, calls: int, failed: int) -> float:
    return failed * math.log(p / q) + (calls - failed) * math.log((1 - p) / (1 - q))


def _log_worse(new_rate: float, old_rate: float, block: Block) -> float:
    """Return the factor's logarithm; 0, no bet, for a rate that would not be worse."""
    if new_rate <= old_rate:
        return 0
    q = (block.new_calls * new_rate + block.old_calls * old_rate) / (block.new_calls + block.old_calls)
    new = _log_ratio(new_rate, q, block.new_calls, block.new_failed)
    return new + _log_ratio(old_rate, q, block.old_calls, block.old_failed)
