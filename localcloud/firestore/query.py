"""Queries, run: the slices of a plan are scanned and merged by order key.

So a query with a limit touches little more than what it returns. Order of steps: filter, order, cursors, offset, limit.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice

from .history import StoredDocument
from .ordered_index import OrderedIndex
from .plan import Plan, Scan
from .store import Database


@dataclass(slots=True)
class Results:
    """What a query found, and what finding it cost."""

    rows: list[tuple[str, StoredDocument]]
    skipped: int  # rows passed over by the offset
    entries: int  # index entries visited


def run_plan(database: Database, plan: Plan, at: int | None = None) -> Results:
    """Run a plan on the current state, or on that of the tick `at`."""
    visited = [0]
    paths = _paths(database, plan, at, visited)
    skipped = sum(1 for _ in islice(paths, plan.offset))
    chosen = list(paths if plan.limit is None else islice(paths, plan.limit))
    rows = []
    for path in chosen:
        stored = database.get(path, at)
        if stored is not None:
            rows.append((path, stored))
    return Results(rows, skipped, visited[0])


def count_plan(database: Database, plan: Plan, up_to: int | None = None, at: int | None = None) -> tuple[int, int]:
    """Return how many documents a plan finds (counting no further than `up_to`) and how many index entries it took."""
    bounds = [bound for bound in (plan.limit, up_to) if bound is not None]
    most = min(bounds) if bounds else None
    if len(plan.scans) == 1 and not plan.scans[0].rest and not plan.ancestor:
        scan = plan.scans[0]
        total = max(0, database.index(plan.scope, scan.shape, at).count(scan.prefix, scan.low, scan.high) - plan.offset)
        total = total if most is None else min(total, most)
        return total, total + plan.offset
    visited = [0]
    paths = islice(_paths(database, plan, at, visited), plan.offset, None)
    return sum(1 for _ in islice(paths, most)), visited[0]


def _paths(database: Database, plan: Plan, at: int | None, visited: list[int]) -> Iterator[str]:
    streams = [_scan_entries(database, plan, scan, at, visited) for scan in plan.scans]
    last = None
    for _, path in streams[0] if len(streams) == 1 else merge(*streams):
        if path != last:  # a document found by several branches has the same order key in each, so it comes up in a row
            yield path
        last = path


def _scan_entries(
    database: Database, plan: Plan, scan: Scan, at: int | None, visited: list[int]
) -> Iterator[tuple[bytes, str]]:
    index: OrderedIndex = database.index(plan.scope, scan.shape, at)
    below = f"{plan.ancestor}/"
    for key, path in index.scan(scan.prefix, scan.low, scan.high):
        visited[0] += 1
        if plan.ancestor and not path.startswith(below):
            continue
        if scan.rest:
            stored = database.get(path, at)
            if stored is None:
                continue
            document = stored.look()
            if not all(condition.matches(path, document) for condition in scan.rest):
                continue
        yield key, path
