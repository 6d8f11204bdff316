"""Contract: queries, aggregations and vector searches find the same on the embedded and the official server."""

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from google.api_core.exceptions import FailedPrecondition, InvalidArgument
from google.cloud import firestore
from google.cloud.firestore import Client
from google.cloud.firestore_v1.base_query import And, Or
from google.cloud.firestore_v1.base_vector_query import DistanceMeasure
from google.cloud.firestore_v1.vector import Vector

from localcloud.tests.firestore.support import call, close, connect, documents_root, filtered, ids, where

# Values of every type in Firestore's order; those in one group are equal to each other, so their ids decide.
IN_ORDER: list[list[tuple[str, Any]]] = [
    [("null", None)],
    [("false", False)],
    [("true", True)],
    [("nan", math.nan)],
    [("minus_infinity", -math.inf)],
    [("minus_five", -5)],
    [("zero", 0), ("zero_double", -0.0)],
    [("one", 1)],
    [("one_and_a_half", 1.5)],
    [("two_to_53", float(2**53))],
    [("one_more", 2**53 + 1)],
    [("infinity", math.inf)],
    [("year_2020", datetime(2020, 1, 1, tzinfo=UTC))],
    [("year_2021", datetime(2021, 1, 1, tzinfo=UTC))],
    [("text_empty", "")],
    [("text_a", "a")],
    [("text_ab", "ab")],
    [("text_b", "b")],
    [("text_e_acute", "é")],
    [("text_last_of_two_bytes", "\uffee")],
    [("text_tree", "\U0001f333")],
    [("bytes_empty", b"")],
    [("bytes_a", b"a")],
    [("point_south", firestore.GeoPoint(1, 1))],
    [("point_north", firestore.GeoPoint(1, 2))],
    [("array_empty", [])],
    [("array_null", [None])],
    [("array_1", [1])],
    [("array_1_2", [1, 2])],
    [("array_text", ["a"])],
    [("vector_2", Vector([1.0, 2.0]))],
    [("vector_3", Vector([0.0, 0.0, 0.0]))],
    [("map_empty", {})],
    [("map_a1", {"a": 1})],
    [("map_a1_b0", {"a": 1, "b": 0})],
    [("map_a2", {"a": 2})],
    [("map_b1", {"b": 1})],
]
SORTED_IDS = [name for group in IN_ORDER for name, _ in group]
VALUES = dict(item for group in IN_ORDER for item in group)


@pytest.fixture(scope="module")
def connections() -> Iterator[dict[str, Client]]:
    """The clients of each server whose database holds the documents of this module; filled on first use."""
    opened: dict[str, Client] = {}
    yield opened
    for client in opened.values():
        close(client)


@pytest.fixture
def data(host: str, connections: dict[str, Client]) -> Client:
    """A client of a database with one document per value, and twelve plain ones."""
    if host not in connections:
        connections[host] = connect(host)
        _fill(connections[host])
    return connections[host]


def _fill(client: Client) -> None:
    batch = client.batch()
    for name, value in VALUES.items():
        batch.set(client.document(f"values/{name}"), {"x": value})
    batch.set(client.document("values/without"), {"y": 1})
    for number in range(12):
        content = {
            "a": number % 3,
            "b": number,
            "tags": [f"t{number % 4}", "all"],
            "half": None if number == 3 else number / 2,
        }
        batch.set(client.document(f"plain/d{number:02d}"), content | ({"odd": number} if number % 2 else {}))
    batch.set(client.document("plain/d01/parts/x"), {"q": 1})
    batch.set(client.document("plain/d02/parts/y"), {"q": 2})
    batch.set(client.document("top/t/middle/m/parts/z"), {"q": 3})
    for name, vector in {"east": [1, 0], "north": [0, 1], "far": [3, 4], "west": [-1, 0], "zero": [0, 0]}.items():
        batch.set(
            client.document(f"places/{name}"),
            {"at": Vector([float(part) for part in vector]), "green": name in {"east", "far"}},
        )
    batch.set(client.document("places/solid"), {"at": Vector([1.0, 2.0, 3.0]), "green": True})
    batch.set(client.document("places/nowhere"), {"green": True})
    batch.commit()


