"""What a query proves of the documents that it may return: rules judge a query by it, not by its results.

A query is taken apart into its alternatives, for which `or`, `in` and `array-contains-any` stand. Each has to be
allowed by itself. In each, a field that is compared by `==` has this value, a field that is compared otherwise is a
`Constraint`, and every other one is not there, as Google's emulator has it. A document that is asked for by name is the
stored one.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import product
from typing import NamedTuple

from localcloud.rules.errors import EvaluationError
from localcloud.rules.ruleset import Segment, Unknown
from localcloud.rules.values import Constraint, Value

from .paths import DOCUMENT_ID, document_path, parse_field_path, split_name
from .protos import FilterPb, Message, QueryPb, StructuredQuery
from .rule_values import field_value, path_of

_FACTS = {
    "LESS_THAN": "<",
    "LESS_THAN_OR_EQUAL": "<=",
    "GREATER_THAN": ">",
    "GREATER_THAN_OR_EQUAL": ">=",
    "NOT_EQUAL": "!=",
    "ARRAY_CONTAINS": "array-contains",
    "NOT_IN": "not-in",
}
_UNARY: dict[str, Value] = {
    "IS_NULL": None,
    "IS_NOT_NULL": Constraint((("!=", None),)),
    "IS_NAN": math.nan,
    "IS_NOT_NAN": Constraint((("!=", math.nan),)),
}
_EXPANDED = {"IN": "EQUAL", "ARRAY_CONTAINS_ANY": "ARRAY_CONTAINS"}
_ORDERS = {StructuredQuery.DESCENDING: "DESC"}


class _Fact(NamedTuple):
    field: tuple[str, ...]
    known: Value  # a value, or a Constraint
    name: str = ""  # the full name of the document, for `__name__ ==`


class Alternative(NamedTuple):
    """One alternative of a query.

    Attributes:
        segments: the path of the documents, as far as it is known.
        resource: what is known of them as `resource`.
        path: the document asked for by name, relative to the database; None where there is no such filter.
    """

    segments: tuple[Segment, ...]
    resource: dict[str, Value]
    path: str | None


def alternatives_of(parent: str, query: QueryPb) -> Iterator[Alternative]:
    """Yield the alternatives of a query below `parent`, which has been found valid."""
    database, ancestor = split_name(parent)
    selector = query.from_[0]
    segments: list[Segment] = ["databases", database.rpartition("/")[2], "documents"]
    segments += ancestor.split("/") if ancestor else []
    segments += [Unknown.ANY] if selector.all_descendants else []
    segments += [selector.collection_id or Unknown.ID, Unknown.ID]
    for facts in _alternatives(query.where) if query.HasField("where") else [()]:
        names = [fact.name for fact in facts if fact.field == (DOCUMENT_ID,)]
        path = document_path(names[0], database) if len(names) == 1 and names[0] else ""
        if path and _may_contain(ancestor, selector, path):
            yield Alternative(path_of(database, path).texts() or (), {}, path)
        else:
            yield Alternative(tuple(segments), _resource(facts), None)


def _may_contain(ancestor: str, selector: Message, path: str) -> bool:
    """Tell whether a query on a collection group looks where a document lies; of one collection nobody asks that."""
    within = f"{ancestor}/" if ancestor else ""
    collection = path.rsplit("/", 2)[-2]
    in_group = path.startswith(within) and selector.collection_id in {"", collection}
    return in_group or not selector.all_descendants


def query_value(query: QueryPb) -> dict[str, Value]:
    """Return `request.query`."""
    return {
        "limit": query.limit.value if query.HasField("limit") else None,
        "offset": query.offset,
        "orderBy": {
            ".".join(parse_field_path(order.field.field_path)): _ORDERS.get(order.direction, "ASC")
            for order in query.order_by
        },
    }


def collection_value(parent: str, query: QueryPb) -> Value:
    """Return `request.path` of a query; an error for one of a collection group, which has no path."""
    database, ancestor = split_name(parent)
    selector = query.from_[0]
    if selector.all_descendants:
        return EvaluationError("request.path has no value: the query reads a collection group")
    return path_of(database, f"{ancestor}/{selector.collection_id}" if ancestor else selector.collection_id)


def _alternatives(where: FilterPb) -> list[tuple[_Fact, ...]]:
    match where.WhichOneof("filter_type"):
        case "composite_filter":
            parts = [_alternatives(part) for part in where.composite_filter.filters]
            if where.composite_filter.op == StructuredQuery.CompositeFilter.OR:
                return [facts for part in parts for facts in part]
            return [tuple(fact for facts in chosen for fact in facts) for chosen in product(*parts)]
        case "unary_filter":
            op = StructuredQuery.UnaryFilter.Operator.Name(where.unary_filter.op)
            field = parse_field_path(where.unary_filter.field.field_path)
            return [(_Fact(field, _UNARY[op]),)]
    op = StructuredQuery.FieldFilter.Operator.Name(where.field_filter.op)
    field, value = parse_field_path(where.field_filter.field.field_path), where.field_filter.value
    if op in _EXPANDED:
        return [(_fact(field, _EXPANDED[op], item),) for item in value.array_value.values]
    return [(_fact(field, op, value),)]


def _fact(field: tuple[str, ...], op: str, value: Message) -> _Fact:
    known = field_value(value)
    if op != "EQUAL":
        return _Fact(field, Constraint(((_FACTS[op], known),)))
    if field == (DOCUMENT_ID,):
        return _Fact(field, known, value.reference_value)
    # SDKs ask for null by IS_NULL. Of `== null` Google's emulator concludes nothing but that the field is there.
    return _Fact(field, Constraint(()) if known is None else known)


def _resource(facts: Iterable[_Fact]) -> dict[str, Value]:
    resource: dict[str, Value] = {"data": {}}
    for fact in facts:
        if fact.field == (DOCUMENT_ID,):
            _learn(resource, fact.field, fact.known)
        else:
            _learn(resource["data"], fact.field, fact.known)
    return resource


def _learn(fields: dict[str, Value], field: tuple[str, ...], known: Value) -> None:
    """Add what is known of a field: a value stays what it is, constraints add up."""
    for name in field[:-1]:
        inner = fields.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        fields = inner
    before = fields.get(field[-1], Constraint(()))
    if isinstance(before, Constraint):
        merged = isinstance(known, Constraint)
        fields[field[-1]] = Constraint(before.facts + known.facts) if merged else known
