"""Contract: every way the client libraries talk to Firestore works on the embedded and the official server."""

import asyncio
from collections.abc import Iterator
from typing import Any

import firebase_admin
import pytest
from firebase_admin import credentials
from firebase_admin import firestore as admin_firestore
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore import AsyncClient, AsyncTransaction, Client, Increment, async_transactional
from google.cloud.firestore_v1.bulk_writer import BulkWriterOptions, SendMode

from localcloud.tests.firestore.support import close, connect, count, emulator_host, filtered, ids


def test_the_async_client(host: str) -> None:
    """Documents, queries, aggregations and transactions work through the asynchronous client."""

    async def scenario() -> None:
        client = connect(host, kind=AsyncClient)
        counter = client.document("counters/one")
        await counter.set({"n": 1})

        @async_transactional
        async def increment(transaction: AsyncTransaction) -> None:
            value = ((await counter.get(transaction=transaction)).to_dict() or {})["n"]
            transaction.update(counter, {"n": value + 1})

        await increment(client.transaction())
        found = [
            snapshot.to_dict() async for snapshot in filtered(client.collection("counters"), ("n", ">", 1)).stream()
        ]
        assert found == [{"n": 2}]
        counters: Any = client.collection("counters")
        assert [row[0].value for row in await counters.count().get()] == [1]
        assert [collection.id async for collection in client.collections()] == ["counters"]
        await client._firestore_api.transport.close()  # noqa: SLF001 - the asynchronous client has no close

    asyncio.run(scenario())


@pytest.mark.parametrize("mode", [SendMode.serial, SendMode.parallel])
def test_the_bulk_writer(client: Client, mode: SendMode) -> None:
    """Hundreds of writes through the bulk writer all arrive, and a failing one is reported alone."""
    failed: list[str] = []
    writer: Any = client.bulk_writer(options=BulkWriterOptions(mode=mode))
    writer.on_write_error(lambda failure, _: failed.append(failure.operation.reference.id))
    for number in range(120):
        writer.set(client.document(f"bulk/d{number}"), {"n": number})
    writer.update(client.document("bulk/absent"), {"n": Increment(1)})
    writer.close()
    assert count(client.collection("bulk")) == 120
    assert failed == ["absent"]


def test_recursive_delete(client: Client) -> None:
    """A recursive delete removes documents at every depth, also below missing ones, and leaves the neighbours."""
    for path in ("a/x", "a/y", "a/x/sub/s", "a/gone/sub/t/deep/u", "b/z"):
        client.document(path).set({"n": 1})
    assert client.recursive_delete(client.collection("a"), chunk_size=2) == 4
    assert [collection.id for collection in client.collections()] == ["b"]


def test_recursive_delete_of_a_document(client: Client) -> None:
    """A recursive delete of a document takes along what lies below it alone."""
    for path in ("a/x", "a/x/sub/s", "a/xx"):
        client.document(path).set({"n": 1})
    client.recursive_delete(client.document("a/x"))
    assert ids(client.collection("a")) == ["xx"]


def test_pages_by_chunks(client: Client) -> None:
    """A query read chunk by chunk misses and repeats nothing."""
    for number in range(7):
        client.document(f"a/d{number}").set({"n": number % 2})
    pages: list[list[str]] = []
    query = client.collection("a").order_by("n").limit(3)
    while page := query.get():
        pages.append([snapshot.id for snapshot in page])
        query = client.collection("a").order_by("n").limit(3).start_after(page[-1])
    assert pages == [["d0", "d2", "d4"], ["d6", "d1", "d3"], ["d5"]]


class NoCredential(credentials.Base):  # type: ignore[misc] # firebase_admin carries no types
    """What firebase-admin needs where nobody has an account."""

    def get_credential(self) -> AnonymousCredentials:
        """Return credentials that sign nothing."""
        return AnonymousCredentials()  # type: ignore[no-untyped-call]


@pytest.fixture
def admin(host: str) -> Iterator[Client]:
    """A Firestore client as firebase-admin makes it."""
    with emulator_host(host):
        app = firebase_admin.initialize_app(NoCredential(), options={"projectId": "demo-admin"}, name=f"app-{host}")
        client = admin_firestore.client(app)
        client.document("admin/one").delete()
        yield client
    close(client)
    firebase_admin.delete_app(app)


def test_firebase_admin(admin: Client) -> None:
    """The client of firebase-admin reads, writes and queries."""
    admin.document("admin/one").set({"n": 1})
    assert ids(filtered(admin.collection("admin"), ("n", "==", 1))) == ["one"]


def test_named_databases_are_apart(host: str) -> None:
    """Projects, and databases of one project, share nothing."""
    one, two = connect(host), connect(host)
    one.document("a/x").set({"n": 1})
    assert not two.document("a/x").get().exists
    for client in (one, two):
        close(client)