def plain(client: Client, *conditions: tuple[str, str, Any]) -> Any:
    """Return a query over the twelve plain documents."""
    return filtered(client.collection("plain"), *conditions)


def numbers(query: Any) -> list[int]:
    """Return the numbers in the ids of the plain documents found."""
    return [int(found.removeprefix("d")) for found in ids(query)]


def test_values_of_all_types_are_in_firestores_order(data: Client) -> None:
    """Ordering by a field sorts across types and leaves out documents without it; descending is the exact reverse."""
    ordered = data.collection("values").order_by("x")
    assert ids(ordered) == SORTED_IDS
    assert ids(data.collection("values").order_by("x", direction="DESCENDING")) == SORTED_IDS[::-1]


@pytest.mark.parametrize("name", SORTED_IDS)
def test_every_operator_against_every_value(data: Client, name: str) -> None:
    """Comparisons stay within a type, equality is exact across integers and doubles, != skips null and absent."""
    values, value = data.collection("values"), VALUES[name]
    position = next(index for index, group in enumerate(IN_ORDER) if name in dict(group))
    equal = [other for other, _ in IN_ORDER[position]]
    peers = [index for index, group in enumerate(IN_ORDER) if _kind(group[0][1]) == _kind(value)]

    def found(op: str) -> list[str]:
        return ids(filtered(values, ("x", op, value)))

    def peers_where(keep: Callable[[int], bool]) -> list[str]:
        return [other for index in peers if keep(index) for other, _ in IN_ORDER[index]]

    assert found("==") == equal
    assert found("!=") == [other for other in SORTED_IDS if other not in {*equal, "null"}]
    if value is not None and not _is_nan(value):
        assert found("<") == peers_where(lambda index: index < position)
        assert found("<=") == peers_where(lambda index: index <= position)
        assert found(">") == peers_where(lambda index: index > position)
        assert found(">=") == peers_where(lambda index: index >= position)


def _kind(value: Any) -> str:
    """Return which values a value is compared with."""
    if _is_nan(value):
        return "nan"
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


@pytest.mark.parametrize("name", SORTED_IDS)
def test_cursors_at_every_value(data: Client, name: str) -> None:
    """A cursor splits the order right before or right after all documents with its value."""
    ascending = data.collection("values").order_by("x")
    descending = data.collection("values").order_by("x", direction="DESCENDING")
    group = next(group for group in IN_ORDER if name in dict(group))
    first, last = SORTED_IDS.index(group[0][0]), SORTED_IDS.index(group[-1][0])
    at = {"x": VALUES[name]}
    assert ids(ascending.start_at(at)) == SORTED_IDS[first:]
    assert ids(ascending.start_after(at)) == SORTED_IDS[last + 1 :]
    assert ids(ascending.end_at(at)) == SORTED_IDS[: last + 1]
    assert ids(ascending.end_before(at)) == SORTED_IDS[:first]
    assert ids(descending.start_at(at)) == SORTED_IDS[last::-1]
    assert ids(descending.end_before(at)) == SORTED_IDS[:last:-1]


def reference(client: Client, number: int) -> Any:
    """Return the reference of a plain document."""
    return client.document(f"plain/d{number:02d}")


