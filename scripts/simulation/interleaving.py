"""One thread, many invocations, one clock: the seed alone decides which invocation continues.

An invocation is a greenlet. It gives way whenever it would wait: for an outside call's answer, a lock, a client
library's pause before a retry. The clock moves from one of these moments to the next: nothing happens between them.
"""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event
from typing import Any

from greenlet import getcurrent, greenlet

from scripts.inprocess import CrashError, StillClock


class OverrunError(Exception):
    """The history has taken more steps than a sound one: something loops."""


@dataclass(eq=False)
class Process:
    """One instance of a function: its caches, and whether it is alive."""

    number: int
    deps: Any
    alive: bool = True


@dataclass(eq=False)
class Invocation:
    """One call of a use case under way in a process. `key` names it in traces, the same in every run."""

    key: str
    what: str
    process: Process
    calls: int = 0
    faults: int = 0
    ids: int = 0
    began: float = 0.0
    waits_since: float | None = None

    def require_alive(self) -> None:
        if not self.process.alive:
            raise CrashError


@dataclass(order=True)
class _Moment:
    at: float
    order: int
    act: Callable[[], Any] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)


class Interleaving:
    """The moments to come, and the invocation that is running now."""

    def __init__(self, clock: StillClock) -> None:
        self.clock = clock
        self._hub = getcurrent()
        self._moments: list[_Moment] = []
        self._order = itertools.count()
        self._sleepers: list[tuple[Event, _Moment, greenlet]] = []
        self._running: dict[greenlet, Invocation] = {}

    @property
    def seconds(self) -> float:
        """The time, in seconds since 1970."""
        return self.clock.seconds()

    def at(self, seconds: float, act: Callable[[], Any]) -> _Moment:
        """Have something done at this time, or at once if it is past."""
        moment = _Moment(seconds, next(self._order), act)
        heapq.heappush(self._moments, moment)
        return moment

    def start(self, seconds: float, invocation: Invocation, run: Callable[[], None]) -> None:
        """Begin an invocation at this time. `run` must not let any exception out."""

        def begin() -> None:
            thread = greenlet(body, parent=self._hub)
            self._running[thread] = invocation
            invocation.began = self.seconds
            thread.switch()

        def body() -> None:
            try:
                run()
            finally:
                del self._running[getcurrent()]

        self.at(seconds, begin)

    def current(self) -> Invocation | None:
        """Return the invocation that is running, None if it is the simulation itself."""
        return self._running.get(getcurrent())

    def idle(self) -> bool:
        """Tell whether nothing is under way and nothing is to come."""
        return not self._running and all(moment.cancelled for moment in self._moments)

    def pause(self, seconds: float, wake: Event | None = None) -> None:
        """Let others run for so long, or until `wake` is set. For the simulation itself, nothing."""
        me = getcurrent()
        if me not in self._running:
            return
        moment = self.at(self.seconds + seconds, me.switch)
        if wake is not None:
            self._sleepers.append((wake, moment, me))
        self._hub.switch()

    def wake_sleepers(self) -> None:
        """Let those go on soon whose event has been set; after anything that may have set one."""
        for sleeper in [each for each in self._sleepers if each[1].cancelled or each[0].is_set()]:
            self._sleepers.remove(sleeper)
            _, moment, thread = sleeper
            if not moment.cancelled:
                moment.cancelled = True
                self.at(self.seconds, thread.switch)

    def run(self, until: float | None = None) -> None:
        """Let everything happen that is to happen until then; without a time, until nothing is to come."""
        while self._moments and (until is None or self._moments[0].at <= until):
            moment = heapq.heappop(self._moments)
            if moment.cancelled:
                continue
            moment.cancelled = True  # it has been; a sleeper that it woke must not be woken again
            if moment.at > self.seconds:
                self.clock.advance(timedelta(seconds=moment.at - self.seconds))
            moment.act()
        if until is not None and until > self.seconds:
            self.clock.advance(timedelta(seconds=until - self.seconds))
