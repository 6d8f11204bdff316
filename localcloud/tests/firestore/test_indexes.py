"""The embedded server refuses what production would refuse for lack of an index, and says which one to add."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import FailedPrecondition
from google.cloud.firestore import Client
from google.cloud.firestore_v1.base_query import BaseFilter, Or
from google.cloud.firestore_v1.base_vector_query import DistanceMeasure
from google.cloud.firestore_v1.vector import Vector

from localcloud.tests.firestore.support import filtered, ids, where

Find = Callable[[Client], Any]


def jobs(client: Client, *conditions: tuple[str, str, Any]) -> Any:
    """Return a query over one collection."""
    return filtered(client.collection("jobs"), *conditions)


def group(client: Client, *conditions: tuple[str, str, Any]) -> Any:
    """Return a query over all collections of one name."""
    return filtered(client.collection_group("jobs"), *conditions)


AUTOMATIC: dict[str, Find] = {
    "everything": jobs,
    "equality": lambda c: jobs(c, ("a", "==", 1)),
    "merged equalities": lambda c: jobs(c, ("a", "==", 1), ("b", "==", 2), ("c.d", "==", 3)),
    "merged with contains": lambda c: jobs(c, ("a", "==", 1), ("tags", "array_contains", "x")),
    "in": lambda c: jobs(c, ("a", "in", [1, 2]), ("b", "==", 1)),
    "range": lambda c: jobs(c, ("a", ">", 1), ("a", "<", 3)),
    "range descending": lambda c: jobs(c, ("a", ">", 1)).order_by("a", direction="DESCENDING"),
    "order": lambda c: jobs(c).order_by("a"),
    "not equal": lambda c: jobs(c, ("a", "!=", 1)),
    "or": lambda c: jobs(c).where(filter=Or([where("a", "==", 1), where("b", "==", 1)])),
    "order by the equal field": lambda c: jobs(c, ("a", "==", 1)).order_by("a"),
    "by name": lambda c: jobs(c).order_by("__name__"),
    "whole group": group,
    "sum": lambda c: jobs(c).sum("a"),
    "count with equalities": lambda c: jobs(c, ("a", "==", 1), ("b", "==", 1)).count(),
}


@pytest.mark.parametrize("find", AUTOMATIC.values(), ids=AUTOMATIC)
def test_automatic_indexes_serve_simple_queries(strict: Client, find: Find) -> None:
    """Without any index file these queries succeed, as in production."""
    find(strict).get()


def index(*fields: tuple[str, str], scope: str = "COLLECTION") -> dict[str, Any]:
    """Return a composite index as the file has it."""
    kept = [{"fieldPath": name, "arrayConfig" if mode == "CONTAINS" else "order": mode} for name, mode in fields]
    return {"collectionGroup": "jobs", "queryScope": scope, "fields": kept}


UP, DOWN, CONTAINS = "ASCENDING", "DESCENDING", "CONTAINS"
COMPOSITE: dict[str, tuple[Find, dict[str, Any]]] = {
    "equality and range": (lambda c: jobs(c, ("a", "==", 1), ("b", ">", 1)), index(("a", UP), ("b", UP))),
    "equality and order": (
        lambda c: jobs(c, ("a", "==", 1)).order_by("b", direction=DOWN), index(("a", UP), ("b", DOWN)),
    ),
    "two orders": (lambda c: jobs(c).order_by("a").order_by("b", direction=DOWN), index(("a", UP), ("b", DOWN))),
    "two ranges": (lambda c: jobs(c, ("b", ">", 1), ("a", ">", 1)), index(("a", UP), ("b", UP))),
    "range and another order": (lambda c: jobs(c, ("b", ">", 1)).order_by("a"), index(("a", UP), ("b", UP))),
    "in and order": (lambda c: jobs(c, ("a", "in", [1, 2])).order_by("b"), index(("a", UP), ("b", UP))),
    "contains and order": (
        lambda c: jobs(c, ("tags", "array_contains", 1)).order_by("b"), index(("tags", CONTAINS), ("b", UP)),
    ),
    "is null and order": (lambda c: jobs(c, ("a", "==", None)).order_by("b"), index(("a", UP), ("b", UP))),
    "name backwards": (
        lambda c: jobs(c, ("a", "==", 1)).order_by("__name__", direction=DOWN), index(("a", UP), ("__name__", DOWN)),
    ),
    "name against the order": (
        lambda c: jobs(c).order_by("a").order_by("__name__", direction=DOWN), index(("a", UP), ("__name__", DOWN)),
    ),
    "sum of a filtered query": (lambda c: jobs(c, ("a", "==", 1)).sum("b"), index(("a", UP), ("b", UP))),
    "group": (
        lambda c: group(c, ("a", "==", 1)).order_by("b"), index(("a", UP), ("b", UP), scope="COLLECTION_GROUP"),
    ),
    "nested and odd names": (
        lambda c: jobs(c, ("m.a", "==", 1)).order_by("`odd name`"), index(("m.a", UP), ("`odd name`", UP)),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("find", "needed"), COMPOSITE.values(), ids=COMPOSITE)
def test_the_error_names_the_index_that_helps(
    strict: Client, index_file: Path, find: Find, needed: dict[str, Any]
) -> None:
    """A refused query names its index as JSON; pasted into the file, which is read again, it serves the query."""
    with pytest.raises(FailedPrecondition, match='Add this to "indexes" in firestore') as refusal:
        find(strict).get()
    advised = advice(refusal.value)
    assert advised == needed
    index_file.write_text(json.dumps({"indexes": [advised]}))
    find(strict).get()


def advice(error: Exception) -> Any:
    """Return the JSON in an error's text."""
    found = re.search(r"\{.*\}", str(error))
    assert found is not None
    return json.loads(found[0])


