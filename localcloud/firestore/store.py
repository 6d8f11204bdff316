"""The documents of one database: current state, ordered indexes, and the past that open snapshots still need.

The store knows nothing of RPCs, locks or bills, and is not thread-safe: the service holds one mutex around every call.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from .ordered_index import OrderedIndex, Shape
from .paths import collection_id, collection_of, full_name
from .protos import Document, DocumentPb
from .wire import tick_of

SHAPES_PER_SCOPE_MAX = 32  # least recently used ones are dropped and built again when asked for

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Ticker:
    """Turns a clock into strictly rising microseconds since 1970: no two commits share a time."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._last = 0

    def __call__(self) -> int:
        """Return the next tick."""
        elapsed = self._clock() - _EPOCH
        now = (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds
        self._last = max(now, self._last + 1)
        return self._last


class StoredDocument(NamedTuple):
    """A document at rest: the wire form of the whole `Document` message, ready to be sent, and its times as ticks."""

    data: bytes
    created: int
    updated: int

    def parse(self) -> DocumentPb:
        """Return the document as a message of its own."""
        return Document.FromString(self.data)


class Scope(NamedTuple):
    """Where a query looks: one collection by path, a collection group by id, or (both None) every document."""

    collection: str | None = None
    group: str | None = None


EVERYWHERE = Scope()


class Database:
    """All documents of one database, by path."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._collections: dict[str, dict[str, StoredDocument]] = {}
        self._group_members: defaultdict[str, set[str]] = defaultdict(set)
        # For each document path, present or not, the ids of collections under it with how many documents they hold at
        # any depth.
        self._children: dict[str, dict[str, int]] = {}
        self._indexes: dict[Scope, OrderedDict[Shape, OrderedIndex]] = {}
        self._changed: dict[Scope, int] = {}
        self._snapshots: dict[int, int] = {}
        self._history: dict[str, list[tuple[int, StoredDocument | None]]] = {}

    def get(self, path: str, at: int | None = None) -> StoredDocument | None:
        """Return the document at `path`, now or as of the open snapshot `at`; None when there is none."""
        if at is not None:
            for replaced_at, before in self._history.get(path, ()):
                if replaced_at > at:
                    return before
        return self._collections.get(collection_of(path), {}).get(path)

    def put(self, path: str, document: DocumentPb | None, tick: int) -> None:
        """Make `document`, which carries its times, what is at `path` from `tick` on; None deletes."""
        old = self.get(path)
        if self._snapshots:
            self._history.setdefault(path, []).append((tick, old))
        if document is None:
            if old is None:
                return
            self._remove(path)
        else:
            stored = StoredDocument(
                document.SerializeToString(), tick_of(document.create_time), tick_of(document.update_time)
            )
            self._insert(path, stored, is_new=old is None)
        self._index(path, old, document, tick)

    def documents(self, scope: Scope, at: int | None = None) -> Iterator[tuple[str, StoredDocument]]:
        """Yield every document of a scope with its path, in no particular order, now or as of an open snapshot."""
        if at is None:
            for collection in self._collections_in(scope):
                yield from self._collections.get(collection, {}).items()
            return
        paths = {path for path, _ in self.documents(scope)} | {path for path in self._history if scope in _scopes(path)}
        for path in paths:
            document = self.get(path, at)
            if document is not None:
                yield path, document

    def index(self, scope: Scope, shape: Shape, at: int | None = None) -> OrderedIndex:
        """Return the index of a shape, built on first use; a snapshot that the scope has moved past gets its own."""
        if at is not None and self.changed(scope) > at:
            return self._build(scope, shape, at)
        kept = self._indexes.setdefault(scope, OrderedDict())
        if shape in kept:
            kept.move_to_end(shape)
        else:
            kept[shape] = self._build(scope, shape, None)
            if len(kept) > SHAPES_PER_SCOPE_MAX:
                kept.popitem(last=False)
        return kept[shape]

    def changed(self, scope: Scope) -> int:
        """Return the tick of the last change within a scope, 0 when there was none."""
        return self._changed.get(scope, 0)

    def open_snapshot(self, tick: int) -> None:
        """Keep what is replaced from now on, so that reads as of `tick` stay possible."""
        self._snapshots[tick] = self._snapshots.get(tick, 0) + 1

    def close_snapshot(self, tick: int) -> None:
        """Let go of a snapshot; when it was the last one the past is forgotten."""
        self._snapshots[tick] -= 1
        if not self._snapshots[tick]:
            del self._snapshots[tick]
        if not self._snapshots:
            self._history.clear()

    @property
    def versions_kept(self) -> int:
        """How many replaced versions are kept for open snapshots."""
        return sum(map(len, self._history.values()))

    def collection_ids(self, parent: str) -> list[str]:
        """Return the sorted ids of the collections directly under a document path, or under the root (empty path)."""
        return sorted(self._children.get(parent, ()))

    def missing_documents(self, collection: str) -> list[str]:
        """Return the paths in a collection where no document is but below which there are some."""
        here = self._collections.get(collection, {})
        return [path for path in self._children if path and path not in here and collection_of(path) == collection]

    def full_name(self, path: str) -> str:
        """Return the name on the wire of the document at `path`."""
        return full_name(self.name, path)

    def _build(self, scope: Scope, shape: Shape, at: int | None) -> OrderedIndex:
        return OrderedIndex(shape, ((path, stored.parse()) for path, stored in self.documents(scope, at)))

    def _collections_in(self, scope: Scope) -> list[str]:
        if scope.collection is not None:
            return [scope.collection]
        return list(self._collections if scope.group is None else self._group_members.get(scope.group, ()))

    def _insert(self, path: str, stored: StoredDocument, *, is_new: bool) -> None:
        collection = collection_of(path)
        members = self._collections.get(collection)
        if members is None:
            members = self._collections[collection] = {}
            self._group_members[collection_id(path)].add(collection)
        members[path] = stored
        if is_new:
            for parent, child in _ancestry(path):
                below = self._children.setdefault(parent, {})
                below[child] = below.get(child, 0) + 1

    def _remove(self, path: str) -> None:
        collection = collection_of(path)
        members = self._collections[collection]
        del members[path]
        if not members:
            del self._collections[collection]
            self._group_members[collection_id(path)].discard(collection)
        for parent, child in _ancestry(path):
            below = self._children[parent]
            below[child] -= 1
            if not below[child]:
                del below[child]
                if not below:
                    del self._children[parent]

    def _index(self, path: str, old: StoredDocument | None, new: DocumentPb | None, tick: int) -> None:
        before: DocumentPb | None = None
        for scope in _scopes(path):
            self._changed[scope] = tick
            indexes = self._indexes.get(scope)
            if not indexes:
                continue
            if before is None and old is not None:
                before = old.parse()
            for index in indexes.values():
                index.update(path, before, new)


def _scopes(path: str) -> tuple[Scope, Scope, Scope]:
    return Scope(collection=collection_of(path)), Scope(group=collection_id(path)), EVERYWHERE


def _ancestry(path: str) -> Iterator[tuple[str, str]]:
    """Yield (document path above, collection id under it) from the root down to the document's own collection."""
    segments = path.split("/")
    for depth in range(0, len(segments), 2):
        yield "/".join(segments[:depth]), segments[depth]
