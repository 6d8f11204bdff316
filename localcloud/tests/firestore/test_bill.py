"""The bill counts reads, writes and deletes by the published rules."""

import json
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import AlreadyExists, NotFound
from google.cloud.firestore import Client, Increment, Transaction, transactional
from google.cloud.firestore_v1.base_vector_query import DistanceMeasure
from google.cloud.firestore_v1.vector import Vector

from localcloud.firestore import FirestoreServer
from localcloud.firestore.bill import Bill
from localcloud.tests.firestore.support import filtered

Use = Callable[[Any], Any]


def add(client: Client, count: int, collection: str = "a") -> None:
    """Store documents numbered from 0."""
    batch = client.batch()
    for number in range(count):
        batch.set(
            client.document(f"{collection}/d{number:04d}"),
            {"n": number, "m": number, "v": Vector([1.0, float(number)])},
        )
    batch.commit()


def in_transaction(client: Client, body: Callable[[Any], Any]) -> Any:
    """Run a function as a transaction."""
    return transactional(body)(client.transaction())


def count_below(client: Client, limit: int) -> Any:
    """Count documents."""
    return filtered(client.collection("many"), ("n", "<", limit)).count().get()


USES: dict[str, tuple[Use, dict[str, int]]] = {
    "a document": (lambda c: c.document("a/d0001").get(), {"reads": 1}),
    "a missing document": (lambda c: c.document("a/none").get(), {"reads": 1}),
    "several documents": (
        lambda c: list(c.get_all([c.document("a/d0001"), c.document("a/x"), c.document("a/y")])),
        {"reads": 3},
    ),
    "a query": (lambda c: filtered(c.collection("a"), ("n", ">", 2)).get(), {"reads": 7}),
    "a projection": (lambda c: c.collection("a").select(["n"]).limit(4).get(), {"reads": 4}),
    "an empty query": (lambda c: filtered(c.collection("a"), ("n", ">", 99)).get(), {"reads": 1}),
    "an offset": (lambda c: c.collection("a").order_by("n").offset(3).limit(2).get(), {"reads": 5}),
    "an offset beyond": (lambda c: c.collection("a").order_by("n").offset(30).limit(2).get(), {"reads": 10}),
    "a count": (lambda c: c.collection("a").count().get(), {"reads": 1}),
    "a count of nothing": (lambda c: count_below(c, 0), {"reads": 1}),
    "a count of 1,000": (lambda c: count_below(c, 1000), {"reads": 1}),
    "a count of 1,001": (lambda c: count_below(c, 1001), {"reads": 2}),
    "a sum of 1,001": (lambda c: filtered(c.collection("many"), ("n", "<", 1001)).sum("n").get(), {"reads": 2}),
    "a list of collections": (lambda c: list(c.collections()), {"reads": 1}),
    "a list of documents": (lambda c: list(c.collection("a").list_documents()), {"reads": 10}),
    "a write": (lambda c: c.document("a/d0001").set({"n": 1}), {"writes": 1}),
    "a write of nothing new": (lambda c: c.document("a/d0001").update({"m": 1}), {"writes": 1}),
    "a transform": (lambda c: c.document("a/d0001").update({"n": Increment(1)}), {"writes": 1}),
    "a batch": (lambda c: add(c, 5), {"writes": 5}),
    "a delete": (lambda c: c.document("a/d0001").delete(), {"deletes": 1}),
    "a delete of nothing": (lambda c: c.document("a/none").delete(), {"deletes": 1}),
    "a transaction": (
        lambda c: in_transaction(
            c, lambda t: (c.document("a/d0001").get(transaction=t), t.set(c.document("a/d0001"), {}))
        ),
        {"reads": 1, "writes": 1},
    ),
}


@pytest.fixture
def filled(strict: Client, server: FirestoreServer) -> Client:
    """A client of a database with ten documents in one collection and 1,001 in another; nothing is billed yet."""
    add(strict, 10)
    add(strict, 1001, "many")
    server.bill.reset()
    return strict


@pytest.mark.parametrize(("use", "expected"), USES.values(), ids=USES)
def test_what_it_costs(filled: Client, server: FirestoreServer, use: Use, expected: dict[str, int]) -> None:
    """Each call is billed as the price list says."""
    use(filled)
    assert server.bill.snapshot()["totals"] == {"reads": 0, "writes": 0, "deletes": 0} | expected


