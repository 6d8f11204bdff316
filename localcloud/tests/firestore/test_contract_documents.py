"""Contract: documents written, read, changed and deleted behave the same on the embedded and the official server."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.api_core.exceptions import (
    AlreadyExists,
    FailedPrecondition,
    GoogleAPICallError,
    InvalidArgument,
    NotFound,
)
from google.cloud import firestore
from google.cloud.firestore import Client, DocumentReference
from google.cloud.firestore_v1.vector import Vector

from localcloud.tests.firestore.support import call, documents_root

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def document(client: Client) -> DocumentReference:
    """A document that does not exist yet."""
    return client.document("things/one")


def test_every_type_comes_back_as_it_was_stored(document: DocumentReference) -> None:
    """A document returns the values of every type it was given."""
    stored = {
        "null": None,
        "true": True,
        "integer": 2**63 - 1,
        "double": 1.5,
        "infinity": math.inf,
        "moment": datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC),
        "text": "grün \U0001f333",
        "bytes": b"\x00\xff",
        "point": firestore.GeoPoint(52.5, 13.4),
        "array": [1, "a", {"b": None}],
        "map": {"nested": {"deeper": [True]}},
        "vector": Vector([1.0, 2.0]),
        "empty": {},
    }
    document.set({**stored, "reference": document})
    found = document.get().to_dict() or {}
    assert found.pop("reference").path == document.path
    assert found == stored


def test_nan_comes_back_as_nan(document: DocumentReference) -> None:
    """Not-a-number is stored as such."""
    document.set({"n": math.nan})
    assert math.isnan((document.get().to_dict() or {})["n"])


def test_a_missing_document_is_not_an_error(document: DocumentReference) -> None:
    """Reading what is not there says so without raising."""
    assert not document.get().exists


def test_get_document_of_a_missing_one_is_not_found(client: Client) -> None:
    """The GetDocument RPC, unlike the batch, answers NOT_FOUND."""
    with pytest.raises(NotFound, match="not found"):
        call(client, "get_document", name=f"{documents_root(client)}/things/none")


def test_get_all_returns_each_document_once(client: Client) -> None:
    """A batch read names present and missing documents, each once."""
    client.document("things/one").set({"n": 1})
    wanted = [client.document("things/one"), client.document("things/none"), client.document("things/one")]
    found = {snapshot.id: snapshot.exists for snapshot in client.get_all(wanted)}
    assert found == {"one": True, "none": False}


def test_a_field_mask_limits_what_is_read(client: Client, document: DocumentReference) -> None:
    """Reading with a mask returns the asked-for fields only, nested ones inside their maps."""
    document.set({"a": 1, "m": {"x": 1, "y": 2}, "z": 3})
    assert document.get(field_paths=["a", "m.x", "absent"]).to_dict() == {"a": 1, "m": {"x": 1}}


def test_create_refuses_what_exists(document: DocumentReference) -> None:
    """Creating a document twice is ALREADY_EXISTS, and the first one stays."""
    document.create({"n": 1})
    with pytest.raises(AlreadyExists, match="already exists"):
        document.create({"n": 2})
    assert document.get().to_dict() == {"n": 1}


def test_update_refuses_what_is_missing(document: DocumentReference) -> None:
    """Updating a document that is not there is NOT_FOUND."""
    with pytest.raises(NotFound, match="to update"):
        document.update({"n": 1})


def test_a_stale_update_time_is_refused(client: Client, document: DocumentReference) -> None:
    """A precondition on another update time is FAILED_PRECONDITION, for updates and deletes, also of nothing."""
    document.set({"n": 1})
    stale = client.write_option(last_update_time=LONG_AGO)
    for attempt in (
        lambda: document.update({"n": 2}, option=stale),
        lambda: document.delete(option=stale),
        lambda: client.document("things/none").update({"n": 2}, option=stale),
    ):
        with pytest.raises(FailedPrecondition, match="does not match the required base version"):
            attempt()
    assert document.get().to_dict() == {"n": 1}


def test_the_current_update_time_is_accepted(client: Client, document: DocumentReference) -> None:
    """A precondition on the update time that was read lets the write through, once."""
    document.set({"n": 1})
    fresh = client.write_option(last_update_time=document.get().update_time)
    document.update({"n": 2}, option=fresh)
    with pytest.raises(FailedPrecondition):
        document.update({"n": 3}, option=fresh)
    assert document.get().to_dict() == {"n": 2}


def test_deleting_what_is_missing_succeeds_unless_it_must_exist(client: Client, document: DocumentReference) -> None:
    """A plain delete is idempotent; with the precondition `exists` it is NOT_FOUND."""
    document.delete()
    with pytest.raises(NotFound):
        document.delete(option=client.write_option(exists=True))


def test_a_write_that_changes_nothing_keeps_the_update_time(document: DocumentReference) -> None:
    """Setting a document to what it is leaves its update time alone, as documented."""
    document.set({"n": 1, "m": {"x": [1]}})
    before = document.get()
    document.set({"n": 1, "m": {"x": [1]}})
    assert document.get().update_time == before.update_time


def test_times_of_a_document_tell_its_story(document: DocumentReference) -> None:
    """The create time stays, the update time rises with every change, and a new life starts over."""
    document.set({"n": 1})
    first = document.get()
    document.update({"n": 2})
    second = document.get()
    document.delete()
    document.set({"n": 3})
    third = document.get()
    assert first.create_time == first.update_time == second.create_time
    assert first.update_time < second.update_time < third.create_time


TRANSFORMS: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("increment", {"a": 1}, {"a": firestore.Increment(2)}, {"a": 3}),
    ("increment with a double", {"a": 1}, {"a": firestore.Increment(0.5)}, {"a": 1.5}),
    ("increment of text", {"a": "x"}, {"a": firestore.Increment(2)}, {"a": 2}),
    ("increment of nothing", {"b": 1}, {"a": firestore.Increment(2)}, {"a": 2, "b": 1}),
    ("increment saturates", {"a": 2**63 - 1}, {"a": firestore.Increment(1)}, {"a": 2**63 - 1}),
    ("decrement saturates", {"a": -(2**63)}, {"a": firestore.Increment(-1)}, {"a": -(2**63)}),
    ("maximum", {"a": 3}, {"a": firestore.Maximum(4.5)}, {"a": 4.5}),
    ("maximum of equals keeps", {"a": 3}, {"a": firestore.Maximum(3.0)}, {"a": 3}),
    ("maximum of text", {"a": "x"}, {"a": firestore.Maximum(4)}, {"a": 4}),
    ("minimum", {"a": 3}, {"a": firestore.Minimum(1)}, {"a": 1}),
    ("minimum keeps", {"a": 3}, {"a": firestore.Minimum(5)}, {"a": 3}),
    ("union", {"a": [1]}, {"a": firestore.ArrayUnion([1.0, 2, 2, "x"])}, {"a": [1, 2, "x"]}),
    ("union with text", {"a": "x"}, {"a": firestore.ArrayUnion([1])}, {"a": [1]}),
    ("remove", {"a": [1, 1.0, 2, None]}, {"a": firestore.ArrayRemove([1, None])}, {"a": [2]}),
    ("remove from nothing", {"b": 1}, {"a": firestore.ArrayRemove([1])}, {"a": [], "b": 1}),
    ("nested", {"m": {"a": 1}}, {"m.a": firestore.Increment(1), "m.b": 2}, {"m": {"a": 2, "b": 2}}),
]


@pytest.mark.parametrize(
    ("before", "update", "after"), [row[1:] for row in TRANSFORMS], ids=[row[0] for row in TRANSFORMS]
)
def test_field_transforms(
    document: DocumentReference, before: dict[str, Any], update: dict[str, Any], after: dict[str, Any]
) -> None:
    """Every transform turns the stored value into the documented one, and keeps the number's type."""
    document.set(before)
    document.update(update)
    found = document.get().to_dict() or {}
    assert found == after
    assert {key: type(value) for key, value in found.items()} == {key: type(value) for key, value in after.items()}