Find = Callable[[Client], Any]
FOUND: dict[str, tuple[Find, list[int]]] = {
    "equality": (lambda c: plain(c, ("a", "==", 1)), [1, 4, 7, 10]),
    "two equalities": (lambda c: plain(c, ("a", "==", 1), ("tags", "array_contains", "t0")), [4]),
    "equality and range": (
        lambda c: plain(c, ("a", "==", 1), ("b", ">", 3)).order_by("b", direction="DESCENDING"),
        [10, 7, 4],
    ),
    "range": (lambda c: plain(c, ("b", ">", 3), ("b", "<=", 6)), [4, 5, 6]),
    "empty range": (lambda c: plain(c, ("b", ">", 6), ("b", "<", 3)), []),
    "ranges on two fields": (lambda c: plain(c, ("a", ">", 0), ("b", "<", 6)), [1, 4, 2, 5]),
    "ranges with an order": (
        lambda c: plain(c, ("a", ">", 0), ("b", "<", 6)).order_by("b", direction="DESCENDING"),
        [5, 4, 2, 1],
    ),
    "range and another order": (lambda c: plain(c, ("a", ">", 1)).order_by("b"), [2, 5, 8, 11]),
    "two directions": (
        lambda c: plain(c, ("b", "<", 5)).order_by("a", direction="DESCENDING").order_by("b"),
        [2, 1, 4, 0, 3],
    ),
    "order skips absent": (lambda c: plain(c).order_by("odd"), [1, 3, 5, 7, 9, 11]),
    "in": (lambda c: plain(c, ("a", "in", [1, 2, 9])), [1, 2, 4, 5, 7, 8, 10, 11]),
    "in with an order": (
        lambda c: plain(c, ("a", "in", [1, 2])).order_by("b", direction="DESCENDING").limit(3),
        [11, 10, 8],
    ),
    "in and in": (lambda c: plain(c, ("a", "in", [0, 1]), ("b", "in", [0, 1, 2, 3])), [0, 1, 3]),
    "in never finds null": (lambda c: plain(c, ("half", "in", [None, 0.5])), [1]),
    "in with null alone": (lambda c: plain(c, ("half", "in", [None])), []),
    "not-in": (lambda c: plain(c, ("b", "not-in", [*range(9)])), [9, 10, 11]),
    "not-in skips null and absent": (lambda c: plain(c, ("half", "not-in", [0, 1, 2, 3, 4, 5])), [1, 5, 7, 9, 11]),
    "not-in with null": (lambda c: plain(c, ("half", "not-in", [None, 1])), []),
    "not equal": (lambda c: plain(c, ("odd", "!=", 5)), [1, 3, 7, 9, 11]),
    "is null": (lambda c: plain(c, ("half", "==", None)), [3]),
    "is not null": (lambda c: plain(c, ("half", "!=", None), ("b", "<", 5)), [0, 1, 2, 4]),
    "contains": (lambda c: plain(c, ("tags", "array_contains", "t1")).order_by("b", direction="DESCENDING"), [9, 5, 1]),
    "contains any": (
        lambda c: plain(c, ("tags", "array_contains_any", ["t1", "t2"])).order_by("b").limit(4),
        [1, 2, 5, 6],
    ),
    "contains any finds once": (
        lambda c: plain(c, ("tags", "array_contains_any", ["t1", "all"])).order_by("b"),
        [*range(12)],
    ),
    "or": (lambda c: plain(c).where(filter=Or([where("a", "==", 1), where("b", ">", 8)])), [1, 4, 7, 9, 10, 11]),
    "or of one field": (
        lambda c: plain(c).where(filter=Or([where("a", "==", 1), where("half", "==", None)])),
        [1, 3, 4, 7, 10],
    ),
    "or finds once": (lambda c: plain(c).where(filter=Or([where("a", "==", 1), where("b", "==", 1)])), [1, 4, 7, 10]),
    "or wants all fields ordered by": (
        lambda c: plain(c).where(filter=Or([where("b", "<", 3), where("odd", ">", 8)])),
        [1, 9, 11],
    ),
    "and of ors": (
        lambda c: plain(c).where(
            filter=And([Or([where("a", "==", 1), where("a", "==", 2)]), Or([where("b", "==", 1), where("b", "==", 2)])])
        ),
        [1, 2],
    ),
    "limit": (lambda c: plain(c).order_by("b").limit(2), [0, 1]),
    "limit of nothing": (lambda c: plain(c).order_by("b").limit(0), []),
    "offset": (lambda c: plain(c).order_by("b").offset(2).limit(3), [2, 3, 4]),
    "offset beyond the end": (lambda c: plain(c).offset(20), []),
    "name": (lambda c: plain(c).order_by("__name__").limit(2), [0, 1]),
    "name above": (lambda c: plain(c, ("__name__", ">", reference(c, 9))), [10, 11]),
    "name is": (lambda c: plain(c, ("__name__", "==", reference(c, 4))), [4]),
    "name in": (lambda c: plain(c, ("__name__", "in", [reference(c, 4), reference(c, 2)])), [2, 4]),
    "name is not": (lambda c: plain(c, ("__name__", "!=", reference(c, 4)), ("b", "==", 5)), [5]),
    "name and range": (lambda c: plain(c, ("__name__", "<", reference(c, 4)), ("a", ">", 0)), [1, 2]),
    "equality by name backwards": (
        lambda c: plain(c, ("a", "==", 1)).order_by("__name__", direction="DESCENDING"),
        [10, 7, 4, 1],
    ),
    "cursor of several values": (
        lambda c: plain(c).order_by("a").order_by("b").start_at([1, 4]).end_before([2, 8]),
        [4, 7, 10, 2, 5],
    ),
    "cursor of fewer values": (lambda c: plain(c).order_by("a").order_by("b").start_after([1]), [2, 5, 8, 11]),
    "cursor of a snapshot": (lambda c: plain(c).order_by("a").start_after(reference(c, 7).get()), [10, 2, 5, 8, 11]),
    "cursor up to a snapshot": (lambda c: plain(c).order_by("a").end_at(reference(c, 1).get()), [0, 3, 6, 9, 1]),
    "cursor of a reference": (
        lambda c: plain(c).order_by("__name__").start_after({"__name__": reference(c, 9)}),
        [10, 11],
    ),
    "cursor with an equality": (lambda c: plain(c, ("a", "==", 1)).order_by("b").start_after({"b": 4}), [7, 10]),
    "order by the equal field": (lambda c: plain(c, ("a", "==", 1)).order_by("a").start_at([1]), [1, 4, 7, 10]),
}


