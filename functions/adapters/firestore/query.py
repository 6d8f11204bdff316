"""Queries: built step by step, each step a query of its own; run, or added up."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from google.cloud.firestore_v1.types import StructuredQuery

from functions.adapters.firestore.transactions import Transaction
from functions.adapters.firestore.values import Message, Snapshot, decoded, encode, snapshot
from functions.adapters.firestore.wire import Wire

DESCENDING = StructuredQuery.Direction.DESCENDING

_OPERATORS = {
    name: getattr(StructuredQuery.FieldFilter.Operator, long_name)
    for name, long_name in {
        "<": "LESS_THAN",
        "<=": "LESS_THAN_OR_EQUAL",
        ">": "GREATER_THAN",
        ">=": "GREATER_THAN_OR_EQUAL",
        "==": "EQUAL",
        "in": "IN",
        "not-in": "NOT_IN",
        "array_contains": "ARRAY_CONTAINS",
    }.items()
}


@dataclass(frozen=True)
class Query:
    """A query for documents of a collection, or of all collections of a name. `__name__` is compared with paths."""

    wire: Wire
    parent: str
    collection: str
    everywhere: bool = False
    filters: tuple[tuple[str, str, Any], ...] = ()
    orders: tuple[tuple[str, int], ...] = ()
    after: Mapping[str, Any] | None = None
    most: int | None = None
    fields: tuple[str, ...] = ()

    def where(self, field: str, operator: str, value: Any) -> "Query":
        """Return it for those documents alone in which the field, as `hold.day`, compares so."""
        return replace(self, filters=(*self.filters, (field, operator, value)))

    def order_by(self, field: str, direction: int = StructuredQuery.Direction.ASCENDING) -> "Query":
        """Return it in this order, after the orders that it has."""
        return replace(self, orders=(*self.orders, (field, direction)))

    def start_after(self, values: Mapping[str, Any]) -> "Query":
        """Return it for what comes after these values of the fields that it is ordered by."""
        return replace(self, after=values)

    def limit(self, most: int) -> "Query":
        """Return it for so many documents at the most."""
        return replace(self, most=most)

    def select(self, fields: list[str]) -> "Query":
        """Return it for these fields alone."""
        return replace(self, fields=tuple(fields))

    def stream(self, transaction: Transaction | None = None, *, once: bool = False) -> list[Snapshot]:
        """Return what it finds. A read each, one if there is nothing."""
        request = self._request("RunQuery")
        self._put(request.structured_query)
        responses = self._read(transaction)("RunQuery", request, once=once)
        return [snapshot(each.document) for each in responses if each.HasField("document")]

    def count(self) -> int:
        """Count what it finds. One read for every thousand, at least one."""
        return self.sums(found=None)["found"]

    def sums(
        self, transaction: Transaction | None = None, *, seconds: float | None = None, **wanted: str | None
    ) -> dict[str, int]:
        """Add up whole numbers: by name, of the field that is `wanted`, or the documents for None. Reads as `count`."""
        request = self._request("RunAggregationQuery")
        summing = request.structured_aggregation_query
        self._put(summing.structured_query)
        for name, field in wanted.items():
            figure = summing.aggregations.add(alias=name)
            if field is None:
                figure.count.SetInParent()
            else:
                figure.sum.field.field_path = field
        responses = self._read(transaction)("RunAggregationQuery", request, seconds=seconds)
        (figures,) = [each.result.aggregate_fields for each in responses if each.HasField("result")]
        return {name: int(decoded(figures[name])) for name in wanted}

    def _read(self, transaction: Transaction | None) -> Any:
        return transaction.read if transaction else self.wire.call

    def _request(self, rpc: str) -> Message:
        request = self.wire.request(rpc)
        request.parent = f"{self.wire.root}/{self.parent}".rstrip("/")
        return request

    def _put(self, query: Message) -> None:
        """Put it into a message."""
        query.from_.add(collection_id=self.collection, all_descendants=self.everywhere)
        for field in self.fields:
            query.select.fields.add(field_path=field)
        if len(self.filters) > 1:
            query.where.composite_filter.op = StructuredQuery.CompositeFilter.Operator.AND
        for field, operator, value in self.filters:
            where = query.where.composite_filter.filters.add() if len(self.filters) > 1 else query.where
            where.field_filter.field.field_path = field
            where.field_filter.op = _OPERATORS[operator]
            self._encode(field, value, where.field_filter.value)
        for field, direction in self.orders:
            query.order_by.add(direction=direction).field.field_path = field
        if self.after is not None:
            for field, _ in self.orders:
                self._encode(field, self.after[field], query.start_at.values.add())
        if self.most is not None:
            query.limit.value = self.most

    def _encode(self, field: str, value: Any, into: Message) -> None:
        if field != "__name__":
            encode(value, into)
        elif isinstance(value, str):
            into.reference_value = f"{self.wire.root}/{value}"
        else:
            for each in value:
                into.array_value.values.add(reference_value=f"{self.wire.root}/{each}")


class Collection(Query):
    """A collection."""

    def document(self, name: str) -> str:
        """Return the path of a document in it."""
        return f"{self.parent}/{self.collection}/{name}".lstrip("/")