@pytest.mark.parametrize("transform", [firestore.Maximum, firestore.Minimum])
def test_nan_wins_every_comparison(document: DocumentReference, transform: Callable[[float], Any]) -> None:
    """The maximum and minimum with NaN are NaN."""
    document.set({"a": 3})
    document.update({"a": transform(math.nan)})
    assert math.isnan((document.get().to_dict() or {})["a"])


def test_a_server_timestamp_is_the_time_of_the_commit(document: DocumentReference) -> None:
    """The server timestamp is set in every place at once and lies within the commit."""
    result = document.set({"at": firestore.SERVER_TIMESTAMP, "m": {"at": firestore.SERVER_TIMESTAMP}})
    found = document.get().to_dict() or {}
    assert found["at"] == found["m"]["at"]
    assert abs((found["at"] - result.update_time).total_seconds()) < 1


def test_a_commit_reports_what_transforms_made(client: Client, document: DocumentReference) -> None:
    """A commit returns one result per transform: the new number, and null for arrays."""
    document.set({"n": 1})
    transforms = [
        {"field_path": "n", "increment": {"integer_value": 4}},
        {"field_path": "l", "append_missing_elements": {"values": [{"integer_value": 1}]}},
    ]
    name = f"{documents_root(client)}/things/one"
    write = {"transform": {"document": name, "field_transforms": transforms}}
    answer = call(client, "commit", database=client._database_string, writes=[write])  # noqa: SLF001
    number, array = answer.write_results[0].transform_results
    assert number.integer_value == 5
    assert "null_value" in array
    assert document.get().to_dict() == {"n": 5, "l": [1]}