WRONG: dict[str, dict[str, Any]] = {
    "other direction": index(("a", UP), ("b", DOWN)),
    "other order of fields": index(("b", UP), ("a", UP)),
    "a field too many": index(("a", UP), ("c", UP), ("b", UP)),
    "other scope": index(("a", UP), ("b", UP), scope="COLLECTION_GROUP"),
    "other collection": index(("a", UP), ("b", UP)) | {"collectionGroup": "other"},
}


@pytest.mark.parametrize("declared", WRONG.values(), ids=WRONG)
def test_an_index_that_differs_does_not_help(strict: Client, index_file: Path, declared: dict[str, Any]) -> None:
    """Direction, order, scope and collection of an index have to fit."""
    index_file.write_text(json.dumps({"indexes": [declared]}))
    with pytest.raises(FailedPrecondition):
        ids(jobs(strict, ("a", "==", 1)).order_by("b"))


def test_the_direction_of_an_equality_does_not_matter(strict: Client, index_file: Path) -> None:
    """An equality field may be kept in either direction, and equality fields in any order."""
    index_file.write_text(json.dumps({"indexes": [index(("c", DOWN), ("a", UP), ("b", UP))]}))
    ids(jobs(strict, ("a", "==", 1), ("c", "==", 1)).order_by("b"))


def test_indexes_that_end_alike_are_merged(strict: Client, index_file: Path) -> None:
    """Two indexes with the same order at the end serve their equalities together."""
    query = jobs(strict, ("a", "==", 1), ("c", "==", 1)).order_by("b", direction=DOWN)
    index_file.write_text(json.dumps({"indexes": [index(("a", UP), ("b", DOWN))]}))
    with pytest.raises(FailedPrecondition):
        ids(query)
    write_later(index_file, {"indexes": [index(("a", UP), ("b", DOWN)), index(("c", UP), ("b", DOWN))]})
    ids(query)


def write_later(path: Path, content: Any) -> None:
    """Write a file so that its modification time differs from before."""
    time.sleep(0.01)
    path.write_text(json.dumps(content))


def override(field: str, *indexes: dict[str, str]) -> dict[str, Any]:
    """Return an index file with one field override."""
    return {"fieldOverrides": [{"collectionGroup": "jobs", "fieldPath": field, "indexes": list(indexes)}]}


