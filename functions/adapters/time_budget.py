"""How long Firestore is waited for: each call with its repetitions, and all calls of one invocation.

The client library repeats a failing call for up to five minutes, longer than any callable has: in an outage the
platform would end the callable, without a word to the app. So calls end by limits of ours. This module is light: the
edge imports it in every process.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf
from time import monotonic

STORE_PATIENCE_SECONDS = 25.0
"""One callable's time for Firestore; with Storage and the provider less than any callable has, so that in an outage the
app hears from us and not from the platform."""

_arrival: ContextVar[float | None] = ContextVar("arrival of the call", default=None)
_left: ContextVar[list[float] | None] = ContextVar("patience left", default=None)
_end: ContextVar[float] = ContextVar("end of the call", default=inf)


@contextmanager
def arriving() -> Iterator[None]:
    """Let what is done inside belong to a call that arrives now."""
    before = _arrival.set(monotonic())
    try:
        yield
    finally:
        _arrival.reset(before)


def since_arrival() -> float:
    """Return how long ago the call under way has arrived, in seconds; 0 outside of one."""
    arrival = _arrival.get()
    return 0.0 if arrival is None else monotonic() - arrival


@contextmanager
def waiting_at_most(seconds: float) -> Iterator[None]:
    """Limit the seconds that Firestore and Remote Config take inside, in all. Other work does not count."""
    before = _left.set([seconds])
    try:
        yield
    finally:
        _left.reset(before)


@contextmanager
def one_call(seconds: float) -> Iterator[None]:
    """Limit one call with its repetitions to so many seconds, or what patience is left."""
    patience = _left.get()
    started = monotonic()
    end = started + (seconds if patience is None else min(seconds, patience[0]))
    before = _end.set(min(end, _end.get()))
    try:
        yield
    finally:
        _end.reset(before)
        if patience is not None:
            patience[0] -= monotonic() - started


def seconds_left() -> float:
    """Return how long the call under way may still take; infinitely long outside of one."""
    return _end.get() - monotonic()
