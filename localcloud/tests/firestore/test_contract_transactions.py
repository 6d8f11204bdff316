"""Contract: transactions are serializable on the embedded and the official server. Nothing here makes anybody wait."""

from collections.abc import Iterable
from typing import Any

import pytest
from google.api_core.exceptions import AlreadyExists, InvalidArgument, NotFound
from google.cloud.firestore import Client, Transaction

from localcloud.tests.firestore.support import begun, call, documents_root, filtered, run


def test_a_transaction_reads_then_writes(client: Client) -> None:
    """What a transaction read is what its writes build on."""
    counter = client.document("counters/one")
    counter.set({"n": 1})

    def increment(transaction: Transaction) -> int:
        value = (counter.get(transaction=transaction).to_dict() or {})["n"]
        transaction.update(counter, {"n": value + 1})
        return int(value)

    assert [run(client, increment) for _ in range(3)] == [1, 2, 3]
    assert counter.get().to_dict() == {"n": 4}


def test_writes_are_invisible_until_the_commit(client: Client) -> None:
    """Others see all of a transaction's writes or none."""
    one, two = client.document("things/one"), client.document("things/two")
    transaction = begun(client)
    transaction.set(one, {"n": 1})
    transaction.set(two, {"n": 2})
    assert not one.get().exists
    transaction._commit()  # noqa: SLF001
    assert one.get().update_time == two.get().update_time


def test_a_rolled_back_transaction_leaves_nothing(client: Client) -> None:
    """An exception inside a transaction rolls it back and comes out unchanged."""
    document = client.document("things/one")

    def fail(transaction: Transaction) -> None:
        transaction.set(document, {"n": 1})
        raise KeyError("changed my mind")

    with pytest.raises(KeyError, match="changed my mind"):
        run(client, fail)
    assert not document.get().exists


@pytest.mark.parametrize("error", [AlreadyExists, NotFound])
def test_a_failed_precondition_ends_the_transaction_without_effect(client: Client, error: type[Exception]) -> None:
    """A transaction whose create or update is refused stores none of its writes, and its error reaches the caller."""
    present, absent, other = (client.document(f"things/{name}") for name in ("present", "absent", "other"))
    present.set({"n": 1})

    def body(transaction: Transaction) -> None:
        transaction.set(other, {"n": 1})
        if error is AlreadyExists:
            transaction.create(present, {})
        else:
            transaction.update(absent, {"n": 1})

    with pytest.raises(error):
        run(client, body)
    assert not other.get().exists


def test_queries_inside_a_transaction(client: Client) -> None:
    """A query inside a transaction finds what is committed, and its writes can depend on it."""

    def add(transaction: Transaction) -> int:
        found = len(list(filtered(client.collection("q"), ("g", "==", 1)).stream(transaction=transaction)))
        transaction.set(client.document(f"q/new{found}"), {"g": 1})
        return found

    assert [run(client, add) for _ in range(3)] == [0, 1, 2]


def test_an_aggregation_inside_a_transaction(client: Client) -> None:
    """A count inside a transaction is exact."""
    client.document("q/one").set({"g": 1})
    transaction = begun(client)
    query: Any = client.collection("q")
    rows = query.count("n").get(transaction=transaction)
    assert rows[0][0].value == 1
    transaction._rollback()  # noqa: SLF001


def test_a_read_only_transaction_sees_one_moment(client: Client) -> None:
    """Reads and queries of a read-only transaction ignore what was committed since, and block nobody."""
    document = client.document("q/one")
    document.set({"g": 1})
    transaction = begun(client, read_only=True)
    assert document.get(transaction=transaction).to_dict() == {"g": 1}
    document.update({"g": 2})
    client.document("q/two").set({"g": 1})
    client.document("q/three").set({"g": 1})
    client.document("q/three").delete()
    found = filtered(client.collection("q"), ("g", "==", 1)).stream(transaction=transaction)
    assert [snapshot.id for snapshot in found] == ["one"]
    assert not client.document("q/two").get(transaction=transaction).exists
    transaction._commit()  # noqa: SLF001
    assert document.get().to_dict() == {"g": 2}