@pytest.mark.parametrize("query", ["equality", "range", "order", "inside"])
def test_an_exempted_field_cannot_be_queried(strict: Client, index_file: Path, query: str) -> None:
    """A field whose override lists no indexes refuses every single-field query, and so do fields inside it."""
    index_file.write_text(json.dumps(override("big")))
    find: Find = {
        "equality": lambda c: jobs(c, ("big", "==", 1)),
        "range": lambda c: jobs(c, ("big", ">", 1)),
        "order": lambda c: jobs(c).order_by("big"),
        "inside": lambda c: jobs(c, ("big.part", "==", 1)),
    }[query]
    with pytest.raises(FailedPrecondition, match='Add this to "fieldOverrides"'):
        ids(find(strict))
    ids(jobs(strict, ("small", "==", 1)))


def test_every_field_can_be_exempted_at_once(strict: Client, index_file: Path) -> None:
    """An override of * holds for all fields without one of their own."""
    both = override("*")
    both["fieldOverrides"] += override("kept", {"order": UP, "queryScope": "COLLECTION"})["fieldOverrides"]
    index_file.write_text(json.dumps(both))
    ids(jobs(strict, ("kept", "==", 1)))
    with pytest.raises(FailedPrecondition):
        ids(jobs(strict, ("other", "==", 1)))


def test_a_group_query_needs_an_override_and_names_it(strict: Client, index_file: Path) -> None:
    """A filtered collection group fails until its field has an index of that scope, in the direction asked for."""
    with pytest.raises(FailedPrecondition, match='Add this to "fieldOverrides"') as refusal:
        ids(group(strict).order_by("q", direction=DOWN))
    advised = advice(refusal.value)
    assert advised["indexes"] == [{"order": DOWN, "queryScope": "COLLECTION_GROUP"}]
    index_file.write_text(json.dumps({"fieldOverrides": [advised]}))
    ids(group(strict).order_by("q", direction=DOWN))
    ids(group(strict, ("q", "==", 1)))
    with pytest.raises(FailedPrecondition):
        ids(group(strict).order_by("q"))


def nearest(client: Client, *conditions: tuple[str, str, Any]) -> Any:
    """Return a vector search in three dimensions."""
    query = jobs(client, *conditions)
    return query.find_nearest("v", Vector([1.0, 2.0, 3.0]), distance_measure=DistanceMeasure.COSINE, limit=3)


def test_a_vector_search_needs_its_index(strict: Client, index_file: Path) -> None:
    """A vector search names the index with its dimension and pre-filter, and that index serves it and no other."""
    with pytest.raises(FailedPrecondition) as refusal:
        nearest(strict, ("a", "==", 1)).get()
    advised = advice(refusal.value)
    assert advised["fields"] == [
        {"fieldPath": "a", "order": UP},
        {"fieldPath": "v", "vectorConfig": {"dimension": 3, "flat": {}}},
    ]
    index_file.write_text(json.dumps({"indexes": [advised]}))
    nearest(strict, ("a", "==", 1)).get()
    with pytest.raises(FailedPrecondition):
        nearest(strict).get()


def test_one_unserved_branch_is_enough(strict: Client, index_file: Path) -> None:
    """Every branch of an OR needs its index."""
    index_file.write_text(json.dumps({"indexes": [index(("a", UP), ("n", UP))]}))
    branches: list[BaseFilter] = [where("a", "==", 1), where("b", "==", 1)]
    with pytest.raises(FailedPrecondition) as refusal:
        ids(strict.collection("jobs").where(filter=Or(branches)).order_by("n"))
    assert advice(refusal.value) == index(("b", UP), ("n", UP))


def test_a_broken_file_is_reported(strict: Client, index_file: Path) -> None:
    """A file that is not valid says so in the error of the next query, and mending it is enough."""
    index_file.write_text("{")
    with pytest.raises(FailedPrecondition, match="is not a valid index file"):
        ids(jobs(strict))
    write_later(index_file, {})
    ids(jobs(strict))


def test_removing_the_file_removes_its_indexes(strict: Client, index_file: Path) -> None:
    """Without its file a composite index is gone."""
    index_file.write_text(json.dumps({"indexes": [index(("a", UP), ("b", UP))]}))
    query = jobs(strict, ("a", "==", 1)).order_by("b")
    ids(query)
    index_file.unlink()
    with pytest.raises(FailedPrecondition):
        ids(query)
