"""What documents were before: the past of one database, an hour long, for reads at a time and for resumed listeners.

Every write notes what it replaced, in three columns that cost nothing but memory. Whoever wants to know pays then, by
the number of writes since the tick in question. Ticks are the database's versions (microseconds since 1970, strictly
rising), so one question serves both uses:

    database.get(path, at=tick)                  a document as it was; `documents` and `index` take `at` too
    for path, before in database.history.since(tick).items():
        now = database.get(path)                 what has changed after version `tick`; None on either side: no document

Both are complete from `history.complete_since` on; ask for nothing older. What a commit writes has the commit's tick,
so the state at a commit's tick includes that commit.
"""

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from .protos import Document, DocumentPb
from .wire import TICKS_PER_SECOND

# As long as production keeps old versions: https://firebase.google.com/docs/firestore/pitr
RETENTION_TICKS = 3600 * TICKS_PER_SECOND
BYTES_MAX = 256 * 1024 * 1024  # beyond it the past is shorter than an hour
PARSED_MAX, PARSED_BYTES_MAX = 4_096, 16 * 1024  # messages that are kept for looking at, of documents of this size
VIEWS_MAX = 4  # ticks whose past is kept ready; the least recently used is dropped

_BYTES_PER_VERSION = 300  # what a version takes beside its document's bytes


class StoredDocument(NamedTuple):
    """A document at rest: the wire form of the whole `Document` message, ready to be sent, and its times as ticks."""

    data: bytes
    created: int
    updated: int

    def parse(self) -> DocumentPb:
        """Return the document as a message of its own."""
        return Document.FromString(self.data)

    def look(self) -> DocumentPb:
        """Return the document as a message that is only looked at: others may have the same one."""
        return _parsed(self.data) if len(self.data) <= PARSED_BYTES_MAX else self.parse()


@lru_cache(maxsize=PARSED_MAX)
def _parsed(data: bytes) -> DocumentPb:
    return Document.FromString(data)


Past = dict[str, StoredDocument | None]
"""What was at each path, None where there was no document."""


@dataclass(slots=True)
class _View:
    """The past as of a tick, worked out up to another."""

    up_to: int
    past: Past = field(default_factory=dict)


class History:
    """The replaced versions of one database's documents, in the order of the writes."""

    def __init__(self, complete_since: int = 0) -> None:
        self.complete_since = complete_since
        self._ticks: deque[int] = deque()
        self._paths: deque[str] = deque()
        self._replaced: deque[StoredDocument | None] = deque()
        self._bytes = 0
        self._held: Counter[int] = Counter()
        self._views: OrderedDict[int, _View] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ticks)

    def note(self, path: str, replaced: StoredDocument | None, tick: int) -> None:
        """Add that a write at `tick`, not before any noted earlier, replaced this version; drop what is too old."""
        self._ticks.append(tick)
        self._paths.append(path)
        self._replaced.append(replaced)
        if replaced is not None:
            self._bytes += len(replaced.data) + _BYTES_PER_VERSION
        if self._ticks[0] <= tick - RETENTION_TICKS or self._bytes > BYTES_MAX:
            self._forget(tick - RETENTION_TICKS)

    def since(self, tick: int) -> Past:
        """Return the paths written after `tick`, each with what was there at `tick`."""
        past: Past = {}
        for written, path, replaced in zip(
            reversed(self._ticks), reversed(self._paths), reversed(self._replaced), strict=True
        ):
            if written <= tick:
                break
            past[path] = replaced
        return past

    def as_of(self, tick: int) -> Past:
        """Return `since(tick)` as a mapping that stays ready for the next question about the same tick."""
        view = self._views.get(tick)
        if view is None:
            view = self._views[tick] = _View(tick)
            if len(self._views) > VIEWS_MAX:
                self._views.popitem(last=False)
        self._views.move_to_end(tick)
        if self._ticks and self._ticks[-1] > view.up_to:
            for path, replaced in self.since(view.up_to).items():
                view.past.setdefault(path, replaced)
            view.up_to = self._ticks[-1]
        return view.past

    def hold(self, tick: int) -> None:
        """Keep what reads as of `tick` need, however old it gets, until `release`."""
        self._held[tick] += 1

    def release(self, tick: int) -> None:
        """Undo one `hold`."""
        self._held[tick] -= 1
        if not self._held[tick]:
            del self._held[tick]

    def _forget(self, horizon: int) -> None:
        """Drop what is not after `horizon`, and more if it takes too much memory, but nothing that is held."""
        held = min(self._held, default=self._ticks[-1])
        while self._ticks and self._ticks[0] <= held and (self._ticks[0] <= horizon or self._bytes > BYTES_MAX):
            self.complete_since = self._ticks.popleft()
            self._paths.popleft()
            replaced = self._replaced.popleft()
            if replaced is not None:
                self._bytes -= len(replaced.data) + _BYTES_PER_VERSION
        for tick in [tick for tick in self._views if tick < self.complete_since]:
            del self._views[tick]
