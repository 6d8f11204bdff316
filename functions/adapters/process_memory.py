"""What a process remembers of its callers, at no read: how much each has asked for lately, and who was refused.

A process is one instance of one function, so up to `options.INSTANCES_MAX` times these limits can pass. The limits
over all instances are in the wallet, which a charge writes anyway.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from math import ceil

from functions.core.shared.errors import RateLimited

USERS_REMEMBERED_MAX = 10_000
"""Who has been away for longest is forgotten first. It takes two megabytes."""

CALLS_AT_ONCE, CALLS_PER_MINUTE = 120, 120
"""Of one function by one user; twenty documents of a page count as a call. An app makes a few a minute by hand; back
online it sends all that it kept at once."""

PHOTOS_AT_ONCE, PHOTOS_PER_MINUTE = 120, 30
"""Photos of one user fetched and not paid for: damaged, repeated, or refused by the wallet, which limits the paid ones.
As many at once as the largest plan takes in a minute."""

REFUSED_LATELY = timedelta(minutes=10)
"""For how long whoever the wallet has refused has it looked at before a photo is downloaded."""

PHOTOS_IN_MEMORY_MAX = 20
"""Photos of many-photo calls held at a time, up to 10 MB each, in an instance of 1 GB that needs 180 MB for itself and
100 MB for decoding."""


class Rate:
    """How often each user may do something: so many times at once, and so many more a minute."""

    def __init__(self, at_once: int, per_minute: int, clock: Callable[[], datetime]) -> None:
        self._most, self._per_second, self._clock = float(at_once), per_minute / 60, clock
        self._left: OrderedDict[str, tuple[float, datetime]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, uid: str, wanted: int = 1) -> int:
        """Use up as much of what is wanted as is left. Returns how much that was."""
        with self._lock:
            left = self._left_now(uid)
            granted = min(wanted, int(left))
            self._keep(uid, left - granted)
        return granted

    def give_back(self, uid: str, unused: int) -> None:
        """Take back a use that is not to count."""
        with self._lock:
            self._keep(uid, min(self._left_now(uid) + unused, self._most))

    def exceeded(self, what: str, wanted: int = 1) -> RateLimited:
        """Return the error for what was not granted."""
        wait = ceil(wanted / self._per_second)
        return RateLimited(f"Too many {what} in a short time. Wait {wait} seconds.", retryAfter=wait)

    def _left_now(self, uid: str) -> float:
        left, since = self._left.get(uid, (self._most, self._clock()))
        return min(left + max((self._clock() - since).total_seconds(), 0) * self._per_second, self._most)

    def _keep(self, uid: str, left: float) -> None:
        self._left[uid] = left, self._clock()
        self._left.move_to_end(uid)
        if len(self._left) > USERS_REMEMBERED_MAX:
            self._left.popitem(last=False)


class Callers:
    """All that a process remembers of them. Safe to share between threads."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.calls = Rate(CALLS_AT_ONCE, CALLS_PER_MINUTE, clock)
        self.photos = Rate(PHOTOS_AT_ONCE, PHOTOS_PER_MINUTE, clock)
        self.photos_in_memory = threading.BoundedSemaphore(PHOTOS_IN_MEMORY_MAX)
        self._clock = clock
        self._refused: OrderedDict[str, datetime] = OrderedDict()
        self._lock = threading.Lock()

    def note_refusal(self, uid: str, *, refused: bool) -> None:
        """Remember that the wallet has refused this user just now, or that it has not."""
        with self._lock:
            self._refused.pop(uid, None)
            if refused:
                self._refused[uid] = self._clock()
            if len(self._refused) > USERS_REMEMBERED_MAX:
                self._refused.popitem(last=False)

    def refused_lately(self, uid: str) -> bool:
        """Tell whether the wallet has refused this user a short while ago."""
        at = self._refused.get(uid)
        return at is not None and abs(self._clock() - at) <= REFUSED_LATELY
