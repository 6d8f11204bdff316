"""Structured queries, read into plans: each branch of a query becomes slices of one ordered index.

Source: the protocol's own documentation of `StructuredQuery`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from .errors import failed_precondition, invalid
from .filters import INEQUALITIES, Branch, Condition, Op, branches_of, encode_operand, type_tags
from .ordered_index import NAME, FieldPath, Order, Shape, index_keys
from .paths import DOCUMENT_ID, check_id, check_segments, format_field_path, parse_field_path, split_name
from .protos import DocumentPb, QueryPb, StructuredQuery
from .store import Scope
from .values import NULL, complement, successor

PLANS_MAX = 1_024
"""Plans that are kept: the same query comes again and again."""


class Boundary(NamedTuple):
    """A place between ascending encoded values: right before, or right after, all that start with `prefix`."""

    prefix: bytes
    after: bool


@dataclass(frozen=True, slots=True)
class Scan:
    """One slice of an index, what branch of a plan it is for, and the conditions that it does not settle."""

    branch: Branch
    shape: Shape
    prefix: bytes
    low: bytes
    high: bytes | None
    rest: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A query, checked and normalized."""

    scope: Scope
    ancestor: str  # results lie below this document path; empty: anywhere in the scope
    orders: tuple[Order, ...]  # the last one is by name
    scans: tuple[Scan, ...]
    offset: int = 0
    limit: int | None = None
    select: tuple[FieldPath, ...] | None = None
    inequality_fields: frozenset[FieldPath] = field(default_factory=frozenset)

    @property
    def collection_id(self) -> str:
        """The id of the collections that the query reads; empty if it reads all."""
        return self.scope.group or (self.scope.collection or "").rpartition("/")[2]


def make_plan(parent: str, query: QueryPb, aggregated: Iterable[FieldPath] = ()) -> tuple[str, Plan]:
    """Read a query below `parent` (a document's full name or the root). Return the database's name and the plan.

    `aggregated` are the fields that are summed or averaged: results have all of them and are ordered by them, too.

    Raises:
        FirestoreError: INVALID_ARGUMENT, for anything malformed or beyond a documented limit; FAILED_PRECONDITION for
            the one order that no index can serve: by name alone, descending.
    """
    return _made(parent, query.SerializeToString(deterministic=True), frozenset(aggregated))


@lru_cache(maxsize=PLANS_MAX)
def _made(parent: str, raw: bytes, aggregated: frozenset[FieldPath]) -> tuple[str, Plan]:
    query = StructuredQuery.FromString(raw)
    database, ancestor = split_name(parent)
    if ancestor:
        check_segments(ancestor.split("/"), parent)
    scope, below = _scope(query, ancestor)
    branches = branches_of(query.where if query.HasField("where") else None, database)
    inequalities = _inequality_fields(branches)
    orders = _orders(query, inequalities)
    if query.offset < 0:
        raise invalid("offset is negative")
    if query.HasField("limit") and query.limit.value < 0:
        raise invalid("limit is negative")
    if orders[0] == Order(NAME, descending=True) and not all(map(_has_equality, branches)):
        raise failed_precondition("Firestore does not support descending key scans")
    index_orders = _with_aggregated(query, aggregated, orders, named=NAME in inequalities)
    low, high = _cursor_range(query, orders, database)
    scans = tuple(scan for branch in branches for scan in _scans(branch, index_orders, low, high))
    select = (
        tuple(parse_field_path(chosen.field_path) for chosen in query.select.fields)
        if query.HasField("select")
        else None
    )
    return database, Plan(
        scope=scope,
        ancestor=below,
        orders=index_orders,
        scans=scans,
        offset=query.offset,
        limit=query.limit.value if query.HasField("limit") else None,
        select=select,
        inequality_fields=frozenset(inequalities),
    )