def test_merging_touches_only_what_it_names(document: DocumentReference) -> None:
    """A merge replaces leaves, keeps their neighbours, and can be limited to some fields."""
    document.set({"a": 1, "m": {"x": 1, "y": 2}})
    document.set({"m": {"x": 5}, "b.c": 1}, merge=True)
    document.set({"m": {"z": 1}}, merge=["m.z"])  # type: ignore[arg-type] # the client's own type is too narrow
    assert document.get().to_dict() == {"a": 1, "m": {"x": 5, "y": 2, "z": 1}, "b.c": 1}


def test_merging_creates_what_is_missing(document: DocumentReference) -> None:
    """A merge into nothing creates the document."""
    document.set({"a": {"b": 1}}, merge=True)
    assert document.get().to_dict() == {"a": {"b": 1}}


def test_deleted_fields_are_gone_and_missing_ones_no_error(document: DocumentReference) -> None:
    """Deleting a field removes it alone; deleting below a value that is no map changes nothing."""
    document.set({"m": {"a": 1, "b": 2}, "n": 1})
    document.update({"m.a": firestore.DELETE_FIELD, "n.x": firestore.DELETE_FIELD, "q": firestore.DELETE_FIELD})
    assert document.get().to_dict() == {"m": {"b": 2}, "n": 1}


def test_a_path_through_a_plain_value_makes_it_a_map(document: DocumentReference) -> None:
    """Setting m.a where m is a number replaces the number by a map."""
    document.set({"m": 1})
    document.update({"m.a.b": 5})
    assert document.get().to_dict() == {"m": {"a": {"b": 5}}}


def test_quoted_field_names(document: DocumentReference) -> None:
    """Dots, blanks and backticks in field names survive when quoted."""
    document.set({"n": 1})
    document.update({"`a.b`.`c d`": 3, "`x\\`y`": 4})
    assert document.get().to_dict() == {"n": 1, "a.b": {"c d": 3}, "x`y": 4}


@pytest.mark.parametrize("path", ["a..b", "a-b", ".a", "a.", "`a", ""])
def test_malformed_field_paths_are_refused(client: Client, path: str) -> None:
    """A field path that is neither simple nor quoted is INVALID_ARGUMENT."""
    write = {"update": {"name": f"{documents_root(client)}/things/one"}, "update_mask": {"field_paths": [path]}}
    with pytest.raises(InvalidArgument, match="property path"):
        call(client, "commit", database=client._database_string, writes=[write])  # noqa: SLF001


@pytest.mark.parametrize("segment", [".", "..", "__reserved__", "x" * 1501])
def test_document_ids_are_checked(client: Client, segment: str) -> None:
    """Reserved, dotted and overlong ids are INVALID_ARGUMENT."""
    with pytest.raises(InvalidArgument):
        client.document(f"things/{segment}").set({"n": 1})


@pytest.mark.parametrize("name", ["nonsense", "projects/p/databases/d", "{root}/things", "{root}/things//x"])
def test_malformed_names_are_refused(client: Client, name: str) -> None:
    """A name that is no document's is INVALID_ARGUMENT."""
    with pytest.raises(InvalidArgument):
        call(client, "get_document", name=name.format(root=documents_root(client)))


