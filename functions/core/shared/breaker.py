"""A circuit breaker: whoever finds the store failing keeps the others from asking it, for a while.

    closed ── 5 failures in a row ──► open ── 60 s ──► half-open: one run asks ── success ──► closed
                                       ▲                              └──────── failure ──► open

The state is one small document, so that the next instance respects what this one has found. A run that asks in the
half-open state moves the opening on, under a guard: nobody else asks meanwhile, and should it die, the next one may
in 60 s.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from functions.core.shared.records import Kept

FAILURES_MAX = 5
"""Failures in a row that open the breaker: more than a moment's trouble makes."""

OPEN_FOR = timedelta(seconds=60)
"""How long an open breaker lets nobody through."""


class Admission(StrEnum):
    """What a run may do."""

    FREE = "free"
    PROBE = "probe"
    SHUT = "shut"


class Breaker(Kept):
    """The state. `failures` are those in a row."""

    failures: int = Field(default=0, ge=0)
    open_until: datetime | None = None

    def admits(self, now: datetime) -> Admission:
        """Tell what a run that starts now may do."""
        if self.open_until is None:
            return Admission.FREE
        return Admission.SHUT if now < self.open_until else Admission.PROBE

    @property
    def open(self) -> bool:
        """Whether there have been too many failures."""
        return self.failures >= FAILURES_MAX

    def failed(self, now: datetime) -> "Breaker":
        """Return the state after one more failure. A probe's opens it again at once."""
        failures = self.failures + 1
        opened = now + OPEN_FOR if failures >= FAILURES_MAX else None
        return self.model_copy(update={"failures": failures, "open_until": opened})

    def probing(self, now: datetime) -> "Breaker":
        """Return the state while one run asks."""
        return self.model_copy(update={"open_until": now + OPEN_FOR})
