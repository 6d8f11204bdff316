"""Listeners, on both servers: what `on_snapshot` tells, and what a client of the raw stream comes to have."""

from collections.abc import Iterator
from typing import Any

import pytest
from google.cloud.firestore import Client, DocumentReference, Or

from localcloud.tests.firestore.streaming import Listening, snapshots
from localcloud.tests.firestore.support import filtered, where


@pytest.fixture
def listening(host: str, client: Client) -> Iterator[Listening]:
    """An open stream of Listen."""
    with Listening(host, client) as stream:
        yield stream


def write(client: Client, **numbers: int | None) -> None:
    """Set the field `n` of documents of the collection `c`, or delete them, in one commit."""
    batch = client.batch()
    for name, number in numbers.items():
        document: DocumentReference = client.document(f"c/{name}")
        if number is None:
            batch.delete(document)
        else:
            batch.set(document, {"n": number})
    batch.commit()


def test_a_document_is_followed_through_its_life(client: Client) -> None:
    """A document's listener hears that it is missing, then created, changed and deleted."""
    document = client.document("c/one")
    with snapshots(document) as told:
        assert told.next() == ([], [])
        document.set({"n": 1})
        assert told.next() == ([("one", 1)], [("ADDED", "one")])
        document.update({"n": 2})
        assert told.next() == ([("one", 2)], [("MODIFIED", "one")])
        document.delete()
        assert told.next() == ([], [("REMOVED", "one")])


def test_a_query_is_followed(client: Client) -> None:
    """A query's listener gets the documents in order, then each that comes, changes and goes."""
    write(client, a=3, b=1)
    with snapshots(client.collection("c").order_by("n")) as told:
        assert told.next() == ([("b", 1), ("a", 3)], [("ADDED", "b"), ("ADDED", "a")])
        write(client, x=2)
        assert told.next() == ([("b", 1), ("x", 2), ("a", 3)], [("ADDED", "x")])
        write(client, b=9)
        assert told.next() == ([("x", 2), ("a", 3), ("b", 9)], [("MODIFIED", "b")])
        write(client, x=None)
        assert told.next() == ([("a", 3), ("b", 9)], [("REMOVED", "x")])


def test_a_document_enters_and_leaves_a_filter(client: Client) -> None:
    """A change that makes a document match adds it, one that ends the match removes it, others are not heard of."""
    write(client, a=1, b=1)
    with snapshots(filtered(client.collection("c"), ("n", ">", 4))) as told:
        assert told.next() == ([], [])
        write(client, a=5)
        assert told.next() == ([("a", 5)], [("ADDED", "a")])
        write(client, b=2)
        write(client, a=3)
        assert told.next() == ([], [("REMOVED", "a")])


@pytest.mark.parametrize(
    ("conditions", "enters", "leaves"),
    [
        ([("v", "==", 1)], 1, 2),
        ([("v", "in", [1, 2])], 2, 3),
        ([("v", "array_contains", 1)], [3, 1], [3]),
        ([("v", "array_contains_any", [1, 2])], [2], [4, 3]),
        ([("v", "!=", 1)], 2, 1),
        ([("v", "not-in", [1, 2])], 3, 2),
        ([("v", "<", 5), ("v", ">=", 3)], 4, 5),
        ([("m.x", "==", 1)], {}, {}),
    ],
)
def test_every_filter_is_followed(client: Client, conditions: list[Any], enters: Any, leaves: Any) -> None:
    """Whatever a query compares with, its listener hears of documents that come to match, and that no longer do."""
    document = client.document("c/one")
    document.set({"v": leaves})
    with snapshots(filtered(client.collection("c"), *conditions)) as told:
        assert told.next()[0] == []
        document.set({"v": enters, "m": {"x": 1}})
        assert [name for name, _ in told.next()[0]] == ["one"]
        document.set({"v": leaves})
        assert told.next()[0] == []


def test_a_disjunction_is_followed(client: Client) -> None:
    """A document that moves from one branch of an OR to the other stays; it leaves when neither matches."""
    write(client, a=1)
    query = client.collection("c").where(filter=Or([where("n", "==", 1), where("n", "==", 7)]))
    with snapshots(query) as told:
        assert told.next()[0] == [("a", 1)]
        write(client, a=7)
        assert told.next() == ([("a", 7)], [("MODIFIED", "a")])
        write(client, a=8)
        assert told.next()[0] == []


def test_a_collection_group_is_followed(client: Client) -> None:
    """A listener to a collection group hears of all its collections and of no other."""
    with snapshots(client.collection_group("posts")) as told:
        assert told.next()[0] == []
        client.document("users/u1/posts/p1").set({"n": 1})
        assert told.next()[0] == [("p1", 1)]
        client.document("users/u1/other/p3").set({"n": 3})
        client.document("posts/p2").set({"n": 2})
        assert sorted(told.next()[0]) == [("p1", 1), ("p2", 2)]


def test_a_window_slides(client: Client) -> None:
    """With a limit, a document that comes to the front pushes the last one out; when one goes, the next moves up."""
    write(client, a=1, b=2, c=3)
    with snapshots(client.collection("c").order_by("n").limit(2)) as told:
        assert told.next()[0] == [("a", 1), ("b", 2)]
        write(client, z=0)
        documents, changes = told.next()
        assert (documents, sorted(changes)) == ([("z", 0), ("a", 1)], [("ADDED", "z"), ("REMOVED", "b")])
        write(client, a=None)
        documents, changes = told.next()
        assert (documents, sorted(changes)) == ([("z", 0), ("b", 2)], [("ADDED", "b"), ("REMOVED", "a")])
        write(client, z=10)
        assert told.next()[0] == [("b", 2), ("c", 3)]


