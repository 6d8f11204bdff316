"""The documents of one database: current state, ordered indexes, and the way to its past.

The store knows nothing of RPCs, locks or bills, and is not thread-safe: the service holds one mutex around every call.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from .history import History, StoredDocument
from .ordered_index import OrderedIndex, Shape
from .paths import collection_id, collection_of, full_name
from .protos import DocumentPb
from .wire import TICKS_PER_SECOND, tick_of

SHAPES_PER_SCOPE_MAX = 32  # least recently used ones are dropped and built again when asked for

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Ticker:
    """Turns a clock into strictly rising microseconds since 1970: no two commits share a time."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._last = 0

    def __call__(self) -> int:
        """Return the next tick."""
        self._last = max(self.now(), self._last + 1)
        return self._last

    def now(self) -> int:
        """Return the clock's time, which commits may be ahead of."""
        elapsed = self._clock() - _EPOCH
        return (elapsed.days * 86_400 + elapsed.seconds) * TICKS_PER_SECOND + elapsed.microseconds


class Scope(NamedTuple):
    """Where a query looks: one collection by path, a collection group by id, or (both None) every document."""

    collection: str | None = None
    group: str | None = None


EVERYWHERE = Scope()


class Database:
    """All documents of one database, by path.

    Wherever there is an `at`, it is a tick that `history` still knows; None is the current state.
    """

    def __init__(self, name: str, history: History) -> None:
        self.name = name
        self.history = history
        self._collections: dict[str, dict[str, StoredDocument]] = {}
        self._group_members: defaultdict[str, set[str]] = defaultdict(set)
        # For each document path, present or not, the ids of collections under it with how many documents they hold at
        # any depth.
        self._children: dict[str, dict[str, int]] = {}
        self._indexes: dict[Scope, OrderedDict[Shape, OrderedIndex]] = {}
        self._changed: dict[Scope, int] = {}
        self.on_change: Callable[[str, StoredDocument | None, DocumentPb | None], None] | None = None

    def get(self, path: str, at: int | None = None) -> StoredDocument | None:
        """Return the document at `path`; None when there is none."""
        if at is not None:
            past = self.history.as_of(at)
            if path in past:
                return past[path]
        return self._collections.get(collection_of(path), {}).get(path)

    def put(self, path: str, document: DocumentPb | None, tick: int) -> None:
        """Make `document`, which carries its times, what is at `path` from `tick` on; None deletes."""
        old = self.get(path)
        if document is None and old is None:
            return
        self.history.note(path, old, tick)
        if document is None:
            self._remove(path)
        else:
            stored = StoredDocument(
                document.SerializeToString(), tick_of(document.create_time), tick_of(document.update_time)
            )
            self._insert(path, stored, is_new=old is None)
        self._index(path, old, document, tick)
        if self.on_change is not None:
            self.on_change(path, old, document)

    def documents(self, scope: Scope, at: int | None = None) -> Iterator[tuple[str, StoredDocument]]:
        """Yield every document of a scope with its path, in no particular order."""
        past = {} if at is None else self.history.as_of(at)
        for collection in self._collections_in(scope):
            for path, document in self._collections.get(collection, {}).items():
                if path not in past:
                    yield path, document
        for path, replaced in past.items():
            if replaced is not None and scope in scopes_of(path):
                yield path, replaced

    def index(self, scope: Scope, shape: Shape, at: int | None = None) -> OrderedIndex:
        """Return the index of a shape, built on first use; a time that the scope has moved past gets its own."""
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

    def collection_ids(self, parent: str, at: int | None = None) -> list[str]:
        """Return the sorted ids of the collections directly under a document path, or under the root (empty path)."""
        return sorted(self._children_at(at).get(parent, ()))

    def missing_documents(self, collection: str, at: int | None = None) -> list[str]:
        """Return the paths in a collection where no document is but below which there are some."""
        here = {path for path, _ in self.documents(Scope(collection=collection), at)}
        return [path for path in self._children_at(at) if path not in here and collection_of(path) == collection]

    def full_name(self, path: str) -> str:
        """Return the name on the wire of the document at `path`."""
        return full_name(self.name, path)

    def _children_at(self, at: int | None) -> Mapping[str, Collection[str]]:
        """Return, for each document path that has some, the ids of the collections under it."""
        if at is None or not self.history.as_of(at):
            return self._children
        children: defaultdict[str, set[str]] = defaultdict(set)
        for path, _ in self.documents(EVERYWHERE, at):
            for parent, child in _ancestry(path):
                children[parent].add(child)
        return children

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
        for scope in scopes_of(path):
            self._changed[scope] = tick
            indexes = self._indexes.get(scope)
            if not indexes:
                continue
            if before is None and old is not None:
                before = old.parse()
            for index in indexes.values():
                index.update(path, before, new)


def scopes_of(path: str) -> tuple[Scope, Scope, Scope]:
    """Return the scopes that a document is in."""
    return Scope(collection=collection_of(path)), Scope(group=collection_id(path)), EVERYWHERE


def _ancestry(path: str) -> Iterator[tuple[str, str]]:
    """Yield (document path above, collection id under it) from the root down to the document's own collection."""
    segments = path.split("/")
    for depth in range(0, len(segments), 2):
        yield "/".join(segments[:depth]), segments[depth]
