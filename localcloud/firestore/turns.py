"""Who looks for news next: a few streams at a time.

A commit may concern a thousand streams, each with a thread that waits. If all woke at once, they would spend most of
the time on getting into each other's way; so each wakes when one before it has seen what there is.
"""

import threading
from collections import deque

AT_ONCE = 2


class Turns:
    """The line of a server's streams."""

    def __init__(self) -> None:
        self.mutex = threading.Lock()
        self._free = AT_ONCE
        self._line: deque[Turn] = deque()

    def join(self, turn: "Turn") -> None:
        """Begin a turn when it is next in line. Under the mutex, as the other methods."""
        self._line.append(turn)
        self._admit()

    def leave(self, turn: "Turn") -> None:
        """Take a turn out of the line, or end it."""
        if turn.begun.is_set():
            turn.begun.clear()
            self._free += 1
            self._admit()
        elif turn in self._line:
            self._line.remove(turn)

    def _admit(self) -> None:
        while self._free and self._line:
            self._free -= 1
            self._line.popleft().begun.set()


class Turn:
    """One stream's turn: `ask` for it from any thread; `wait` and `end` enclose the work, in the stream's own."""

    def __init__(self, turns: Turns) -> None:
        self.begun = threading.Event()
        self._turns = turns
        self._asked = self._waiting = False

    def ask(self) -> None:
        """Let the stream work, now or when it waits next."""
        with self._turns.mutex:
            if self._waiting and not self._asked:
                self._turns.join(self)
            self._asked = True

    def wait(self, seconds: float) -> None:
        """Return when it is the stream's turn after somebody has asked, or when the time is up."""
        with self._turns.mutex:
            self._waiting = True
            if self._asked:
                self._turns.join(self)
        self.begun.wait(seconds)
        with self._turns.mutex:
            self._waiting = self._asked = False
            if not self.begun.is_set():
                self._turns.leave(self)

    def end(self) -> None:
        """Let the next one work."""
        with self._turns.mutex:
            if self.begun.is_set():
                self._turns.leave(self)