def nested(levels: int) -> dict[str, Any]:
    """Return maps within each other."""
    found: dict[str, Any] = {"leaf": 1}
    for _ in range(levels):
        found = {"m": found}
    return found


REFUSED: dict[str, dict[str, Any]] = {
    "reserved field": {"__x__": 1},
    "array in array": {"a": [[1]]},
    "21 levels": nested(21),
    "over 1 MiB": {"a": "x" * 1024 * 1024},
    "latitude": {"a": firestore.GeoPoint(91, 0)},
}


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_stored_is_refused(document: DocumentReference, content: dict[str, Any]) -> None:
    """Content beyond the documented limits is INVALID_ARGUMENT and nothing is stored."""
    with pytest.raises(InvalidArgument):
        document.set(content)
    assert not document.get().exists


@pytest.mark.parametrize("content", [nested(20), {"a": "x" * (1024 * 1024 - 200)}], ids=["20 levels", "almost 1 MiB"])
def test_what_is_just_within_the_limits_is_stored(document: DocumentReference, content: dict[str, Any]) -> None:
    """The documented limits themselves are allowed."""
    document.set(content)
    assert document.get().to_dict() == content


def test_a_batch_is_all_or_nothing(client: Client) -> None:
    """When one write of a batch fails none of the others is stored."""
    batch = client.batch()
    batch.set(client.document("things/one"), {"n": 1})
    batch.update(client.document("things/none"), {"n": 1})
    with pytest.raises(NotFound):
        batch.commit()
    assert not client.document("things/one").get().exists


def test_writes_of_one_batch_see_each_other(client: Client, document: DocumentReference) -> None:
    """Several writes on one document in a batch apply in order, at one commit time."""
    batch = client.batch()
    batch.create(document, {"n": 1})
    batch.update(document, {"n": firestore.Increment(1), "m": 1})
    batch.delete(document)
    batch.set(document, {"z": firestore.Increment(5)})
    results = batch.commit()
    assert document.get().to_dict() == {"z": 5}
    assert results[0].update_time == results[3].update_time == document.get().update_time


def test_batch_write_reports_each_outcome(client: Client) -> None:
    """BatchWrite applies what it can and gives each write its own status; a document twice is refused."""
    root, database = documents_root(client), client._database_string  # noqa: SLF001
    good = {"update": {"name": f"{root}/things/one", "fields": {"n": {"integer_value": 1}}}}
    bad = {"update": {"name": f"{root}/things/none"}, "current_document": {"exists": True}}
    answer = call(client, "batch_write", database=database, writes=[good, bad])
    assert [status.code for status in answer.status] == [0, 5]
    assert client.document("things/one").get().exists
    with pytest.raises(InvalidArgument):
        call(client, "batch_write", database=database, writes=[good, good])


def test_single_document_rpcs(client: Client) -> None:
    """CreateDocument, UpdateDocument and DeleteDocument do what their names say, with masks and preconditions."""
    root = documents_root(client)
    fields = {"n": {"integer_value": 1}, "m": {"integer_value": 2}}
    created = call(
        client, "create_document", parent=root, collection_id="things", document_id="one", document={"fields": fields}
    )
    assert created.name == f"{root}/things/one"
    with pytest.raises(AlreadyExists):
        call(client, "create_document", parent=root, collection_id="things", document_id="one", document={})
    changed = {"name": created.name, "fields": {"n": {"integer_value": 7}}}
    updated = call(
        client, "update_document", document=changed, update_mask={"field_paths": ["n"]}, mask={"field_paths": ["m"]}
    )
    assert set(updated.fields) == {"m"}
    assert client.document("things/one").get().to_dict() == {"n": 7, "m": 2}
    call(client, "delete_document", name=created.name, current_document={"exists": True})
    with pytest.raises(NotFound):
        call(client, "delete_document", name=created.name, current_document={"exists": True})


def test_create_document_invents_an_id(client: Client) -> None:
    """CreateDocument without an id makes up a new one each time."""
    names = {
        call(client, "create_document", parent=documents_root(client), collection_id="t", document={}).name
        for _ in "ab"
    }
    assert len(names) == 2


