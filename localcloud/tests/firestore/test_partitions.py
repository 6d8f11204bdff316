"""PartitionQuery cuts a collection group into parts that hold all of it once. Google's emulator does not serve it."""

from typing import Any

import pytest
from google.api_core.exceptions import InvalidArgument
from google.cloud.firestore import Client

from localcloud.tests.firestore.support import call, documents_root

GROUP = {"from_": [{"collection_id": "parts", "all_descendants": True}]}
DOCUMENTS = 600


@pytest.fixture
def filled(strict: Client) -> Client:
    """A database with 600 documents of one collection group under several parents."""
    for start in range(0, DOCUMENTS, 300):
        batch = strict.batch()
        for number in range(start, start + 300):
            batch.set(strict.document(f"a/{number % 7}/parts/{number:03d}"), {"n": number})
        batch.commit()
    return strict


def cursors(client: Client, **request: Any) -> list[str]:
    """Return the places of all pages, in the order of the answers."""
    asked = {"parent": documents_root(client), "structured_query": GROUP, "partition_count": 3, **request}
    pages = call(client, "partition_query", **asked)
    return [cursor.values[0].reference_value for cursor in pages]


def test_the_parts_together_are_everything(filled: Client) -> None:
    """Whatever number is wanted, running all parts finds each document once, and none is smaller than the minimum."""
    for wanted in (1, 2, 3, 4, 100):
        parts: list[Any] = list(filled.collection_group("parts").get_partitions(wanted))
        found = [[snapshot.reference.path for snapshot in part.query().stream()] for part in parts]
        everything = [path for part in found for path in part]
        assert everything == sorted(everything)
        assert len(everything) == DOCUMENTS
        assert len(parts) == min(wanted + 1, DOCUMENTS // 128)
        assert min(map(len, found)) >= 128


def test_a_cursor_is_where_a_part_begins(filled: Client) -> None:
    """A cursor, taken as it is, starts a query at the document that it names."""
    root = documents_root(filled)
    for cut in call(filled, "partition_query", parent=root, structured_query=GROUP, partition_count=3):
        query = {**GROUP, "start_at": cut, "limit": {"value": 1}}
        (answer,) = call(filled, "run_query", parent=root, structured_query=query)
        assert answer.document.name == cut.values[0].reference_value


def test_a_small_group_is_one_part(strict: Client) -> None:
    """Fewer documents than two parts need are not cut, and neither is nothing."""
    assert cursors(strict) == []
    strict.document("a/1/parts/1").set({})
    assert len(list(strict.collection_group("parts").get_partitions(5))) == 1


def test_pages_of_cursors(filled: Client) -> None:
    """Small pages give the same cursors as one large one."""
    assert cursors(filled, page_size=1) == cursors(filled)
    assert len(cursors(filled)) == 3


def test_a_cut_in_the_past(filled: Client) -> None:
    """Cursors at a time are those of the documents of that time."""
    then = filled.document("other/x").set({}).update_time
    before = cursors(filled)
    batch = filled.batch()
    for number in range(300):
        batch.delete(filled.document(f"a/{number % 7}/parts/{number:03d}"))
    batch.commit()
    assert cursors(filled, read_time=then) == before
    assert cursors(filled) != before


def by(field: str, direction: int = 1) -> list[dict[str, Any]]:
    """Return an order."""
    return [{"field": {"field_path": field}, "direction": direction}]


REFUSED: dict[str, dict[str, Any]] = {
    "one collection": {"structured_query": {"from_": [{"collection_id": "parts"}]}},
    "every collection": {"structured_query": {"from_": [{"all_descendants": True}]}},
    "another order": {"structured_query": {**GROUP, "order_by": by("n")}},
    "an offset": {"structured_query": {**GROUP, "offset": 1}},
    "a limit": {"structured_query": {**GROUP, "limit": {"value": 1}}},
    "a filter": {
        "structured_query": {
            **GROUP,
            "where": {"field_filter": {"field": {"field_path": "n"}, "op": 5, "value": {"integer_value": 1}}},
        }
    },
    "no count": {"partition_count": 0},
    "a negative count": {"partition_count": -1},
    "a negative page": {"page_size": -1},
    "a made-up page": {"page_token": "?"},
}


@pytest.mark.parametrize("request_fields", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_cut_is_refused(strict: Client, request_fields: dict[str, Any]) -> None:
    """Anything but a whole collection group in the order of names, a positive count and a page is INVALID_ARGUMENT."""
    with pytest.raises(InvalidArgument):
        cursors(strict, **request_fields)


def test_the_root_is_cut_and_nothing_below(strict: Client) -> None:
    """A parent that is a document is INVALID_ARGUMENT."""
    with pytest.raises(InvalidArgument, match="root"):
        cursors(strict, parent=f"{documents_root(strict)}/a/1")
