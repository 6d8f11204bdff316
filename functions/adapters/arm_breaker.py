"""A breaker for each flag's new path: a process that sees it fail, while the old one works, takes it no more.

    7 failures of new in a row, for 3 users ── old has worked since the first of them ──► stopped, in this process at
    once, and for everybody with the stop that it writes

Where both fail it is the provider, and going back would help nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock

from functions.core.rollouts.arms import USERS_MIN, Arm

FAILURES_MAX = 7


@dataclass
class _Streak:
    """The failures of new in a row, for whom, and whether old has worked since they began."""

    failures: int = 0
    uids: set[str] = field(default_factory=set)
    old_works: bool = False

    @property
    def tells(self) -> bool:
        return self.failures >= FAILURES_MAX and len(self.uids) >= USERS_MIN and self.old_works


class ArmBreaker:
    """What one process knows of the flags' paths, by their keys. Safe to share between threads; a restart of a flag is
    another key."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._streaks: dict[str, _Streak] = {}
        self._stopped: dict[str, bool] = {}  # whether everybody knows

    def stopped(self, key: str) -> bool:
        """Whether this process takes a flag's new path no more."""
        return key in self._stopped

    def note(self, arms: Mapping[str, str], uid: str, *, failed: bool) -> list[str]:
        """Note how a user's call has ended, and return the flags whose stop is to be told to everybody."""
        with self._lock:
            for key, arm in arms.items():
                self._note(key, arm, uid, failed=failed)
            return [key for key, known in self._stopped.items() if not known]

    def told(self, key: str) -> None:
        """Note that everybody knows of a stop."""
        self._stopped[key] = True

    def _note(self, key: str, arm: str, uid: str, *, failed: bool) -> None:
        streak = self._streaks.setdefault(key, _Streak())
        if arm == Arm.NEW and failed:
            streak.failures += 1
            streak.uids |= {uid} if len(streak.uids) < USERS_MIN else set()
        elif arm == Arm.NEW:
            self._streaks[key] = _Streak()
        elif arm == Arm.OLD:
            streak.old_works = not failed and streak.failures > 0
        if streak.tells:
            self._stopped.setdefault(key, False)
