"""Document locks: who may commit now, who waits, and in which order.

Safety rests on one rule. A transaction that has read a document keeps a read lock on it until it ends, and a commit
goes ahead only when nobody else holds a read lock on a document it writes. A commit is applied in one step under the
service's mutex, so there are no write locks to hold: only commits that wait.

Order rests on courtesy. When a commit has to wait for a document, a line forms there, with that commit at its head,
and transactions that want to read the document stand in it, first come first served, instead of reading a value that
is about to change under them. This is what lets many clients count on one document without aborting each other:

    A reads  B reads  A commits: B holds a read lock, A waits, a line [A] forms
                      B commits: A and B wait for each other, B aborts, A is through
                      B tries again, C and D come: line [B, C, D], each reads when the one before has committed

A transaction that starts over knows what it wanted to write: before reading anything it stands in the lines of all
those documents, one after the other in the order of their names, so that such transactions never block each other in
a circle. A head that leaves without having tried to write shows that the line was needless, so all in it are let in.
Reading out of line is always safe; a reader is never aborted to solve a deadlock, because the client library repeats
a transaction only when its commit fails.
"""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

from .errors import aborted

CONTENTION = "Too much contention on these documents. Please try again."


@dataclass(eq=False, slots=True)
class Owner:
    """Who holds locks and waits: a transaction, or one commit outside of any."""

    seniority: int  # of two in a deadlock the one with the larger number gives way
    # Dictionaries serve as sets that keep their order: who is woken or aborted first must not depend on hashes.
    held: dict[str, None] = field(default_factory=dict)
    lines: dict[str, None] = field(default_factory=dict)
    waiting_to_read: str | None = None
    waiting_to_write: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()  # what its commit was about, successful or not
    intends: list[str] = field(default_factory=list)  # what an earlier attempt wanted to write, in order
    excused: bool = False  # from standing in line, because that would close a cycle
    wake: threading.Event = field(default_factory=threading.Event)
    serial: int = field(default_factory=count().__next__)  # tells owners of the same seniority apart


class Blocked(Exception):
    """The operation has to wait. Nothing was changed; run it again after `owner.wake` is set or time is up."""

    def __init__(self, owner: Owner, table: "LockTable") -> None:
        super().__init__("waiting for a document lock")
        self.owner = owner
        self.table = table