def plan_matches(plan: Plan, path: str, document: DocumentPb) -> bool:
    """Tell whether a document of the plan's scope satisfies its filters and cursors, whatever its offset and limit."""
    return path.startswith(f"{plan.ancestor}/" if plan.ancestor else "") and any(
        key.startswith(scan.prefix)
        and scan.low <= key[len(scan.prefix) :]
        and (scan.high is None or key[len(scan.prefix) :] < scan.high)
        and all(condition.matches(path, document) for condition in scan.rest)
        for scan in plan.scans
        for key in index_keys(scan.shape, path, document)
    )


def _scope(query: QueryPb, ancestor: str) -> tuple[Scope, str]:
    selectors = query.from_
    if len(selectors) != 1:
        raise invalid("A query reads from exactly one collection selector.")
    chosen = selectors[0]
    if chosen.collection_id:
        check_id(chosen.collection_id, chosen.collection_id)
    if chosen.all_descendants:
        return Scope(group=chosen.collection_id or None), ancestor
    if not chosen.collection_id:
        raise invalid("A collection selector needs a collection id unless it selects all descendants.")
    return Scope(collection=f"{ancestor}/{chosen.collection_id}" if ancestor else chosen.collection_id), ""


def _has_equality(branch: Branch) -> bool:
    return any(condition.op in {Op.EQUAL, Op.CONTAINS} and condition.field != NAME for condition in branch)


def _inequality_fields(branches: Iterable[Branch]) -> list[FieldPath]:
    """Return the fields compared by inequality, in the order the query is sorted by them when it names none."""
    found = {condition.field for branch in branches for condition in branch if condition.op in INEQUALITIES}
    return sorted(found, key=lambda names: (names == NAME, names))


def _orders(query: QueryPb, inequalities: list[FieldPath]) -> tuple[Order, ...]:
    """Complete the orders with the fields compared by inequality and the name, in the last direction given."""
    orders: list[Order] = []
    for order in query.order_by:
        path = parse_field_path(order.field.field_path)
        if any(path == earlier.field for earlier in orders):
            raise invalid(f"order by clause cannot contain duplicate fields {order.field.field_path}")
        orders.append(Order(path, order.direction == StructuredQuery.DESCENDING))
    last = orders[-1].descending if orders else False
    for path in [*inequalities, NAME]:
        if all(path != earlier.field for earlier in orders):
            orders.append(Order(path, last))
    if orders[-1].field != NAME:
        raise invalid("order by clause cannot contain more fields after the key")
    return tuple(orders)


def _with_aggregated(
    query: QueryPb, aggregated: Iterable[FieldPath], orders: tuple[Order, ...], *, named: bool
) -> tuple[Order, ...]:
    """Put the aggregated fields in front of the name, in alphabetical order; `named`: a filter needs the name first."""
    missing = sorted({*aggregated} - {order.field for order in orders})
    if missing and (named or any(order.field.field_path == DOCUMENT_ID for order in query.order_by)):
        after = ", ".join(map(format_field_path, missing))
        raise invalid(
            f"This query requires an index that has fields [{after}] after __name__: order by them before it."
        )
    if missing and max(len(query.start_at.values), len(query.end_at.values)) >= len(orders):
        raise invalid("Cursor has too many values.")
    return (*orders[:-1], *(Order(path, orders[-1].descending) for path in missing), orders[-1])


def _cursor_range(query: QueryPb, orders: tuple[Order, ...], database: str) -> tuple[bytes, bytes | None]:
    """Return the order keys [low, high) that the cursors leave; None is no upper bound."""
    low, high = b"", None
    if query.HasField("start_at"):
        prefix = _cursor_key(query.start_at.values, orders, database)
        low = prefix if query.start_at.before else successor(prefix) or b"\xff"
    if query.HasField("end_at"):
        prefix = _cursor_key(query.end_at.values, orders, database)
        high = prefix if query.end_at.before else successor(prefix)
    return low, high