def test_a_commit_cannot_reach_another_database(client: Client) -> None:
    """A write whose document is of another database than the request is INVALID_ARGUMENT."""
    write = {"delete": "projects/other/databases/(default)/documents/a/b"}
    with pytest.raises(InvalidArgument):
        call(client, "commit", database=client._database_string, writes=[write])  # noqa: SLF001


def test_an_empty_write_is_refused(client: Client) -> None:
    """A write without an operation is INVALID_ARGUMENT; a commit without writes is fine."""
    call(client, "commit", database=client._database_string, writes=[])  # noqa: SLF001
    with pytest.raises(InvalidArgument):
        call(client, "commit", database=client._database_string, writes=[{}])  # noqa: SLF001


def test_listing_documents_in_pages(client: Client) -> None:
    """Documents are listed by name over all pages, with those that exist only as parents when asked for."""
    for name in ("b", "a", "c"):
        client.document(f"things/{name}").set({"n": 1})
    client.document("things/ghost/sub/x/deep/y").set({"n": 1})
    assert [found.id for found in client.collection("things").list_documents(page_size=2)] == ["a", "b", "c", "ghost"]
    answer = call(client, "list_documents", parent=documents_root(client), collection_id="things", page_size=2)
    assert [page.name.rpartition("/")[2] for page in answer] == ["a", "b", "c"]


def test_a_page_of_a_listing_says_how_to_go_on_exactly(client: Client) -> None:
    """A page that holds the last document carries no token for another."""
    client.document("things/a").set({})
    answer = call(client, "list_documents", parent=documents_root(client), collection_id="things", page_size=1)
    assert answer.next_page_token == ""


def test_a_listing_can_be_ordered_by_name_only(client: Client) -> None:
    """Listing in another order is refused rather than done wrongly."""
    with pytest.raises(GoogleAPICallError):
        call(client, "list_documents", parent=documents_root(client), collection_id="things", order_by="n desc")


def test_collections_are_listed_where_documents_are(client: Client) -> None:
    """Collections show below documents and the root, also where only deeper documents exist, and vanish with them."""
    deep = client.document("a/x/b/y/c/z")
    deep.set({})
    client.document("a2/x").set({})
    assert [found.id for found in client.collections()] == ["a", "a2"]
    assert [found.id for found in client.document("a/x").collections()] == ["b"]
    deep.delete()
    assert [found.id for found in client.collections()] == ["a2"]
    assert list(client.document("a/x").collections()) == []


def test_missing_documents_are_told_last(client: Client) -> None:
    """Of documents read together, those that exist come first, in the order asked for."""
    for name in ("a", "c"):
        client.document(f"things/{name}").set({})
    read = client.get_all([client.document(f"things/{name}") for name in "cba"])
    assert [(snapshot.id, snapshot.exists) for snapshot in read] == [("c", True), ("a", True), ("b", False)]


def test_collections_are_listed_in_pages(client: Client) -> None:
    """Pages of collection ids hold each once, in order; a negative page size is INVALID_ARGUMENT."""
    for name in ("c", "a", "e", "b", "d"):
        client.document(f"{name}/x").set({})
    root = documents_root(client)
    pages = [list(page.collection_ids) for page in call(client, "list_collection_ids", parent=root, page_size=2).pages]
    assert [page for page in pages if page] == [["a", "b"], ["c", "d"], ["e"]]
    with pytest.raises(InvalidArgument, match="page_size"):
        call(client, "list_collection_ids", parent=root, page_size=-1)


def test_a_precondition_cannot_be_newer_than_the_document(client: Client) -> None:
    """An expected update time beyond the document's own is INVALID_ARGUMENT; without a document it just fails."""
    written = client.document("a/x").set({"n": 1}).update_time
    later = client.write_option(last_update_time=written + timedelta(hours=1))
    with pytest.raises(InvalidArgument, match="greater than the stored version"):
        client.document("a/x").update({"n": 2}, option=later)
    with pytest.raises(InvalidArgument, match="greater than the stored version"):
        client.document("a/x").delete(option=later)
    with pytest.raises(FailedPrecondition, match="does not match"):
        client.document("a/none").delete(option=later)
    assert client.document("a/x").get().to_dict() == {"n": 1}