class LockTable:
    """The read locks and lines of one database. Not thread-safe: used under the service's mutex."""

    def __init__(self) -> None:
        self._readers: dict[str, dict[Owner, None]] = {}
        self._lines: dict[str, list[Owner]] = {}

    def read(self, owner: Owner, path: str, *, patient: bool) -> None:
        """Take a read lock, after standing in line if there is one and `patient`.

        Raises:
            Blocked: it is not this owner's turn yet.
        """
        owner.waiting_to_read = None
        if path in owner.held:
            return
        if patient:
            while owner.intends:
                self._stand_in_line(owner, owner.intends[0])
                owner.intends.pop(0)
            if path in self._lines:
                self._stand_in_line(owner, path)
        self._readers.setdefault(path, {})[owner] = None
        owner.held[path] = None

    def admit_commit(self, owner: Owner, paths: Iterable[str], *, patient: bool) -> None:
        """Return when nobody else holds a read lock on any of `paths`.

        Raises:
            Blocked: somebody does, and `patient`.
            FirestoreError: ABORTED, when waiting would be in vain or too long.
        """
        owner.waiting_to_write = ()
        owner.writes = tuple(dict.fromkeys(paths))
        contested = tuple(path for path in owner.writes if self.readers(path, owner))
        if not contested:
            return
        if not patient:
            raise aborted(CONTENTION)
        self._stand_in_front(owner, contested)
        owner.waiting_to_write = contested
        self._break_cycles(owner)
        owner.wake.clear()
        raise Blocked(owner, self)

    def readers(self, path: str, other_than: Owner) -> list[Owner]:
        """Return who holds a read lock on a document, apart from one owner."""
        return [holder for holder in self._readers.get(path, ()) if holder is not other_than]

    def stop_waiting(self, owner: Owner) -> None:
        """Take back a wait whose call has been given up; locks and places in line stay until the owner is released."""
        owner.waiting_to_read, owner.waiting_to_write = None, ()

    def release(self, owner: Owner) -> None:
        """End an owner's locks and waits."""
        for path in owner.held:
            holders = self._readers[path]
            holders.pop(owner, None)
            if not holders:
                del self._readers[path]
            for waiting in self._lines.get(path, ()):
                if waiting.waiting_to_write:
                    waiting.wake.set()
        for path in owner.lines:
            self._leave_line(owner, path)
        owner.held.clear()
        owner.lines.clear()
        self.stop_waiting(owner)

    def blockers(self, owner: Owner) -> Iterator[Owner]:
        """Yield those an owner waits for."""
        for path in owner.waiting_to_write:
            yield from self.readers(path, owner)
        if owner.waiting_to_read is not None:
            for ahead in self._lines.get(owner.waiting_to_read, ()):
                if ahead is owner:
                    return
                yield ahead

    def idle(self) -> bool:
        """Tell whether there is not a single lock or line."""
        return not self._readers and not self._lines

    def _stand_in_line(self, owner: Owner, path: str) -> None:
        """Return when an owner is the head of a document's line, or is excused from it.

        Raises:
            Blocked: others are ahead.
        """
        line = self._lines.setdefault(path, [])
        if owner not in line:
            line.append(owner)
            owner.lines[path] = None
        while line[0] is not owner and not owner.excused:
            owner.waiting_to_read = path
            cycle = self._cycle(owner)
            if cycle is None:
                owner.wake.clear()
                raise Blocked(owner, self)
            # Best excused is who has locks already: one without any cannot get into a conflict by waiting longer.
            self._excuse(next((member for member in cycle if member.waiting_to_read and member.held), owner))
        owner.waiting_to_read = None

    def _excuse(self, reader: Owner) -> None:
        reader.excused = True
        reader.waiting_to_read = None
        reader.wake.set()

    def _stand_in_front(self, owner: Owner, paths: Iterable[str]) -> None:
        """Put a waiting commit into the lines, at the front if it has the document locked."""
        for path in paths:
            line = self._lines.setdefault(path, [])
            if owner not in line:
                line.insert(0 if path in owner.held else len(line), owner)
                owner.lines[path] = None

    def _leave_line(self, owner: Owner, path: str) -> None:
        line = self._lines[path]
        was_head = line[0] is owner
        line.remove(owner)
        if not was_head:
            return
        if line and path in owner.writes:
            line[0].wake.set()
            return
        del self._lines[path]
        for waiting in line:
            waiting.lines.pop(path, None)
            waiting.wake.set()

    def _break_cycles(self, owner: Owner) -> None:
        """Resolve the deadlocks this commit's wait closes: excuse a reader from its line, or abort the youngest commit.

        Raises:
            FirestoreError: ABORTED, when this owner is the youngest.
        """
        while (cycle := self._cycle(owner)) is not None:
            reader = next((member for member in cycle if member.waiting_to_read is not None), None)
            if reader is not None:
                self._excuse(reader)
                continue
            youngest = max(cycle, key=lambda member: (member.seniority, member.serial))
            if youngest is owner:
                raise aborted(CONTENTION)
            youngest.waiting_to_write = ()
            youngest.wake.set()  # it looks again, finds itself the youngest of the same circle, and aborts

    def _cycle(self, start: Owner) -> list[Owner] | None:
        """Return the owners on a cycle of waiting through `start`, or None."""
        came_from: dict[Owner, Owner] = {}
        pending = [start]
        while pending:
            current = pending.pop()
            for blocker in self.blockers(current):
                if blocker is start:
                    cycle = [current]
                    while cycle[-1] is not start:
                        cycle.append(came_from[cycle[-1]])
                    return cycle
                if blocker not in came_from:
                    came_from[blocker] = current
                    pending.append(blocker)
        return None