def test_each_read_only_transaction_sees_its_own_moment(client: Client) -> None:
    """Two read-only transactions begun at different times see different states of one document."""
    document = client.document("q/one")
    readers = []
    for number in range(3):
        document.set({"n": number})
        readers.append(begun(client, read_only=True))
        assert document.get(transaction=readers[-1]).to_dict() == {"n": number}
    document.delete()
    assert [document.get(transaction=reader).to_dict() for reader in readers] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert not document.get().exists


def test_a_read_only_transaction_cannot_write(client: Client) -> None:
    """Writes in a read-only transaction are INVALID_ARGUMENT."""
    database = client._database_string  # noqa: SLF001
    begun_one = call(client, "begin_transaction", database=database, options={"read_only": {}})
    write = {"delete": f"{documents_root(client)}/things/one"}
    with pytest.raises(InvalidArgument, match="read-only transaction"):
        call(client, "commit", database=database, transaction=begun_one.transaction, writes=[write])


def test_a_transaction_commits_once(client: Client) -> None:
    """Committing a transaction again is INVALID_ARGUMENT; rolling it back then is harmless."""
    database = client._database_string  # noqa: SLF001
    transaction = call(client, "begin_transaction", database=database).transaction
    call(client, "commit", database=database, transaction=transaction, writes=[])
    with pytest.raises(InvalidArgument, match=r"no longer valid|invalid or closed"):
        call(client, "commit", database=database, transaction=transaction, writes=[])
    call(client, "rollback", database=database, transaction=transaction)


def _finished(answer: Any) -> None:
    """Read a streamed answer to its end, where an error may wait; others are finished already."""
    if isinstance(answer, Iterable):
        list(answer)


@pytest.mark.parametrize("method", ["commit", "rollback", "batch_get_documents", "run_query"])
def test_an_unknown_transaction_is_refused(client: Client, method: str) -> None:
    """A transaction id that was never given out is INVALID_ARGUMENT everywhere."""
    root, database = documents_root(client), client._database_string  # noqa: SLF001
    request: dict[str, Any] = {"database": database, "transaction": b"garbage"}
    if method == "batch_get_documents":
        request["documents"] = [f"{root}/things/one"]
    if method == "run_query":
        request = {"parent": root, "structured_query": {"from_": [{"collection_id": "q"}]}, "transaction": b"garbage"}
    with pytest.raises(InvalidArgument):
        _finished(call(client, method, **request))


@pytest.mark.parametrize("method", ["batch_get_documents", "run_query", "run_aggregation_query"])
def test_a_read_can_begin_a_transaction(client: Client, method: str) -> None:
    """Reads that ask for a new transaction return its id, and a commit with that id goes through."""
    root, database = documents_root(client), client._database_string  # noqa: SLF001
    client.document("q/one").set({"n": 1})
    query = {"from_": [{"collection_id": "q"}]}
    request: dict[str, Any] = {
        "batch_get_documents": {"database": database, "documents": [f"{root}/q/one"]},
        "run_query": {"parent": root, "structured_query": query},
        "run_aggregation_query": {
            "parent": root,
            "structured_aggregation_query": {"structured_query": query, "aggregations": [{"count": {}}]},
        },
    }[method]
    answers = list(call(client, method, **request, new_transaction={"read_write": {}}))
    transaction = next(answer.transaction for answer in answers if answer.transaction)
    write = {"update": {"name": f"{root}/q/one", "fields": {"n": {"integer_value": 2}}}}
    call(client, "commit", database=database, transaction=transaction, writes=[write])
    assert client.document("q/one").get().to_dict() == {"n": 2}


def test_a_transaction_can_be_retried_by_id(client: Client) -> None:
    """Beginning a transaction as the retry of an earlier one is accepted."""
    database = client._database_string  # noqa: SLF001
    first = call(client, "begin_transaction", database=database).transaction
    call(client, "rollback", database=database, transaction=first)
    options = {"read_write": {"retry_transaction": first}}
    second = call(client, "begin_transaction", database=database, options=options).transaction
    assert second != first
    call(client, "commit", database=database, transaction=second, writes=[])
