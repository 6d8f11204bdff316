"""A circuit breaker: what has failed several times in a row is not asked for a while by this process, or in this run.

closed ── 5 failures in a row ──► open ── 60 s ──► one caller asks ── success ──► closed
                                   ▲                     └────────── failure ──► open
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

FAILURES_MAX = 5
"""Failures in a row that open it: more than a moment's trouble makes."""

OPEN_FOR = timedelta(seconds=60)
"""How long nobody asks, from the last failure on."""


class Breaker:
    """What is known of one thing outside. Safe to share between threads; nothing of it is stored."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock, self._lock = clock, Lock()
        self._failures, self._probe_at = 0, clock()
        self._failed_for: set[str] = set()

    @property
    def open(self) -> bool:
        """Whether it has failed so often without a success since."""
        return self._failures >= FAILURES_MAX

    @property
    def shut(self) -> bool:
        """Whether it would let nobody ask now."""
        return self.open and self._clock() < self._probe_at

    def admits(self) -> bool:
        """Whether to ask now. Of an open breaker's callers one may, once in a while, and the others wait for its news;
        should it die, the next one may after as long."""
        with self._lock:
            now = self._clock()
            if self.open and now < self._probe_at:
                return False
            self._probe_at = now + OPEN_FOR
            return True

    def note(self, *, failed: bool, asked_for: str | None = None) -> None:
        """Note how a call has ended. `asked_for` names a user whose photo a failure may be about: those of one user
        count once, so that nobody opens it for the others alone."""
        with self._lock:
            self._probe_at = self._clock() + OPEN_FOR
            if not failed:
                self._failures = 0
                self._failed_for.clear()
            elif not self.open and (asked_for is None or asked_for not in self._failed_for):
                self._failures += 1
                self._failed_for |= {asked_for} if asked_for else set()