@pytest.mark.parametrize(("find", "expected"), FOUND.values(), ids=FOUND)
def test_what_a_query_finds(data: Client, find: Find, expected: list[int]) -> None:
    """A query returns exactly these documents in exactly this order."""
    assert numbers(find(data)) == expected


def test_limit_to_last_returns_the_end(data: Client) -> None:
    """The last documents come in the query's own order."""
    query = plain(data, ("a", "<", 2)).order_by("a").order_by("b").limit_to_last(2)
    assert [found.id for found in query.get()] == ["d07", "d10"]


ASK: dict[str, tuple[Find, str]] = {
    "31 values": (lambda c: plain(c, ("a", "in", [*range(31)])), "'IN' supports up to 30 comparison values"),
    "11 values": (lambda c: plain(c, ("a", "not-in", [*range(11)])), "'NOT_IN' supports up to 10 comparison values"),
    "no values": (lambda c: plain(c, ("a", "in", [])), "'IN' requires an non-empty ArrayValue"),
    "36 branches": (lambda c: plain(c, ("a", "in", [*range(6)]), ("b", "in", [*range(6)])), "36 disjunctions"),
    "contains twice": (
        lambda c: plain(c, ("tags", "array_contains", "t1"), ("tags", "array_contains", "all")),
        "ARRAY_CONTAINS",
    ),
    "two negations": (lambda c: plain(c, ("a", "!=", 1), ("b", "!=", 1)), "Only a single 'NOT_EQUAL'"),
    "not-in with in": (lambda c: plain(c, ("a", "in", [1]), ("b", "not-in", [1])), "'NOT_IN' cannot be used"),
    "order twice": (lambda c: plain(c).order_by("a").order_by("a"), "duplicate fields a"),
    "order after the name": (lambda c: plain(c).order_by("__name__").order_by("a"), "after the key"),
    "range after the name": (lambda c: plain(c, ("b", ">", 2)).order_by("__name__"), "after the key"),
    "negative limit": (lambda c: plain(c).limit(-1), "limit is negative"),
    "negative offset": (lambda c: plain(c).offset(-1), "offset is negative"),
}


