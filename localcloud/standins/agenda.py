"""What falls due: a moved clock passes nothing over, and each thing happens at its own time."""

import heapq
import itertools
from collections.abc import Callable

from localcloud.clock import Clock


class Agenda:
    """What was put off. Whoever calls it holds the lock of what it changes."""

    def __init__(self, clock: Clock) -> None:
        """Begin with nothing; `clock` returns an aware UTC time."""
        self._clock, self._doing_at = clock, 0.0
        self._put_off: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()

    def now(self) -> float:
        """Return the time in seconds since 1970: of what is being caught up with, else by the clock."""
        return self._doing_at or self._clock().timestamp()

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Do it when the clock is that much further."""
        heapq.heappush(self._put_off, (self.now() + seconds, next(self._numbers), act))

    def catch_up(self) -> None:
        """Do all that has fallen due, in its order."""
        until = self._clock().timestamp()
        try:
            while self._put_off and self._put_off[0][0] <= until:
                self._doing_at, _, act = heapq.heappop(self._put_off)
                act()
        finally:
            self._doing_at = 0.0
