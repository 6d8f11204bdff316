"""What the calls would cost: reads, writes and deletes by the published rules.

Rules (https://firebase.google.com/docs/firestore/pricing): one read per document returned, or skipped by an offset, and
at least one per query; a missing document looked up by name is a read; an aggregation is one read per 1,000 index
entries or part of that; a vector search is one per 100 vectors looked at on top of its documents; a query that is
explained without being run is one; a query with inequalities on several fields is one more per 1,000 index entries; a
listener's first result is billed as a query, then each document that comes, changes, or leaves because it has changed
is a read; each document written or deleted by a commit is one write or delete, even if nothing changed. What fails
costs no writes.
"""

import threading
from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from .wire import TICKS_PER_SECOND

HOT_DOCUMENTS_SHOWN = 20
INDEX_ENTRIES_PER_READ = 1000
VECTORS_PER_READ = 100
LISTENER_RESUMES_TICKS = 30 * 60 * TICKS_PER_SECOND  # a listener that is away for longer pays for its result again

_WINDOW_TICKS = 1_000_000  # one second, in microseconds


@dataclass(frozen=True, slots=True)
class QueryCost:
    """What is billed for one query: documents, and index entries (or vectors) at so many per read."""

    documents: int = 0
    entries: int = 0
    entries_per_read: int = INDEX_ENTRIES_PER_READ

    @property
    def reads(self) -> int:
        """The reads in all; a query is at least one."""
        return max(1, self.documents + -(-self.entries // self.entries_per_read))


@dataclass(slots=True)
class _Busyness:
    """How often a document was written, and how often within its busiest second."""

    writes: int = 0
    busiest_second: int = 0
    recent: list[int] = field(default_factory=list)  # ticks within the last second

    def note(self, tick: int) -> None:
        self.writes += 1
        self.recent.append(tick)
        del self.recent[: bisect_right(self.recent, tick - _WINDOW_TICKS)]
        self.busiest_second = max(self.busiest_second, len(self.recent))


class Bill:
    """Counts since the last reset. Thread-safe."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._by_rpc: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._by_collection: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._busyness: defaultdict[str, _Busyness] = defaultdict(_Busyness)

    def reset(self) -> dict[str, Any]:
        """Start counting from nothing, and return the bill up to now."""
        with self._mutex:
            until_now = self._snapshot()
            self._by_rpc.clear()
            self._by_collection.clear()
            self._busyness.clear()
        return until_now

    def read(self, rpc: str, collection: str, count: int = 1) -> None:
        """Bill reads to an RPC and to the collection id (empty: several or none) they came from."""
        self._count("reads", rpc, collection, count)

    def write(self, rpc: str, collection: str, path: str, tick: int) -> None:
        """Bill one written document and note when it happened."""
        self._count("writes", rpc, collection, 1)
        with self._mutex:
            self._busyness[path].note(tick)

    def delete(self, rpc: str, collection: str) -> None:
        """Bill one deleted document."""
        self._count("deletes", rpc, collection, 1)

    def snapshot(self) -> dict[str, Any]:
        """Return the counts as JSON: `totals`, `by_rpc`, `by_collection`, and `hot_documents`, busiest first."""
        with self._mutex:
            return self._snapshot()

    def _snapshot(self) -> dict[str, Any]:
        totals = sum(self._by_rpc.values(), Counter[str]())
        hottest = sorted(self._busyness.items(), key=lambda item: (-item[1].busiest_second, -item[1].writes, item[0]))
        return {
            "totals": _row(totals),
            "by_rpc": {rpc: _row(counts) for rpc, counts in sorted(self._by_rpc.items())},
            "by_collection": {name: _row(counts) for name, counts in sorted(self._by_collection.items())},
            "hot_documents": [
                {"path": path, "writes": busy.writes, "max_writes_per_second": busy.busiest_second}
                for path, busy in hottest[:HOT_DOCUMENTS_SHOWN]
            ],
        }

    def _count(self, what: str, rpc: str, collection: str, count: int) -> None:
        with self._mutex:
            self._by_rpc[rpc][what] += count
            self._by_collection[collection][what] += count


def _row(counts: Counter[str]) -> dict[str, int]:
    return {"reads": counts["reads"], "writes": counts["writes"], "deletes": counts["deletes"]}