@pytest.mark.parametrize(("ask", "text"), ASK.values(), ids=ASK)
def test_what_cannot_be_asked(data: Client, ask: Find, text: str) -> None:
    """A query beyond the documented limits is INVALID_ARGUMENT and the text says why."""
    with pytest.raises(InvalidArgument, match=text):
        ids(ask(data))


def test_a_descending_scan_by_name_alone_is_refused(data: Client) -> None:
    """No index serves a collection by name backwards."""
    with pytest.raises(FailedPrecondition, match="descending key scans"):
        ids(plain(data).order_by("__name__", direction="DESCENDING"))


def test_a_query_names_its_collection(data: Client) -> None:
    """A query without a collection, or with an empty selector, is INVALID_ARGUMENT."""
    empty: list[dict[str, Any]] = [{}, {"from_": [{}]}]
    for query in empty:
        with pytest.raises(InvalidArgument):
            list(call(data, "run_query", parent=documents_root(data), structured_query=query))


def test_more_values_than_orders_in_a_cursor_are_refused(data: Client) -> None:
    """A cursor has at most one value per order, the name included."""
    cursor = {"values": [{"integer_value": 1}] * 3}
    order = [{"field": {"field_path": "a"}}]
    query = {"from_": [{"collection_id": "plain"}], "order_by": order, "start_at": cursor}
    with pytest.raises(InvalidArgument):
        list(call(data, "run_query", parent=documents_root(data), structured_query=query))


def test_collection_groups_span_all_parents(data: Client) -> None:
    """A collection group finds documents of every collection of that name, ordered by their full path."""
    group = data.collection_group("parts")
    assert ids(group) == ["x", "y", "z"]
    assert ids(filtered(group, ("q", ">", 1))) == ["y", "z"]
    assert ids(filtered(group, ("__name__", ">", data.document("plain/d01/parts/x")))) == ["y", "z"]


def test_a_query_below_a_document_stays_there(data: Client) -> None:
    """A query for all descendants finds nothing outside of its parent, with or without a collection id."""
    parent = f"{documents_root(data)}/top/t"
    for selector in ({"collection_id": "parts", "all_descendants": True}, {"all_descendants": True}):
        answers = list(call(data, "run_query", parent=parent, structured_query={"from_": [selector]}))
        assert [answer.document.name.rpartition("/")[2] for answer in answers] == ["z"]


def test_projections(data: Client) -> None:
    """A projection returns the chosen fields, parts of maps included, or none but the name."""
    first = plain(data).limit(1)
    assert [found.to_dict() for found in first.select(["a", "b.none"]).stream()] == [{"a": 0}]
    assert [(found.id, found.to_dict()) for found in first.select([]).stream()] == [("d00", {})]
    maps = filtered(data.collection("values"), ("x", "==", {"a": 1, "b": 0})).select(["x.a"])
    assert [found.to_dict() for found in maps.stream()] == [{"x": {"a": 1}}]


def figures(query: Any) -> dict[str, Any]:
    """Return an aggregation's results by alias."""
    return {result.alias: result.value for row in query.get() for result in row}


def test_counts(data: Client) -> None:
    """A count honours filters, limits, offsets and branches that overlap."""
    assert figures(plain(data).count("n")) == {"n": 12}
    assert figures(plain(data).limit(5).count("n")) == {"n": 5}
    assert figures(plain(data).order_by("b").offset(3).count("n")) == {"n": 9}
    assert figures(plain(data, ("a", "in", [0, 1]), ("b", "<", 5)).count("n")) == {"n": 4}
    assert figures(plain(data, ("b", ">", 100)).count("n")) == {"n": 0}


def test_a_count_can_stop_early(data: Client) -> None:
    """A count with up_to goes no further."""
    count = {"count": {"up_to": 7}, "alias": "n"}
    query = {"structured_query": {"from_": [{"collection_id": "plain"}]}, "aggregations": [count]}
    answers = list(call(data, "run_aggregation_query", parent=documents_root(data), structured_aggregation_query=query))
    assert answers[0].result.aggregate_fields["n"].integer_value == 7


