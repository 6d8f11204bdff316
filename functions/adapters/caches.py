"""What a process remembers between calls, for all its threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

T = TypeVar("T")


class Cached(Generic[T]):
    """A value from outside, fetched anew once it is `age_max` old: by one thread, while the others go on with the old
    one for as long again. A thread that finds none fetches it itself: nobody waits for a thread that may hang.
    (cachetools forgets old values: its other threads wait for the new one, or each fetch it.)"""

    def __init__(self, fetch: Callable[[T | None], T], age_max: timedelta, clock: Callable[[], datetime]) -> None:
        """`fetch` is given the value that was there before, None the first time."""
        self._fetch, self._age_max, self._clock = fetch, age_max, clock
        self._fetching = threading.Lock()
        self._kept: tuple[datetime, T] | None = None

    def get(self) -> T:
        """Return the value. Raises what `fetch` raises; the next call fetches again."""
        now = self._clock()
        if (fresh := self._within(self._age_max, now)) is not None:
            return fresh[1]
        ours = self._fetching.acquire(blocking=False)
        try:
            kept = self._within(self._age_max if ours else 2 * self._age_max, now)
            if kept is None:
                before = self._kept
                kept = self._kept = (now, self._fetch(before[1] if before else None))
            return kept[1]
        finally:
            if ours:
                self._fetching.release()

    def _within(self, age_max: timedelta, now: datetime) -> tuple[datetime, T] | None:
        """Return what is kept if it is no older; a clock that has gone back makes it old, too."""
        kept = self._kept
        return kept if kept is not None and abs(now - kept[0]) <= age_max else None
