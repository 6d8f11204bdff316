"""What a client listens to: some documents or a query, and what the client knows of it.

A target queues nothing. Commits leave only the paths that they have changed; `changes` compares these with what the
client was told last, however many commits lie in between. So a slow client misses states, never the newest one.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from .history import StoredDocument
from .ordered_index import FieldPath
from .plan import Plan, plan_matches
from .query import run_plan
from .store import Database, Scope, scopes_of

PENDING_MAX = 1000  # changed paths kept apart; beyond it everything is compared
_ABSENT = 0  # told instead of an update time: there is no such document


class Place(NamedTuple):
    """Where a commit finds a query target: documents of a scope with certain values at the fields compared with."""

    scope: Scope
    equal: tuple[FieldPath, ...]
    contains: FieldPath | None
    values: bytes


class Change(NamedTuple):
    """What a client has to learn about one document."""

    path: str
    stored: StoredDocument | None  # None: there is no such document
    matches: bool
    read: bool  # whether it is billed as one


class Target(ABC):
    """One target of a stream. Used under the engine's mutex.

    Args:
        target_id: its number on the stream.
        wake: called when there may be something to tell.
        once: whether the target ends when it is current.
    """

    def __init__(self, target_id: int, wake: Callable[[], None], *, once: bool) -> None:
        self.id, self.once = target_id, once
        self.current = False  # whether the client has a first, whole result
        self.resumed = False  # whether it has had one before
        self._wake = wake
        self._told: dict[str, int] = {}  # the update time of each document that the client has as a match
        self._pending: dict[str, None] = {}
        self._all_pending = True

    @property
    @abstractmethod
    def places(self) -> Iterable[Place | str]:
        """Where commits find the target; a text is a document's path."""

    @property
    def collection_id(self) -> str:
        """The id of the only collection that the result comes from; empty if there may be several."""
        return ""

    @property
    def select(self) -> tuple[FieldPath, ...] | None:
        """The fields that the client wants to see; None for all."""
        return None

    @property
    def dirty(self) -> bool:
        """Whether `changes` may have something."""
        return self._all_pending or bool(self._pending)

    @property
    def told(self) -> list[str]:
        """The paths of the documents that the client has as matches."""
        return [path for path, updated in self._told.items() if updated != _ABSENT]

    def note(self, path: str) -> None:
        """Remember that a document has changed."""
        if not self._all_pending:
            self._pending[path] = None
            if len(self._pending) > PENDING_MAX:
                self.note_all()
        self._wake()

    def note_all(self) -> None:
        """Remember that any document may have changed."""
        self._all_pending = True
        self._pending.clear()
        self._wake()

    def resume(self, database: Database, tick: int) -> None:
        """Take the client for knowing the result as of `tick`, which the database's history reaches back to."""
        self.resumed = True
        self._told = self._known_at(database, tick)

    def changes(self, database: Database) -> Iterator[Change]:
        """Yield what the client does not know yet; all of it counts as told from then on."""
        looked_at, found = self._look(database, None if self._all_pending else list(self._pending))
        self._all_pending = False
        changed, self._pending = self._pending, {}
        for path in looked_at:
            stored, told = database.get(path), self._told.get(path)
            if path in found:
                updated = stored.updated if stored else _ABSENT
                if told != updated:
                    self._told[path] = updated
                    yield Change(path, stored, stored is not None, told is None or stored is not None)
            elif told is not None:
                del self._told[path]
                yield Change(path, stored, False, stored is not None and (path in changed or stored.updated != told))

    @abstractmethod
    def _look(self, database: Database, paths: list[str] | None) -> tuple[list[str], set[str]]:
        """Return the paths to compare, of those given (None: any), and which of them are in the result."""

    @abstractmethod
    def _known_at(self, database: Database, tick: int) -> dict[str, int]:
        """Return what a client had been told of the result as of a tick."""


class DocumentsTarget(Target):
    """Documents by name. One that does not exist is part of the result, as absent."""

    def __init__(self, target_id: int, wake: Callable[[], None], paths: list[str], *, once: bool) -> None:
        super().__init__(target_id, wake, once=once)
        self.paths = paths

    @property
    def places(self) -> Iterable[Place | str]:
        """The paths."""
        return self.paths

    def _look(self, database: Database, paths: list[str] | None) -> tuple[list[str], set[str]]:
        _ = database
        looked_at = self.paths if paths is None else paths
        return looked_at, set(looked_at)

    def _known_at(self, database: Database, tick: int) -> dict[str, int]:
        found = ((path, database.get(path, tick)) for path in self.paths)
        return {path: stored.updated if stored else _ABSENT for path, stored in found}


class QueryTarget(Target):
    """A query's result."""

    def __init__(self, target_id: int, wake: Callable[[], None], plan: Plan, *, once: bool) -> None:
        super().__init__(target_id, wake, once=once)
        self.plan = plan
        # Whether a document is in the result depends on the others as well.
        self._windowed = plan.limit is not None or plan.offset > 0

    @property
    def places(self) -> Iterable[Place | str]:
        """One place for each branch of the query."""
        return [Place(self.plan.scope, scan.shape.equal, scan.shape.contains, scan.prefix) for scan in self.plan.scans]

    @property
    def collection_id(self) -> str:
        """The id of the collections that the query reads."""
        return self.plan.collection_id

    @property
    def select(self) -> tuple[FieldPath, ...] | None:
        """The fields of the query's projection."""
        return self.plan.select

    def _look(self, database: Database, paths: list[str] | None) -> tuple[list[str], set[str]]:
        if paths is not None:
            matching = {path for path in paths if self._matches(path, database.get(path))}
            if not self._windowed:
                return paths, matching
            # What was passed over by an offset moves the window as well, and nobody has been told of it.
            if not self.plan.offset and not matching and not any(path in self._told for path in paths):
                return [], set()
        found = [path for path, _ in run_plan(database, self.plan).rows]
        return list(dict.fromkeys([*self._told, *found])), set(found)

    def _known_at(self, database: Database, tick: int) -> dict[str, int]:
        found = run_plan(database, self.plan, tick if self._windowed else None).rows
        known = {path: stored.updated for path, stored in found}
        if not self._windowed:  # today's result without today's changes is cheaper than an index of another time
            for path, before in database.history.since(tick).items():
                known.pop(path, None)
                if before is not None and self.plan.scope in scopes_of(path) and self._matches(path, before):
                    known[path] = before.updated
        return known

    def _matches(self, path: str, stored: StoredDocument | None) -> bool:
        return stored is not None and plan_matches(self.plan, path, stored.parse())