def _cursor_key(values: Iterable[object], orders: tuple[Order, ...], database: str) -> bytes:
    given = list(values)
    if len(given) > len(orders):
        raise invalid("Cursor has too many values.")
    parts = []
    for value, (path, descending) in zip(given, orders, strict=False):
        encoded = encode_operand(path, value, database)
        parts.append(complement(encoded) if descending else encoded)
    return b"".join(parts)


def _scans(branch: Branch, orders: tuple[Order, ...], low: bytes, high: bytes | None) -> Iterator[Scan]:
    """Lay a branch onto an index: equalities make the prefix, conditions on the first order the range; what it excludes
    parts the range into several, so that however many documents have such a value, none of them is looked at."""
    equal: dict[FieldPath, bytes] = {}
    contains: Condition | None = None
    lower, upper = Boundary(b"", after=False), Boundary(b"", after=True)
    excluded: set[bytes] = set()
    rest: list[Condition] = []
    for condition in branch:
        if condition.op is Op.EQUAL and condition.field not in equal:
            equal[condition.field] = condition.value
        elif condition.op is Op.CONTAINS and contains is None:
            contains = condition
        elif condition.field == orders[0].field and condition.op in INEQUALITIES:
            first, last = _boundaries(condition)
            lower, upper = max(lower, first, key=_position), min(upper, last, key=_position)
            if condition.op in {Op.NOT_EQUAL, Op.NOT_IN}:
                excluded.update(condition.values)
        else:
            rest.append(condition)
    fields = sorted(equal)
    for first, last in _parted(lower, upper, excluded):
        range_low, range_high = _key_range(first, last, descending=orders[0].descending)
        yield Scan(
            branch=branch,
            shape=Shape(tuple(fields), contains.field if contains else None, orders),
            prefix=b"".join(equal[name] for name in fields) + (contains.value if contains else b""),
            low=max(low, range_low),
            high=range_high if high is None else high if range_high is None else min(high, range_high),
            rest=tuple(rest),
        )


def _parted(lower: Boundary, upper: Boundary, excluded: Iterable[bytes]) -> Iterator[tuple[Boundary, Boundary]]:
    """Yield the ranges that are left between two boundaries without the excluded values. Some may be empty."""
    for value in sorted(excluded):
        yield lower, min(upper, Boundary(value, after=False), key=_position)
        lower = max(lower, Boundary(value, after=True), key=_position)
    yield lower, upper


def _boundaries(condition: Condition) -> tuple[Boundary, Boundary]:
    """Return where the values that may satisfy an inequality begin and end."""
    if condition.op in {Op.NOT_EQUAL, Op.NOT_IN}:
        lowest_but_null = Boundary(b"", after=False) if condition.field == NAME else Boundary(bytes([NULL]), after=True)
        return lowest_but_null, Boundary(b"", after=True)
    value = condition.value
    lowest, highest = type_tags(value)
    match condition.op:
        case Op.GREATER | Op.GREATER_OR_EQUAL:
            return Boundary(value, after=condition.op is Op.GREATER), Boundary(bytes([highest]), after=True)
        case _:
            return Boundary(bytes([lowest]), after=False), Boundary(value, after=condition.op is Op.LESS_OR_EQUAL)


def _position(boundary: Boundary) -> bytes:
    """Return the byte string at a boundary, for comparing two of them."""
    return (successor(boundary.prefix) or b"\xff") if boundary.after else boundary.prefix


def _key_range(lower: Boundary, upper: Boundary, *, descending: bool) -> tuple[bytes, bytes | None]:
    """Turn boundaries between ascending values into a range of order keys, which mirrors for a descending field."""
    if descending:
        lower, upper = (
            Boundary(complement(upper.prefix), not upper.after),
            Boundary(complement(lower.prefix), not lower.after),
        )
    high = successor(upper.prefix) if upper.after else upper.prefix
    return _position(lower), high