def test_sums_and_averages(data: Client) -> None:
    """Sums of integers are integers, averages doubles; others are left out (the client shows a null average as 0)."""
    assert figures(plain(data).sum("b", "s").avg("b", "a")) == {"s": 66, "a": 5.5}
    assert figures(plain(data).sum("half", "s").avg("half", "a")) == {"s": 31.5, "a": 31.5 / 11}
    assert figures(plain(data).sum("tags", "s").avg("tags", "a")) == {"s": 0, "a": 0}
    assert math.isnan(figures(data.collection("values").sum("x", "s"))["s"])


def test_documents_without_an_aggregated_field_count_for_nothing(data: Client) -> None:
    """With several figures in one query only documents with all of the fields are counted."""
    assert figures(plain(data).count("n").sum("odd", "s").avg("b", "a")) == {"n": 6, "s": 36, "a": 6.0}


def test_a_limit_leaves_the_first_by_the_aggregated_field(client: Client) -> None:
    """After its own orders a limited query is ordered by the fields it sums, in the direction of the last order."""
    for number, (k, n) in enumerate([(1, 5), (1, 3), (1, 4), (0, 9), (0, 7)]):
        client.document(f"sums/d{number}").set({"k": k, "n": n})
    client.document("sums/text").set({"k": 1, "n": "text"})
    client.document("sums/null").set({"k": 1, "n": None})
    client.document("sums/lacking").set({"k": 1})
    sums: Any = client.collection("sums")

    def taken(query: Any) -> list[float]:
        return [figures(query.limit(most).sum("n", "s"))["s"] for most in range(1, 8)]

    assert taken(sums) == [0, 3, 7, 12, 19, 28, 28]  # null, 3, 4, 5, 7, 9, text
    assert taken(sums.order_by("k")) == [7, 16, 16, 19, 23, 28, 28]
    assert taken(sums.order_by("k", direction="DESCENDING")) == [0, 5, 9, 12, 12, 21, 28]
    assert taken(filtered(sums, ("k", ">", 0))) == [0, 3, 7, 12, 12, 12, 12]
    assert figures(sums.offset(1).limit(2).sum("n", "s").avg("k", "a")) == {"s": 9, "a": 0.5}
    assert figures(sums.order_by("k").start_at({"k": 1}).limit(2).avg("n", "a")) == {"a": 3.0}


def test_an_aggregated_field_does_not_come_after_the_name(client: Client) -> None:
    """A sum over a query that is ordered or filtered by name is INVALID_ARGUMENT, unless it is ordered by the field."""
    sums: Any = client.collection("sums")
    for query in (sums.order_by("__name__"), filtered(sums, ("__name__", ">", client.document("sums/a")))):
        with pytest.raises(InvalidArgument, match="after __name__"):
            query.sum("n").get()
    assert figures(sums.order_by("n").order_by("__name__").sum("n", "s")) == {"s": 0}
    with pytest.raises(InvalidArgument, match="not supported for the property"):
        sums.sum("__name__").get()
    query = {
        "from_": [{"collection_id": "sums"}],
        "order_by": [{"field": {"field_path": "k"}}],
        "start_at": {"values": [{"integer_value": 1}, {"integer_value": 2}]},
    }
    asked = {"structured_query": query, "aggregations": [{"sum": {"field": {"field_path": "n"}}}]}
    with pytest.raises(InvalidArgument, match="too many values"):
        list(call(client, "run_aggregation_query", parent=documents_root(client), structured_aggregation_query=asked))


def test_aggregations_are_named_once_and_not_none(data: Client) -> None:
    """Two aggregations of one name, or none at all, are INVALID_ARGUMENT, in words that clients look for."""
    with pytest.raises(InvalidArgument, match="Aggregation aliases contain duplicate alias: n"):
        plain(data).count("n").sum("b", "n").get()
    asked = {"structured_query": {"from_": [{"collection_id": "plain"}]}}
    with pytest.raises(InvalidArgument, match="Aggregations can not be empty"):
        list(call(data, "run_aggregation_query", parent=documents_root(data), structured_aggregation_query=asked))


