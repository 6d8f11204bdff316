"""Query explain says which indexes are scanned and what that cost. Google's emulator ignores the wish."""

from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import FailedPrecondition
from google.cloud.firestore import Client
from google.cloud.firestore_v1.base_vector_query import DistanceMeasure
from google.cloud.firestore_v1.query_profile import ExplainOptions
from google.cloud.firestore_v1.vector import Vector

from localcloud.firestore import FirestoreServer
from localcloud.tests.firestore.support import filtered

INDEXES = """{"indexes": [
  {"collectionGroup": "a", "queryScope": "COLLECTION",
   "fields": [{"fieldPath": "n", "order": "ASCENDING"}, {"fieldPath": "m", "order": "DESCENDING"}]},
  {"collectionGroup": "a", "queryScope": "COLLECTION",
   "fields": [{"fieldPath": "at", "vectorConfig": {"dimension": 2, "flat": {}}}]}]}"""


@pytest.fixture
def documents(strict: Client, server: FirestoreServer, index_file: Path) -> Any:
    """Ten documents, and a bill that begins after them."""
    index_file.write_text(INDEXES)
    for number in range(10):
        fields = {"n": number % 2, "m": number, "tags": ["t"], "at": Vector([float(number), 1.0])}
        strict.document(f"a/d{number}").set(fields)
    server.bill.reset()
    return strict.collection("a")


def explained(query: Any, *, analyze: bool) -> tuple[list[Any], Any]:
    """Run a query with the wish to have it explained; return its results and the metrics."""
    found = query.get(explain_options=ExplainOptions(analyze=analyze))
    return list(found), found.get_explain_metrics()


INDEXES_USED: dict[str, tuple[Any, list[tuple[str, str]]]] = {
    "a collection": (lambda a: a, [("Collection", "(__name__ ASC)")]),
    "an equality": (lambda a: filtered(a, ("n", "==", 1)), [("Collection", "(n ASC, __name__ ASC)")]),
    "one index for all branches": (
        lambda a: filtered(a, ("n", "in", [0, 1])),
        [("Collection", "(n ASC, __name__ ASC)")],
    ),
    "an order": (
        lambda a: filtered(a, ("n", "==", 1)).order_by("m", direction="DESCENDING"),
        [("Collection", "(n ASC, m DESC, __name__ DESC)")],
    ),
    "an array": (
        lambda a: filtered(a, ("tags", "array_contains", "t")),
        [("Collection", "(tags CONTAINS, __name__ ASC)")],
    ),
    "a count": (lambda a: filtered(a, ("n", "==", 1)).count(), [("Collection", "(n ASC, __name__ ASC)")]),
    "a sum": (lambda a: a.sum("m"), [("Collection", "(m ASC, __name__ ASC)")]),
    "a vector": (
        lambda a: a.find_nearest("at", Vector([1.0, 1.0]), limit=3, distance_measure=DistanceMeasure.EUCLIDEAN),
        [("Collection", "(__name__ ASC, at VECTOR<2>)")],
    ),
}


@pytest.mark.parametrize(("query", "expected"), INDEXES_USED.values(), ids=INDEXES_USED)
def test_a_plan_names_its_indexes(
    documents: Any, server: FirestoreServer, query: Any, expected: list[tuple[str, str]]
) -> None:
    """A query that is only planned answers with its indexes and nothing else, and is billed as one read."""
    found, metrics = explained(query(documents), analyze=False)
    used = [(index["query_scope"], index["properties"]) for index in metrics.plan_summary.indexes_used]
    assert (found, used) == ([], expected)
    assert server.bill.snapshot()["totals"]["reads"] == 1


COSTS: dict[str, tuple[Any, int, dict[str, str]]] = {
    "documents": (
        lambda a: filtered(a, ("n", "==", 1)),
        5,
        {"documents_billable": "5", "index_entries_billable": "0", "min_query_cost": "0"},
    ),
    "an offset": (
        lambda a: a.offset(4).limit(2),
        2,
        {"documents_billable": "6", "index_entries_billable": "0", "min_query_cost": "0"},
    ),
    "nothing": (
        lambda a: filtered(a, ("n", "==", 7)),
        0,
        {"documents_billable": "0", "index_entries_billable": "0", "min_query_cost": "1"},
    ),
    "a count": (
        lambda a: a.count(),
        1,
        {"documents_billable": "0", "index_entries_billable": "10", "min_query_cost": "0"},
    ),
    "a vector": (
        lambda a: a.find_nearest("at", Vector([1.0, 1.0]), limit=3, distance_measure=DistanceMeasure.EUCLIDEAN),
        3,
        {"documents_billable": "3", "index_entries_billable": "10", "min_query_cost": "0"},
    ),
}


@pytest.mark.parametrize(("query", "results", "billing"), COSTS.values(), ids=COSTS)
def test_an_analysis_says_what_was_billed(
    documents: Any, server: FirestoreServer, query: Any, results: int, billing: dict[str, str]
) -> None:
    """A query that is analyzed gives its results, and the reads that are on the bill."""
    found, metrics = explained(query(documents), analyze=True)
    stats = metrics.execution_stats
    assert (len(found), stats.results_returned) == (results, results)
    assert stats.read_operations == server.bill.snapshot()["totals"]["reads"]
    assert stats.debug_stats["billing_details"] == billing
    assert 0 < stats.execution_duration.total_seconds() < 60


def test_a_plan_names_its_scope(strict: Client) -> None:
    """A collection group is scanned in an index of that scope."""
    _, metrics = explained(strict.collection_group("a"), analyze=False)
    assert metrics.plan_summary.indexes_used == [{"query_scope": "Collection group", "properties": "(__name__ ASC)"}]


def test_what_needs_an_index_is_not_explained(documents: Any) -> None:
    """A query that production would refuse for lack of an index is refused when explained, too."""
    with pytest.raises(FailedPrecondition, match="requires an index"):
        explained(filtered(documents, ("n", "==", 1)).order_by("other"), analyze=False)
