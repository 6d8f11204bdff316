"""Which of a flag's two paths a call takes. In this order:

    stopped ► ceiling 0 ► denied ► allowed ► within the percentage ► old

Whoever is in at 10 % is in at 25 %: buckets do not move when a percentage grows.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from functions.core.rollouts.flags import Cohort, Flag, FlagRules
from functions.core.shared.records import Open


class Arm(StrEnum):
    """The path that a call takes. `listed` is the new one, for users who were named: it says nothing about everybody
    else, so it is not counted."""

    OLD = "old"
    NEW = "new"
    LISTED = "listed"


USERS_MIN = 3
"""Failures of fewer users are one user's retries, or a few strange photos: they prove nothing against a path."""


class Why(StrEnum):
    """Why a call takes it, in OpenFeature's words (https://openfeature.dev/specification/types#resolution-details)."""

    DISABLED = "DISABLED"
    TARGETING_MATCH = "TARGETING_MATCH"
    SPLIT = "SPLIT"
    DEFAULT = "DEFAULT"
    ERROR = "ERROR"


@dataclass(frozen=True)
class Decision:
    """The arm of one flag for one user, and why; `key` names the flag in this epoch. Without a `counted` comparison
    nothing is noted of it."""

    key: str
    arm: Arm
    why: Why
    counted: bool = False


Arms = dict[str, Open[Arm]]
"""A job's arms by `key_of` the flag, so that whoever settles it counts it where it was begun."""


def key_of(flag: Flag, epoch: int) -> str:
    """Return what a flag is called in one epoch: a stop or a restart begins the next."""
    return f"{flag}@{epoch}"


def decide(
    flag: Flag, rules: FlagRules | None, unit: str, *, ceiling: int = 100, epoch: int | None = 0, stopped: bool = False
) -> Decision:
    """Decide which path a unit takes: a user's id, or the id of their team. `ceiling` is the deploy's percentage. An
    `epoch` of None is one that cannot be read, as rules of None: the flag is old for itself alone."""
    key = key_of(flag, epoch or 0)
    if rules is None or epoch is None:
        return Decision(key, Arm.OLD, Why.ERROR)
    if stopped or not ceiling or rules.cohort is Cohort.OFF:
        return Decision(key, Arm.OLD, Why.DISABLED)
    if unit in rules.deny:
        return Decision(key, Arm.OLD, Why.TARGETING_MATCH)
    if unit in rules.allow:
        return Decision(key, Arm.LISTED, Why.TARGETING_MATCH)
    percent = min(rules.share, ceiling)
    if bucket(flag, rules.salt, unit) < percent * (BUCKETS // 100):
        return Decision(key, Arm.NEW, Why.SPLIT, counted=True)
    return Decision(key, Arm.OLD, Why.DEFAULT, counted=percent > 0)


BUCKETS = 10_000


def bucket(flag: Flag, salt: str, unit: str) -> int:
    """Return a unit's place among the buckets of a flag: the first 64 bits of a SHA-256, so that places are even, and
    independent of those in other flags. From any salt to any other, users are dealt anew."""
    digest = hashlib.sha256(f"{salt}|{flag}|{unit}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % BUCKETS


def arms_of(decisions: Mapping[Flag, Decision]) -> Arms:
    """Return what a job keeps: the arms that are compared, and the new path of whoever was named."""
    kept = [each for each in decisions.values() if each.counted or each.arm is Arm.LISTED]
    return {each.key: each.arm for each in kept}


def takes_new(arms: Mapping[str, str], flag: Flag) -> bool:
    """Whether a job takes a flag's new path."""
    return any(key.partition("@")[0] == flag and arm in {Arm.NEW, Arm.LISTED} for key, arm in arms.items())
