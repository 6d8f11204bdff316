"""Nearest-neighbour search over the documents that a query leaves, exact as with a flat index.

Source: https://firebase.google.com/docs/firestore/vector-search and the protocol's own documentation of `FindNearest`.
"""

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import mul

from .errors import invalid
from .history import StoredDocument
from .ordered_index import FieldPath, lookup
from .paths import parse_field_path
from .plan import Plan
from .protos import QueryPb, StructuredQuery, Value
from .query import run_plan
from .store import Database
from .values import VECTOR_DIMENSIONS_MAX, vector_of
from .writes import set_field

RESULTS_MAX = 1000

_Measure = StructuredQuery.FindNearest


@dataclass(frozen=True, slots=True)
class Nearest:
    """What a search asks for. A threshold is the largest distance let through, for dot products the smallest."""

    field: FieldPath
    vector: tuple[float, ...]
    measure: int
    limit: int
    threshold: float | None
    distance_field: FieldPath | None


def read_nearest(query: QueryPb) -> Nearest:
    """Read a query's `find_nearest` clause.

    Raises:
        FirestoreError: INVALID_ARGUMENT for a missing or overlong vector, an unknown measure or a limit outside 1 to
            1,000.
    """
    if query.HasField("limit"):
        raise invalid("A query limit cannot be used with FindNearest")
    asked = query.find_nearest
    vector = vector_of(asked.query_vector)
    if not vector:
        raise invalid("find_nearest needs a query vector.")
    if len(vector) > VECTOR_DIMENSIONS_MAX:
        raise invalid(f"A query vector has at most {VECTOR_DIMENSIONS_MAX} dimensions, this one has {len(vector)}.")
    if asked.distance_measure not in _DISTANCES:
        raise invalid("find_nearest needs a distance measure: EUCLIDEAN, COSINE or DOT_PRODUCT.")
    if not 1 <= asked.limit.value <= RESULTS_MAX:
        raise invalid(f"The limit of find_nearest must be between 1 and {RESULTS_MAX}.")
    return Nearest(
        field=parse_field_path(asked.vector_field.field_path),
        vector=tuple(vector),
        measure=asked.distance_measure,
        limit=asked.limit.value,
        threshold=asked.distance_threshold.value if asked.HasField("distance_threshold") else None,
        distance_field=parse_field_path(asked.distance_result_field) if asked.distance_result_field else None,
    )


def find_nearest(
    database: Database, plan: Plan, wanted: Nearest, at: int | None
) -> tuple[list[tuple[str, StoredDocument]], int]:
    """Return the nearest documents, nearest first, and how many vectors were looked at.

    Documents without a vector of the query's dimension are passed over. A zero vector has no angle: it comes last.
    """
    measured = []
    looked_at = 0
    for path, stored in run_plan(database, plan, at).rows:
        value = lookup(stored.parse(), wanted.field)
        vector = vector_of(value) if value is not None else None
        if vector is None or len(vector) != len(wanted.vector):
            continue
        looked_at += 1
        distance = _DISTANCES[wanted.measure](wanted.vector, vector)
        if _within(distance, wanted):
            measured.append((distance, path, stored))
    sign = -1 if wanted.measure == _Measure.DOT_PRODUCT else 1  # the largest product is the nearest
    nearest = heapq.nsmallest(wanted.limit, measured, key=lambda row: (math.isnan(row[0]), sign * row[0], row[1]))
    return [(path, _with_distance(stored, wanted, distance)) for distance, path, stored in nearest], looked_at


def _within(distance: float, wanted: Nearest) -> bool:
    if wanted.threshold is None:
        return True
    return distance >= wanted.threshold if wanted.measure == _Measure.DOT_PRODUCT else distance <= wanted.threshold


def _with_distance(stored: StoredDocument, wanted: Nearest, distance: float) -> StoredDocument:
    if wanted.distance_field is None:
        return stored
    document = stored.parse()
    set_field(document.fields, wanted.distance_field, Value(double_value=distance))
    return stored._replace(data=document.SerializeToString())


def _cosine_distance(one: Sequence[float], other: Sequence[float]) -> float:
    lengths = math.hypot(*one) * math.hypot(*other)
    return 1 - _dot_product(one, other) / lengths if lengths else math.nan


def _dot_product(one: Sequence[float], other: Sequence[float]) -> float:
    return math.fsum(map(mul, one, other))


_DISTANCES: dict[int, Callable[[Sequence[float], Sequence[float]], float]] = {
    _Measure.EUCLIDEAN: math.dist,
    _Measure.COSINE: _cosine_distance,
    _Measure.DOT_PRODUCT: _dot_product,
}