def test_a_window_from_the_end_slides(listening: Listening, client: Client) -> None:
    """A limit to the last ones comes as a limit in the opposite order, and is followed as such."""
    write(client, a=1, b=2, c=3)
    listening.query(2, client.collection("c").order_by("n", direction="DESCENDING").limit(2))
    listening.until(lambda told: told.have(2) == {"c": 3, "b": 2})
    write(client, d=4)
    listening.until(lambda told: told.have(2) == {"d": 4, "c": 3})


def test_cursors_bound_what_is_heard(client: Client) -> None:
    """A listener with cursors hears of documents between them."""
    with snapshots(client.collection("c").order_by("n").start_at({"n": 2}).end_before({"n": 5})) as told:
        assert told.next()[0] == []
        write(client, low=1, at=2, high=5)
        assert told.next()[0] == [("at", 2)]
        write(client, low=4, at=6)
        assert told.next()[0] == [("low", 4)]


def test_a_commit_is_heard_of_as_a_whole(client: Client) -> None:
    """All that one commit has done to a query arrives in one snapshot."""
    write(client, a=1, b=2)
    with snapshots(client.collection("c").order_by("n")) as told:
        assert told.next()[0] == [("a", 1), ("b", 2)]
        write(client, a=None, b=5, x=3, y=4)
        documents, changes = told.next()
        assert documents == [("x", 3), ("y", 4), ("b", 5)]
        assert changes == [("REMOVED", "a"), ("ADDED", "x"), ("ADDED", "y"), ("MODIFIED", "b")]


def test_all_targets_of_a_stream_are_at_one_time(listening: Listening, client: Client) -> None:
    """A document that moves from one query to another is never in both, nor in none, in a consistent state."""
    write(client, a=1)
    low, high = (filtered(client.collection("c"), ("n", op, 5)) for op in ("<", ">="))
    listening.query(2, low)
    listening.query(4, high)
    listening.until(lambda told: told.current == {2, 4})
    for number in (7, 2, 9, 3):
        write(client, a=number)
        seen: list[list[int]] = []

        def moved(told: Listening, seen: list[list[int]] = seen, number: int = number) -> bool:
            seen.append([each["n"] for target in told.targets.values() for each in target.values()])
            return seen[-1] == [number]

        listening.until(moved)
        assert all(len(each) == 1 for each in seen)


def test_documents_are_followed_together(listening: Listening, client: Client) -> None:
    """One target of several documents has those that exist, and learns of each that comes and goes."""
    write(client, a=1)
    listening.documents(2, "c/a", "c/b")
    listening.until(lambda told: told.current == {2})
    assert listening.have(2) == {"a": 1}
    write(client, a=None, b=2, x=3)
    listening.until(lambda told: told.have(2) == {"b": 2})


def test_a_removed_target_is_left_alone(listening: Listening, client: Client) -> None:
    """A target that is removed is acknowledged and hears no more, while the other one goes on."""
    for target in (2, 4):
        listening.query(target, client.collection("c").order_by("n"))
    listening.until(lambda told: told.current == {2, 4})
    listening.send(remove_target=2)
    while 2 not in listening.removed:
        listening.follow()
    write(client, a=1)
    listening.until(lambda told: told.have(4) == {"a": 1})
    assert 2 not in listening.targets


def test_a_bad_target_harms_no_other(listening: Listening, client: Client) -> None:
    """A query that cannot be served ends with its cause, and the stream and its other targets go on."""
    listening.query(2, client.collection("c").order_by("n"))
    bad = filtered(client.collection("c"), ("n", "in", [1]))
    message = bad._to_protobuf()._pb  # noqa: SLF001
    message.where.field_filter.value.integer_value = 1
    parent = f"{listening.database}/documents"
    listening.send(add_target={"query": {"parent": parent, "structured_query": message}, "target_id": 4})
    while 4 not in listening.causes:
        listening.follow()
    assert listening.causes[4].code == 3
    assert "'IN' requires" in listening.causes[4].message
    write(client, a=1)
    listening.until(lambda told: told.have(2) == {"a": 1})


@pytest.mark.parametrize("how", ["resume_token", "read_time"])
def test_a_target_is_resumed(host: str, client: Client, how: str) -> None:
    """After some time away a client that has kept its documents learns what has come, changed and gone."""
    query = client.collection("c").order_by("n")
    write(client, stays=1, changes=2, goes=3)
    with Listening(host, client) as before:
        before.query(2, query)
        before.until(lambda told: told.current == {2})
    write(client, changes=5, goes=None, comes=4)
    with Listening(host, client) as after:
        after.targets = before.targets
        known = {"resume_token": before.token} if how == "resume_token" else {"read_time": before.read_time}
        after.query(2, query, **known)
        after.until(lambda told: told.current == {2})
        assert after.have(2) == {"stays": 1, "comes": 4, "changes": 5}
        write(client, stays=None)
        after.until(lambda told: told.have(2) == {"comes": 4, "changes": 5})


def test_a_token_of_nobody_starts_anew(listening: Listening, client: Client) -> None:
    """With a token that says nothing to the server the client is told to forget what it has, and gets everything."""
    write(client, a=1)
    listening.targets[2] = {"projects/p/databases/d/documents/c/ghost": {"n": 7}}
    listening.query(2, client.collection("c").order_by("n"), resume_token=b"nonsense")
    listening.until(lambda told: told.current == {2})
    assert listening.have(2) == {"a": 1}


def test_a_stream_ends_when_the_client_has_finished(listening: Listening, client: Client) -> None:
    """A client that says that no request will follow ends its stream without an error."""
    listening.query(2, client.collection("c").order_by("n"))
    listening.until(lambda told: told.current == {2})
    listening.finish()
    while (response := listening.next()) is not None:
        assert response.HasField("target_change")