def test_a_vector_search_bills_what_it_looks_at(filled: Client, server: FirestoreServer, index_file: Path) -> None:
    """A vector search is one read per 100 vectors and one per document returned."""
    index = {"fieldPath": "v", "vectorConfig": {"dimension": 2, "flat": {}}}
    index_file.write_text(
        json.dumps({"indexes": [{"collectionGroup": "many", "queryScope": "COLLECTION", "fields": [index]}]})
    )
    vector = Vector([1.0, 0.0])
    filled.collection("many").find_nearest("v", vector, distance_measure=DistanceMeasure.EUCLIDEAN, limit=5).get()
    assert server.bill.snapshot()["totals"]["reads"] == 11 + 5


def test_inequalities_on_two_fields_bill_index_entries(
    filled: Client, server: FirestoreServer, index_file: Path
) -> None:
    """A query that filters index entries on a second field is one more read per 1,000 entries."""
    fields = [{"fieldPath": "m", "order": "ASCENDING"}, {"fieldPath": "n", "order": "ASCENDING"}]
    index_file.write_text(
        json.dumps({"indexes": [{"collectionGroup": "many", "queryScope": "COLLECTION", "fields": fields}]})
    )
    filtered(filled.collection("many"), ("m", ">=", 0), ("n", "<", 3)).get()
    assert server.bill.snapshot()["totals"]["reads"] == 3 + 2


@pytest.mark.parametrize("error", [AlreadyExists, NotFound])
def test_what_fails_writes_nothing(filled: Client, server: FirestoreServer, error: type[Exception]) -> None:
    """A refused batch bills no writes, not even those before the one that failed."""
    batch = filled.batch()
    batch.set(filled.document("a/new"), {})
    if error is AlreadyExists:
        batch.create(filled.document("a/d0001"), {})
    else:
        batch.update(filled.document("a/none"), {"n": 1})
    with pytest.raises(error):
        batch.commit()
    assert server.bill.snapshot()["totals"]["writes"] == 0


def test_reads_of_a_failed_transaction_are_billed(filled: Client, server: FirestoreServer) -> None:
    """A transaction that is rolled back has read all the same."""

    def fail(transaction: Transaction) -> None:
        filled.document("a/d0001").get(transaction=transaction)
        raise KeyError("no")

    with pytest.raises(KeyError):
        in_transaction(filled, fail)
    assert server.bill.snapshot()["totals"] == {"reads": 1, "writes": 0, "deletes": 0}


def test_the_bill_says_where_it_came_from(filled: Client, server: FirestoreServer) -> None:
    """Counts are kept per RPC and per collection id, subcollections of one name together."""
    filled.document("a/d0001/sub/x").set({})
    filled.document("a/d0002/sub/y").set({})
    filled.document("a/d0002/sub/y").delete()
    filled.collection_group("sub").get()
    bill = server.bill.snapshot()
    assert bill["by_rpc"] == {
        "Commit": {"reads": 0, "writes": 2, "deletes": 1},
        "RunQuery": {"reads": 1, "writes": 0, "deletes": 0},
    }
    assert bill["by_collection"] == {"sub": {"reads": 1, "writes": 2, "deletes": 1}}


def test_hot_documents_show_with_their_write_rates(filled: Client, server: FirestoreServer) -> None:
    """The documents written most within a second come first, with their numbers."""
    for _ in range(5):
        filled.document("a/hot").set({"n": Increment(1)}, merge=True)
    filled.document("a/cool").set({})
    hot, cool = server.bill.snapshot()["hot_documents"]
    assert hot == {"path": "a/hot", "writes": 5, "max_writes_per_second": 5}
    assert cool == {"path": "a/cool", "writes": 1, "max_writes_per_second": 1}


def test_write_rates_are_per_second_of_the_clock() -> None:
    """Only writes within one second of each other count together, wherever the second begins."""
    bill = Bill()
    start = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
    for milliseconds in (0, 900, 1800, 1850, 1899, 5000):
        bill.write("Commit", "a", "a/x", start + milliseconds * 1000)
    assert bill.snapshot()["hot_documents"] == [{"path": "a/x", "writes": 6, "max_writes_per_second": 4}]


def test_the_bill_over_http(filled: Client, server: FirestoreServer) -> None:
    """The admin port shows the bill, and resetting it returns what it was."""
    filled.document("a/d0001").get()
    with urllib.request.urlopen(f"{server.admin_url}/bill") as answer:  # noqa: S310
        assert json.load(answer)["totals"]["reads"] == 1
    reset = urllib.request.Request(f"{server.admin_url}/bill/reset", method="POST")  # noqa: S310
    with urllib.request.urlopen(reset) as answer:  # noqa: S310
        assert json.load(answer)["totals"]["reads"] == 1
    assert server.bill.snapshot()["totals"]["reads"] == 0
