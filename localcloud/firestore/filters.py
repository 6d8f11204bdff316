"""Filters: from the tree a client sends to a list of branches, each a conjunction that one index scan can serve.

The branches are the tree's disjunctive normal form, in which `in` and `array-contains-any` stand for an OR. Operators
compare within one type only; `!=` and `not-in` skip null and absent fields. Rules and limits:
https://firebase.google.com/docs/firestore/query-data/queries
"""

import operator
from collections.abc import Callable, Iterable
from enum import Enum
from itertools import product
from typing import NamedTuple

from .errors import invalid
from .ordered_index import NAME, FieldPath, lookup
from .paths import document_path, parse_field_path
from .protos import DocumentPb, FilterPb, StructuredQuery, ValuePb
from .values import BOOLEAN_TAGS, NAN, NULL, encode, encode_path

DISJUNCTIONS_MAX = 30
NOT_IN_MAX = 10
FILTER_DEPTH_MAX = 20


class Op(Enum):
    """How a condition compares a field."""

    EQUAL = "=="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    NOT_IN = "not-in"
    CONTAINS = "array-contains"


_COMPARISONS: dict[Op, Callable[[bytes, bytes], bool]] = {
    Op.LESS: operator.lt,
    Op.LESS_OR_EQUAL: operator.le,
    Op.GREATER: operator.gt,
    Op.GREATER_OR_EQUAL: operator.ge,
}
INEQUALITIES = {Op.NOT_EQUAL, Op.LESS, Op.LESS_OR_EQUAL, Op.GREATER, Op.GREATER_OR_EQUAL, Op.NOT_IN}


class Condition(NamedTuple):
    """A field compared with encoded values (any number for `not-in`, else one)."""

    field: FieldPath
    op: Op
    values: tuple[bytes, ...]

    @property
    def value(self) -> bytes:
        """The one value compared with."""
        return self.values[0]

    def matches(self, path: str, document: DocumentPb) -> bool:
        """Tell whether a document satisfies the condition."""
        if self.op is Op.CONTAINS:
            array = lookup(document, self.field)
            return array is not None and any(encode(item) == self.value for item in array.array_value.values)
        if self.field == NAME:
            return self._holds(encode_path(path))
        found = lookup(document, self.field)
        return found is not None and self._holds(encode(found))

    def _holds(self, found: bytes) -> bool:
        if self.op is Op.EQUAL:
            return found == self.value
        if self.op in {Op.NOT_EQUAL, Op.NOT_IN}:
            return found[0] != NULL and found not in self.values
        return same_type(found, self.value) and _COMPARISONS[self.op](found, self.value)


def same_type(one: bytes, other: bytes) -> bool:
    """Tell whether two encoded values are of types that `<` and `>` compare."""
    return type_tags(one) == type_tags(other)


def type_tags(encoded: bytes) -> tuple[int, int]:
    """Return the lowest and highest first byte of the values that `<` and `>` compare an encoded value with."""
    tag = encoded[0]
    return BOOLEAN_TAGS if tag in BOOLEAN_TAGS else (tag, tag)


Branch = tuple[Condition, ...]


def branches_of(where: FilterPb | None, database: str) -> list[Branch]:
    """Return the disjunctive normal form of a filter; no filter is one branch without conditions.

    Raises:
        FirestoreError: INVALID_ARGUMENT for a malformed filter, more than 30 branches, or operators that may not be
            combined.
    """
    if where is None:
        return [()]
    _check_combination(list(_operators(where, 1)))
    branches = [_deduplicated(branch) for branch in _normalize(where, database)]
    for branch in branches:
        if sum(condition.op is Op.CONTAINS for condition in branch) > 1:
            raise invalid("A maximum of 1 'ARRAY_CONTAINS' filter is allowed per disjunction.")
    return list(dict.fromkeys(branches))


def _normalize(where: FilterPb, database: str) -> list[Branch]:
    kind = where.WhichOneof("filter_type")
    if kind == "field_filter":
        return [(condition,) for condition in _field_conditions(where.field_filter, database)]
    if kind == "unary_filter":
        return [(_unary_condition(where.unary_filter),)]
    parts = [_normalize(part, database) for part in where.composite_filter.filters]
    if where.composite_filter.op == StructuredQuery.CompositeFilter.OR:
        branches = [branch for part in parts for branch in part]
    else:
        _check_count(_product_size(parts))
        branches = [tuple(condition for branch in choice for condition in branch) for choice in product(*parts)]
    _check_count(len(branches))
    return branches


def _product_size(parts: list[list[Branch]]) -> int:
    size = 1
    for part in parts:
        size *= len(part)
    return size


def _check_count(count: int) -> None:
    if count > DISJUNCTIONS_MAX:
        raise invalid(
            f"Too many disjunctions after normalization. Result had {count} disjunctions "
            f"which is more than the maximum of {DISJUNCTIONS_MAX}"
        )


def _deduplicated(branch: Branch) -> Branch:
    return tuple(dict.fromkeys(branch))


