"""Reads in the past, on both servers: every kind of read at a `read_time` sees what was there, and nothing later."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.api_core.exceptions import FailedPrecondition
from google.cloud.firestore import Client

from localcloud.tests.firestore.support import call, documents_root, filtered, raw_call, request_of

State = dict[str, int]


@pytest.fixture
def moment(client: Client) -> Any:
    """A time at which things/a, things/b, things/p/sub/x and gone/x were there; all of them have changed since."""
    for path, n in {"things/a": 1, "things/b": 2, "things/p/sub/x": 3}.items():
        client.document(path).set({"n": n})
    then = client.document("gone/x").set({}).update_time
    client.document("things/a").update({"n": 10})
    client.document("things/b").delete()
    client.document("things/c").set({"n": 30})
    client.document("things/p/sub/x").delete()
    client.document("gone/x").delete()
    return then


READS: dict[str, Callable[[Client, Any], Any]] = {
    "get": lambda client, then: client.document("things/a").get(read_time=then).to_dict() == {"n": 1},
    "get a deleted one": lambda client, then: client.document("things/b").get(read_time=then).to_dict() == {"n": 2},
    "get a later one": lambda client, then: not client.document("things/c").get(read_time=then).exists,
    "get_all": lambda client, then: (
        sorted(
            found.id
            for found in client.get_all([client.document(f"things/{name}") for name in "abc"], read_time=then)
            if found.exists
        )
        == ["a", "b"]
    ),
    "query": lambda client, then: (
        [found.id for found in client.collection("things").order_by("n").stream(read_time=then)] == ["a", "b"]
    ),
    "query with a filter": lambda client, then: (
        [found.id for found in filtered(client.collection("things"), ("n", "<", 5)).stream(read_time=then)]
        == ["a", "b"]
    ),
    "query of a group": lambda client, then: (
        [found.id for found in client.collection_group("sub").stream(read_time=then)] == ["x"]
    ),
    "sum": lambda client, then: client.collection("things").sum("n").get(read_time=then)[0][0].value == 3,
    "average": lambda client, then: client.collection("things").avg("n").get(read_time=then)[0][0].value == 1.5,
    "list": lambda client, then: (
        [found.id for found in client.collection("things").list_documents(read_time=then)] == ["a", "b", "p"]
    ),
    "collections": lambda client, then: (
        [found.id for found in client.collections(read_time=then)] == ["gone", "things"]
    ),
    "collections below": lambda client, then: (
        [found.id for found in client.document("things/p").collections(read_time=then)] == ["sub"]
    ),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_every_read_can_be_in_the_past(client: Client, moment: Any, read: Callable[[Client, Any], bool]) -> None:
    """A read at a time sees the documents as they were, deleted ones included and later ones not."""
    assert read(client, moment)


def test_a_read_in_the_past_says_when(client: Client, moment: Any) -> None:
    """Documents read at a time come with that read time."""
    (found,) = client.get_all([client.document("things/a")], read_time=moment)
    assert found.read_time == moment
    assert all(found.read_time == moment for found in client.collection("things").stream(read_time=moment))


def test_a_read_only_transaction_can_be_in_the_past(client: Client, moment: Any) -> None:
    """A read-only transaction with a read time sees that time in all its reads, however it begins."""
    database = client._database_string  # noqa: SLF001
    options = {"read_only": {"read_time": moment}}
    begun = call(client, "begin_transaction", database=database, options=options).transaction
    root = documents_root(client)
    assert call(client, "get_document", name=f"{root}/things/b", transaction=begun).fields["n"].integer_value == 2
    query = {"from_": [{"collection_id": "things"}]}
    rows = call(client, "run_query", parent=root, structured_query=query, transaction=begun)
    assert [row.document.name.rpartition("/")[2] for row in rows] == ["a", "b"]
    rows = list(call(client, "run_query", parent=root, structured_query=query, new_transaction=options))
    assert [row.document.name.rpartition("/")[2] for row in rows if row.document.name] == ["a", "b"]


def test_a_page_in_the_past_goes_on_in_the_past(client: Client, moment: Any) -> None:
    """Pages of a listing at a time are cut from the list as it was."""
    pages = client.collection("things").list_documents(page_size=1, read_time=moment)
    assert [found.id for found in pages] == ["a", "b", "p"]


WRONG: dict[str, tuple[dict[str, int], str]] = {
    "future": ({"seconds": 4_000_000_000}, "cannot be in the future"),
    "nanoseconds": ({"seconds": 1_700_000_000, "nanos": 1}, "microseconds"),
    "no time": ({"seconds": -1}, "past epoch"),
    "empty": ({}, "past epoch"),
    "too many nanoseconds": ({"seconds": 1_700_000_000, "nanos": 2_000_000_000}, "imestamp"),
}


@pytest.mark.parametrize(("read_time", "text"), WRONG.values(), ids=WRONG)
def test_a_senseless_read_time_is_refused(host: str, read_time: dict[str, int], text: str) -> None:
    """A read time in the future, before 1970 or finer than a microsecond is INVALID_ARGUMENT, in a transaction, too."""
    name = "projects/demo/databases/(default)"
    for request in (
        request_of("BatchGetDocuments", database=name, documents=[f"{name}/documents/a/b"], read_time=read_time),
        request_of("BeginTransaction", database=name, options={"read_only": {"read_time": read_time}}),
    ):
        rpc = type(request).DESCRIPTOR.name.removesuffix("Request")
        with pytest.raises(grpc.RpcError, match=text) as refusal:
            raw_call(host, rpc, request.SerializeToString())
        assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_what_is_long_past_is_gone(client: Client) -> None:
    """A read time of last month is FAILED_PRECONDITION."""
    with pytest.raises(FailedPrecondition, match="too old"):
        client.document("a/b").get(read_time=datetime.now(UTC) - timedelta(days=30))


def test_every_moment_reads_as_it_was(client: Client) -> None:
    """Under concurrent commits a read at a time equals the state that all commits up to that time made."""
    paths = [f"c/d{number}" for number in range(6)]
    commits: list[tuple[Any, dict[str, int | None]]] = []
    seen: list[tuple[Any, State]] = []

    def write(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - repeatable
        for number in range(12):
            chosen = {path: chance.choice([None, seed * 100 + number]) for path in chance.sample(paths, 2)}
            batch = client.batch()
            for path, n in chosen.items():
                if n is None:
                    batch.delete(client.document(path))
                else:
                    batch.set(client.document(path), {"n": n})
            batch.commit()
            commits.append((batch.commit_time, chosen))
            at = chance.choice(commits)[0]
            seen.append((at, state_at(client, at)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    times = {at for at, _ in commits}
    seen.extend((at, state_at(client, at)) for at in times)
    for at, found in seen:
        expected: State = {}
        for _, chosen in sorted((commit for commit in commits if commit[0] <= at), key=lambda commit: commit[0]):
            for path, n in chosen.items():
                expected.pop(path, None)
                if n is not None:
                    expected[path] = n
        assert found == expected, at


def state_at(client: Client, at: Any) -> State:
    """Return what a query at a time finds."""
    return {found.reference.path: (found.to_dict() or {})["n"] for found in client.collection("c").stream(read_time=at)}
