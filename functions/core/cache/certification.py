"""How far hits are believed: from labels, that is comparisons of a kept answer with the model's own.

before   a threshold serves once its labels show, at a risk of 5 % over all looks, that at most 1 % are wrong. It is
         looked at after 368 labels and twice as many each time after; looking after each label would break the bound.
         Thresholds are tested from the tightest on, up to the first that fails, so that none needs a correction: Bauer,
         "Multiple testing in clinical trials" (1991).
after    some hits are asked again: see `checks`. Ten wrong among the last 400 tighten the threshold; what was seen at
         distances that stay is evidence against the tighter one too, and stays.
floor    a model does not always agree with itself. How often not is seen where the very same file is asked again: the
         near tier's own share is what is above that.
"""

import math
from collections.abc import Callable, Mapping
from typing import Annotated

from pydantic import Field

from functions.core.shared.records import Kept

THRESHOLDS = (31, 40, 48, 56)
"""Bits, in the order in which they are tested."""

RISK = 0.05
"""That a threshold passes which should not: half of it at the first look, half of what is left at each after."""

INTERVAL_RISK = 0.05
"""That the true share lies outside an interval."""

WINDOW = 400
WRONG_MAX = 9
"""Among the last `WINDOW` checks. At a true share of 1 % ten are met in 0.8 % of windows, at 5 % in 99.5 %."""

_WRONG = 0x80
"""Set in the byte of an outcome whose answer was wrong; the rest is its distance."""


class Labels(Kept):
    """What was compared within one threshold, at which look it is, and whether it has passed one."""

    checked: Annotated[int, Field(ge=0)] = 0
    wrong: Annotated[int, Field(ge=0)] = 0
    looks: Annotated[int, Field(ge=0)] = 0
    passed: bool = False


class NearTier(Kept):
    """The near tier of a family: `labels` by threshold, the threshold that it `serves` within (None: shadow), the last
    outcomes of checks, a byte each, how many `checks` there were, and how many of them were `wrong`."""

    labels: dict[str, Labels] = Field(default_factory=dict)
    serves: int | None = None
    recent: bytes = b""
    checks: Annotated[int, Field(ge=0)] = 0
    wrong: Annotated[int, Field(ge=0)] = 0


def first_look(limit: float) -> int:
    """Return after how many labels a threshold is looked at first: as many as pass without a wrong one."""
    return math.ceil(math.log(RISK / 2) / math.log(1 - limit))


def labelled(tier: NearTier, bits: int, limit: float, *, right: bool) -> NearTier:
    """Return a tier that has seen one more comparison in shadow, at a distance of so many bits. It serves as soon as a
    threshold is certified for wrong answers of at most `limit`."""
    labels = {str(each): tier.labels.get(str(each), Labels()) for each in THRESHOLDS}
    for threshold in THRESHOLDS:
        if bits <= threshold:
            labels[str(threshold)] = _counted(labels[str(threshold)], limit, right=right)
    return tier.model_copy(update={"labels": labels, "serves": _certified(labels)})


def checked(tier: NearTier, bits: int, *, right: bool) -> NearTier:
    """Return a tier one of whose hits was asked again. It serves within a tighter threshold, or not at all, once too
    many were wrong; what is wider has to be certified anew."""
    recent = (tier.recent + bytes([bits | (0 if right else _WRONG)]))[-WINDOW:]
    serves = tier.serves
    while serves is not None and wrong_among(recent) > WRONG_MAX:
        serves = max((each for each in THRESHOLDS if each < serves), default=None)
        recent = bytes(each for each in recent if serves is not None and each & ~_WRONG <= serves)
    labels = {name: each for name, each in tier.labels.items() if serves is not None and int(name) <= serves}
    counts = {"checks": tier.checks + 1, "wrong": tier.wrong + (not right)}
    return tier.model_copy(update={"serves": serves, "recent": recent, "labels": labels, **counts})


def wrong_among(outcomes: bytes) -> int:
    """Return how many of these outcomes were wrong."""
    return sum(each >= _WRONG for each in outcomes)


def at_most(wrong: int, count: int, share: float) -> float:
    """Return how probable at most so many wrong ones of `count` are, at a true `share`: the binomial distribution."""
    if share <= 0:
        return 1.0 if wrong >= 0 else 0.0
    terms = range(min(wrong, count) + 1)
    logs = [_log_choose(count, k) + k * math.log(share) + (count - k) * math.log1p(-share) for k in terms]
    return min(math.fsum(map(math.exp, logs)), 1.0)


def interval(wrong: int, count: int, risk: float = INTERVAL_RISK) -> tuple[float, float]:
    """Return within what the true share is, at 95 % by default: Clopper and Pearson (1934), to a ten-thousandth."""
    low = _first(lambda share: 1 - at_most(wrong - 1, count, share) >= risk / 2) if wrong else 0.0
    high = _first(lambda share: at_most(wrong, count, share) <= risk / 2) if wrong < count else 1.0
    return low, high


def _first(true_from: Callable[[float], bool]) -> float:
    """Return the least share from which on something is true."""
    low, high = 0, 10_000
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if true_from(middle / 10_000) else (middle + 1, high)
    return low / 10_000


def _counted(labels: Labels, limit: float, *, right: bool) -> Labels:
    count, wrong, looks = labels.checked + 1, labels.wrong + (not right), labels.looks
    passed = labels.passed
    if count == first_look(limit) << looks:
        looks += 1
        passed = passed or at_most(wrong, count, limit) <= RISK / 2**looks
    return labels.model_copy(update={"checked": count, "wrong": wrong, "looks": looks, "passed": passed})


def _certified(labels: Mapping[str, Labels]) -> int | None:
    """Return the widest threshold before which, in their order, none fails."""
    widest = None
    for threshold in THRESHOLDS:
        if not labels[str(threshold)].passed:
            break
        widest = threshold
    return widest


def _log_choose(count: int, chosen: int) -> float:
    return math.lgamma(count + 1) - math.lgamma(chosen + 1) - math.lgamma(count - chosen + 1)