_BINARY = {
    StructuredQuery.FieldFilter.EQUAL: Op.EQUAL,
    StructuredQuery.FieldFilter.NOT_EQUAL: Op.NOT_EQUAL,
    StructuredQuery.FieldFilter.LESS_THAN: Op.LESS,
    StructuredQuery.FieldFilter.LESS_THAN_OR_EQUAL: Op.LESS_OR_EQUAL,
    StructuredQuery.FieldFilter.GREATER_THAN: Op.GREATER,
    StructuredQuery.FieldFilter.GREATER_THAN_OR_EQUAL: Op.GREATER_OR_EQUAL,
    StructuredQuery.FieldFilter.ARRAY_CONTAINS: Op.CONTAINS,
}
_LISTS = {
    StructuredQuery.FieldFilter.IN: Op.EQUAL,
    StructuredQuery.FieldFilter.ARRAY_CONTAINS_ANY: Op.CONTAINS,
    StructuredQuery.FieldFilter.NOT_IN: Op.NOT_IN,
}
_NEGATIONS = {"NOT_EQUAL", "NOT_IN", "IS_NOT_NAN", "IS_NOT_NULL"}
_DISJUNCTIVE = {"IN", "ARRAY_CONTAINS_ANY", "OR"}
_UNARY = {
    StructuredQuery.UnaryFilter.IS_NULL: (Op.EQUAL, NULL),
    StructuredQuery.UnaryFilter.IS_NAN: (Op.EQUAL, NAN),
    StructuredQuery.UnaryFilter.IS_NOT_NULL: (Op.NOT_EQUAL, NULL),
    StructuredQuery.UnaryFilter.IS_NOT_NAN: (Op.NOT_EQUAL, NAN),
}


def _field_conditions(where: FilterPb, database: str) -> Iterable[Condition]:
    field = parse_field_path(where.field.field_path)
    if where.op in _BINARY:
        return [Condition(field, _BINARY[where.op], (encode_operand(field, where.value, database),))]
    if where.op not in _LISTS:
        raise invalid("A field filter must have an operator.")
    return _list_conditions(field, where, database)


def _list_conditions(field: FieldPath, where: FilterPb, database: str) -> list[Condition]:
    """Return one condition per value of an `in` or `array-contains-any`, and a single one for a `not-in`.

    Null and NaN equal nothing here, as documented; a `not-in` with null matches nothing at all.
    """
    name = StructuredQuery.FieldFilter.Operator.Name(where.op)
    values = where.value.array_value.values
    if not where.value.HasField("array_value") or not values:
        raise invalid(f"'{name}' requires an non-empty ArrayValue.")
    op = _LISTS[where.op]
    limit = NOT_IN_MAX if op is Op.NOT_IN else DISJUNCTIONS_MAX
    if len(values) > limit:
        raise invalid(f"'{name}' supports up to {limit} comparison values.")
    encoded = list(dict.fromkeys(encode_operand(field, value, database) for value in values))
    comparable = [value for value in encoded if value[0] not in {NULL, NAN}]
    if op is Op.NOT_IN:
        return [Condition(field, op, tuple(comparable))] if bytes([NULL]) not in encoded else []
    return [Condition(field, op, (value,)) for value in comparable]


def _unary_condition(where: FilterPb) -> Condition:
    if where.op not in _UNARY:
        raise invalid("A unary filter must have an operator.")
    op, tag = _UNARY[where.op]
    return Condition(parse_field_path(where.field.field_path), op, (bytes([tag]),))


def encode_operand(field: FieldPath, value: ValuePb, database: str) -> bytes:
    """Return the bytes of a value to compare `field` with; a document's name is compared by its path."""
    if field != NAME:
        return encode(value)
    if not value.HasField("reference_value"):
        raise invalid("A filter or cursor on __name__ needs a document reference.")
    return encode_path(document_path(value.reference_value, database))


def _operators(where: FilterPb, depth: int) -> Iterable[str]:
    """Yield the names of all operators in a filter tree, checking its shape on the way."""
    if depth > FILTER_DEPTH_MAX:
        raise invalid(f"Filters may be nested at most {FILTER_DEPTH_MAX} levels deep.")
    kind = where.WhichOneof("filter_type")
    if kind == "field_filter":
        yield StructuredQuery.FieldFilter.Operator.Name(where.field_filter.op)
    elif kind == "unary_filter":
        yield StructuredQuery.UnaryFilter.Operator.Name(where.unary_filter.op)
    elif kind == "composite_filter" and where.composite_filter.filters and where.composite_filter.op:
        yield StructuredQuery.CompositeFilter.Operator.Name(where.composite_filter.op)
        for part in where.composite_filter.filters:
            yield from _operators(part, depth + 1)
    else:
        raise invalid("A filter is empty or lacks its operator.")


def _check_combination(operators: list[str]) -> None:
    if sum(operator in _NEGATIONS for operator in operators) > 1:
        raise invalid("Only a single 'NOT_EQUAL', 'NOT_IN', 'IS_NOT_NAN', or 'IS_NOT_NULL' filter allowed per query.")
    if "NOT_IN" in operators and _DISJUNCTIVE.intersection(operators):
        raise invalid("'NOT_IN' cannot be used in the same query with 'IN', 'ARRAY_CONTAINS_ANY' or 'OR'.")