def test_more_than_five_aggregations_are_refused(data: Client) -> None:
    """An aggregation query has at most five figures."""
    query = plain(data).count("a").count("b").count("c").count("d").count("e").count("f")
    with pytest.raises(InvalidArgument):
        query.get()


def test_a_sum_of_doubles_is_rounded_once(client: Client) -> None:
    """Adding doubles loses nothing on the way."""
    for name, value in {"a": 1e16, "b": 1.0, "c": 1.0, "d": -1e16}.items():
        client.document(f"sums/{name}").set({"v": value})
    assert figures(client.collection("sums").sum("v", "s")) == {"s": 2.0}


NEAR: dict[str, tuple[DistanceMeasure, list[tuple[str, float]], float, list[str]]] = {
    "euclidean": (
        DistanceMeasure.EUCLIDEAN,
        [("east", 0.5), ("zero", 1.118034), ("north", 1.118034), ("west", 2.061553), ("far", 4.031129)],
        1.2,
        ["east", "zero", "north"],
    ),
    "cosine": (
        DistanceMeasure.COSINE,
        [("east", 0.105573), ("far", 0.105573), ("north", 0.552786), ("west", 1.894427), ("zero", math.nan)],
        0.6,
        ["east", "far", "north"],
    ),
    "dot product": (
        DistanceMeasure.DOT_PRODUCT,
        [("far", 5.0), ("east", 1.0), ("north", 0.5), ("zero", 0.0), ("west", -1.0)],
        0.5,
        ["far", "east", "north"],
    ),
}


@pytest.mark.parametrize(("measure", "expected", "threshold", "within"), NEAR.values(), ids=NEAR)
def test_nearest_vectors(
    data: Client, measure: DistanceMeasure, expected: list[tuple[str, float]], threshold: float, within: list[str]
) -> None:
    """A vector search returns the nearest of the same dimension first, with distances, a threshold and a pre-filter."""
    places, target = data.collection("places"), Vector([1.0, 0.5])
    found = places.find_nearest("at", target, distance_measure=measure, limit=10, distance_result_field="d").stream()
    distances = {snapshot.id: (snapshot.to_dict() or {})["d"] for snapshot in found}
    assert distances == pytest.approx(dict(expected), abs=1e-5, nan_ok=True)
    ranks = [expected_distance for name in distances for expected_distance in [dict(expected)[name]]]
    assert ranks == pytest.approx([distance for _, distance in expected], nan_ok=True)
    near = places.find_nearest("at", target, distance_measure=measure, limit=10, distance_threshold=threshold)
    assert sorted(ids(near)) == sorted(within)
    green = filtered(places, ("green", "==", True)).find_nearest("at", target, distance_measure=measure, limit=1)
    assert ids(green) == [next(name for name, _ in expected if name in {"east", "far"})]


@pytest.mark.parametrize(
    ("vector", "limit"),
    [([1.0, 0.0], 1001), ([1.0, 0.0], 0), ([0.0] * 2049, 5), ([], 5)],
    ids=["1001", "0", "2049", "empty"],
)
def test_limits_of_a_vector_search(data: Client, vector: list[float], limit: int) -> None:
    """A search for over 1,000 or no results, or a vector of over 2048 or no dimensions, is INVALID_ARGUMENT."""
    with pytest.raises(InvalidArgument):
        ids(
            data.collection("places").find_nearest(
                "at", Vector(vector), distance_measure=DistanceMeasure.COSINE, limit=limit
            )
        )


def test_a_vector_search_has_its_own_limit(data: Client) -> None:
    """A query's limit cannot be combined with a vector search."""
    query = (
        data.collection("places")
        .limit(2)
        .find_nearest("at", Vector([1.0, 0.0]), distance_measure=DistanceMeasure.COSINE, limit=2)
    )
    with pytest.raises(InvalidArgument, match="limit cannot be used"):
        ids(query)
