"""What is unusual now: the last hour's photos, cost, failures and wait, against what such an hour usually brings.

An hour is unusual if it is 4 robust standard deviations above what is usual, or above what the hour before it lets one
expect; at least twice as much, and by what somebody would look at: of money, a hundredth of a day's limit. It goes on
being so until it is within 1 of them of what is usual; failures and waits, within 2. After an hour that brought less
than usual, one that brings only a little more than usual can be three times what was to be expected, and is a rise all
the same. Falls, and users who do not come back, are seen by whole days: see `core.insights.day_watch`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from functions.core.insights.day_notes import DAY_HOURS
from functions.core.insights.deviations import ENDS_Z, Part, log_error, reasons
from functions.core.insights.last_hour import HOUR, PHOTOS_MIN, LastHour, Span
from functions.core.insights.usual import Errors, Steps, Usual, UsualDay

BEGINS_Z = 4.0
HOUR_ENDS_Z = 1.0
RISE_MIN = 1.0
"""Twice as much. In real series hours are often half as much again: weather, news, a match."""
MEAN_HOURS_MIN = 0.5
"""And by half of what a mean hour brings, so that no night alarms anybody."""
LIMIT_SHARE = 0.01
"""And, of money, by this share of a day's limit: 24 such hours are a quarter of it. Twice of a tenth of a cent is no
money, however unusual."""
WAIT_MIN = 1_800.0
SEVERAL = 5


class Metric(StrEnum):
    """What is watched hour by hour."""

    DEMAND = "demand"
    SPEND = "spend"
    FAILURES = "failures"
    WAIT = "wait"


@dataclass(frozen=True)
class Finding:
    """What is unusual, in words; `begins` if it is so much that it begins an episode, else it goes on with one."""

    text: str
    begins: bool


def unusual(usual: UsualDay, hour: LastHour, daily_limit: int) -> dict[Metric, Finding]:
    """Return what is unusual of the last hour, by metric, under a day's limit in micro-dollars."""
    found: dict[Metric, Finding | None] = {
        Metric.DEMAND: _demand(usual, hour),
        Metric.SPEND: _spend(usual, hour, LIMIT_SHARE * daily_limit),
        Metric.FAILURES: _failures(usual.failures, hour),
        Metric.WAIT: _wait(usual.wait, hour),
    }
    return {metric: finding for metric, finding in found.items() if finding is not None}


def _demand(usual: UsualDay, hour: LastHour) -> Finding | None:
    expected, begins = _hour_rises(usual.demand, usual.demand_steps, hour, lambda of: of.photos, PHOTOS_MIN)
    if begins is None:
        return None
    before = "" if hour.before is None else f", {hour.before.photos:.0f} in the one before"
    return Finding(f"{hour.photos:.0f} photos in an hour{before}, usually about {expected:.0f}.", begins)


def _spend(usual: UsualDay, hour: LastHour, least: float) -> Finding | None:
    expected, begins = _hour_rises(usual.spend, usual.spend_steps, hour, lambda of: of.micros, least)
    if begins is None:
        return None
    whole = sum(micros for _, micros in usual.parts.values())
    share = expected / whole if whole else 0.0
    before = {name: Part(photos * share, micros * share) for name, (photos, micros) in usual.parts.items()}
    why = reasons(hour.parts, before)
    split = (
        f"{_dollars(why.volume)} by more photos, {_dollars(why.price)} by their price, {_dollars(why.mix)} by the mix"
    )
    earlier = "" if hour.before is None else f", {_dollars(hour.before.micros)} in the one before"
    text = (
        f"{_dollars(hour.micros)} in an hour{earlier}, usually about {_dollars(expected)}. Of the difference {split}."
    )
    return Finding(text, begins)


def _failures(usual: Usual, hour: LastHour) -> Finding | None:
    expected = usual.expected * hour.ended
    begins = _rises(usual, hour.failed, expected, SEVERAL)
    if begins is None:
        return None
    text = f"{hour.failed} of {hour.ended} calls have failed in an hour, usually about {expected:.0f} of as many."
    return Finding(text, begins)


def _wait(usual: Usual | None, hour: LastHour) -> Finding | None:
    if usual is None or hour.wait is None:
        return None
    begins = _rises(usual, hour.wait, usual.expected, WAIT_MIN)
    if begins is None:
        return None
    now, before = (round(each / 60) for each in (hour.wait, usual.expected))
    return Finding(
        f"Half of the batch photos answered in the last hour took {now} minutes or more, usually {before}.", begins
    )


def _hour_rises(
    hours: tuple[Usual, ...],
    steps: Steps | None,
    hour: LastHour,
    amount: Callable[[LastHour | Span], float],
    least: float,
) -> tuple[float, bool | None]:
    """Return what is usual for an hour, and whether it begins an episode with this amount of it, as `_rises` does."""
    actual, expected = amount(hour), _expected(hours, hour)
    midnight = hour.since.replace(hour=0, minute=0, second=0, microsecond=0)
    place = min((hour.until - timedelta(microseconds=1) - midnight) // HOUR, DAY_HOURS - 1)
    least = max(least, MEAN_HOURS_MIN * sum(each.expected for each in hours) / DAY_HOURS)
    begins = _rises(hours[place], actual, expected, least, HOUR_ENDS_Z)
    if begins is not False or not steps or not hour.before:
        return expected, begins
    stays = steps.stays * log_error(amount(hour.before), _expected(hours, hour.before))
    z = _z(steps.off[place], log_error(actual, expected) - stays)
    foreseen = expected * math.exp(min(stays, 0))
    return expected, z >= BEGINS_Z and _much(actual, foreseen, least)


def _expected(hours: tuple[Usual, ...], span: LastHour | Span) -> float:
    """Return what is usual from `since` to `until`."""
    begins = span.since.replace(hour=0, minute=0, second=0, microsecond=0)
    expected = 0.0
    for n, usual in enumerate(hours):
        first = begins + n * HOUR
        shared = min(span.until, first + HOUR) - max(span.since, first)
        expected += usual.expected * max(shared / HOUR, 0)
    return expected


def _rises(usual: Usual, actual: float, expected: float, least: float, ends_z: float = ENDS_Z) -> bool | None:
    """Return whether a figure begins an episode; None if it would not even go on with one."""
    z = _z(usual, log_error(actual, expected))
    if z < ends_z or actual <= expected:
        return None
    return z >= BEGINS_Z and _much(actual, expected, least)


def _much(actual: float, expected: float, least: float) -> bool:
    return actual - expected >= max(RISE_MIN * expected, least)


def _z(errors: Errors, error: float) -> float:
    return (error - errors.middle) / errors.spread


def _dollars(micros: float) -> str:
    return f"{'-' if micros < 0 else ''}${abs(micros) / 1_000_000:.4f}"
