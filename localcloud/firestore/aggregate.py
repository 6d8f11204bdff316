"""Aggregations over a query's results: count, sum and average.

Integers are added exactly; a sum beyond 64 bits, or one with a double in it, is a double; values that are not numbers
are left out. One index serves all figures: a document must have all the fields aggregated, even to be counted, and the
query is ordered by them after its own orders (see `plan`), which decides what a limit leaves. Sources: the protocol's
own documentation of `StructuredAggregationQuery`, and what Google's emulator does.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from .errors import invalid
from .ordered_index import NAME, FieldPath, lookup
from .paths import DOCUMENT_ID, parse_field_path
from .plan import Plan
from .protos import DocumentPb, QueryPb, Value, ValuePb
from .query import count_plan, run_plan
from .store import Database
from .values import INT_MAX, INT_MIN, is_number, number_of

AGGREGATIONS_MAX = 5


@dataclass(frozen=True, slots=True)
class Aggregation:
    """One asked-for figure: `count`, `sum` or `avg`, under an alias."""

    alias: str
    kind: str
    field: FieldPath | None = None
    up_to: int | None = None


def read_aggregations(query: QueryPb) -> list[Aggregation]:
    """Read the aggregations of a `StructuredAggregationQuery`; those without an alias are called field_1, field_2, ...

    Raises:
        FirestoreError: INVALID_ARGUMENT for none, more than five, or ones without a kind, a proper field or a limit
            above zero.
    """
    if not query.aggregations:
        raise invalid("Aggregations can not be empty.")
    if len(query.aggregations) > AGGREGATIONS_MAX:
        raise invalid(f"An aggregation query has at most {AGGREGATIONS_MAX} aggregations.")
    found = []
    unnamed = 0
    for asked in query.aggregations:
        alias = asked.alias
        if not alias:
            unnamed += 1
            alias = f"field_{unnamed}"
        found.append(_read(asked, alias))
    for alias, times in Counter(each.alias for each in found).items():
        if times > 1:
            raise invalid(f"Aggregation aliases contain duplicate alias: {alias}.")
    return found


def aggregate(
    database: Database, plan: Plan, wanted: list[Aggregation], at: int | None
) -> tuple[dict[str, ValuePb], int]:
    """Return the figures by alias, and how many index entries were read for them.

    `plan` was made for the aggregated fields: all of its results have them.
    """
    fields = {each.field for each in wanted if each.field is not None}
    if not fields:
        up_to = None if any(each.up_to is None for each in wanted) else max(each.up_to or 0 for each in wanted)
        total, entries = count_plan(database, plan, up_to, at)
        return {each.alias: _count(total, each) for each in wanted}, entries
    results = run_plan(database, plan, at)
    rows = [_values(stored.look(), fields) for _, stored in results.rows]
    figures = {}
    for each in wanted:
        if each.field is None:
            figures[each.alias] = _count(len(rows), each)
            continue
        numbers = [number_of(row[each.field]) for row in rows if is_number(row[each.field])]
        figures[each.alias] = _sum(numbers) if each.kind == "sum" else _average(numbers)
    return figures, results.entries


def _values(document: DocumentPb, fields: Iterable[FieldPath]) -> dict[FieldPath, ValuePb]:
    """Return a document's values at the fields it has."""
    found = ((field, lookup(document, field)) for field in fields)
    return {field: value for field, value in found if value is not None}


def _read(asked: QueryPb, alias: str) -> Aggregation:
    kind = asked.WhichOneof("operator")
    match kind:
        case "count":
            if not asked.count.HasField("up_to"):
                return Aggregation(alias, kind)
            if asked.count.up_to.value <= 0:
                raise invalid("The up_to of a count must be greater than zero.")
            return Aggregation(alias, kind, up_to=asked.count.up_to.value)
        case "sum" | "avg":
            field = parse_field_path(getattr(asked, kind).field.field_path)
            if field == NAME:
                raise invalid(f"Aggregations are not supported for the property: {DOCUMENT_ID}")
            return Aggregation(alias, kind, field)
        case _:
            raise invalid("An aggregation must be a count, a sum or an average.")


def _count(total: int, each: Aggregation) -> ValuePb:
    return Value(integer_value=total if each.up_to is None else min(total, each.up_to))


def _sum(numbers: list[int | float]) -> ValuePb:
    if all(isinstance(number, int) for number in numbers):
        total = sum(numbers)
        if INT_MIN <= total <= INT_MAX:
            return Value(integer_value=int(total))
    return Value(double_value=_float_sum(numbers))


def _average(numbers: list[int | float]) -> ValuePb:
    if not numbers:
        return Value(null_value=0)
    if all(isinstance(number, int) for number in numbers):
        return Value(double_value=float(Fraction(sum(int(number) for number in numbers), len(numbers))))
    return Value(double_value=_float_sum(numbers) / len(numbers))


def _float_sum(numbers: list[int | float]) -> float:
    if all(math.isfinite(number) for number in numbers):
        return math.fsum(numbers)
    return sum(float(number) for number in numbers)  # fsum refuses infinities of both signs, whose sum is NaN
