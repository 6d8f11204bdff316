"""The limits of each call, over a socket to a Firestore that is slow."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore import Client
from google.cloud.firestore_v1.bulk_batch import BulkWriteBatch

from functions.adapters.firestore import BoundedClient
from functions.adapters.firestore import client as firestore_client
from functions.adapters.firestore.writes import run_transaction
from localcloud.firestore import FirestoreServer
from localcloud.serving import unhurried

SHORT, SLOW = 0.3, 3.0
"""Seconds that stand for an attempt's limit, and that Firestore takes."""


@pytest.fixture
def client(firestore: FirestoreServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A client over a socket whose attempts end after `SHORT`."""
    firestore.start()
    monkeypatch.setattr(firestore_client, "RPC_SECONDS", SHORT)
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore.host)
    client = BoundedClient(project="demo-ecolane", credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]
    yield client
    client.close()  # type: ignore[no-untyped-call]
    firestore.stop()


def with_one_write(batch: Any, client: Client) -> Any:
    """Return the batch with something to write."""
    batch.set(client.document("things/a"), {"value": 1})
    return batch


def refused(_transaction: object) -> None:
    """Be a transaction's body that refuses."""
    raise LookupError


CALLS: list[tuple[str, Callable[[Any], object]]] = [
    ("BatchGetDocuments", lambda client: client.document("things/a").get()),
    ("BatchGetDocuments", lambda client: client.document("things/a").get(retry=None)),
    ("BatchGetDocuments", lambda client: list(client.get_all([client.document("things/a")]))),
    ("RunQuery", lambda client: list(client.collection("things").limit(1).stream())),
    ("RunQuery", lambda client: list(client.collection("things").limit(1).stream(retry=None))),
    ("RunAggregationQuery", lambda client: client.collection("things").count().get()),
    ("Commit", lambda client: client.document("things/a").set({"value": 1})),
    ("Commit", lambda client: client.document("things/a").set({"value": 1}, retry=None)),
    ("Commit", lambda client: client.document("things/a").create({"value": 1})),
    ("Commit", lambda client: with_one_write(client.batch(), client).commit()),
    ("BatchWrite", lambda client: with_one_write(BulkWriteBatch(client), client).commit()),
    ("BeginTransaction", lambda client: run_transaction(client.transaction(), lambda _: None)),
    ("Commit", lambda client: run_transaction(client.transaction(), lambda _: None)),
    ("Rollback", lambda client: run_transaction(client.transaction(), refused)),
    (
        "BatchGetDocuments",
        lambda client: run_transaction(
            client.transaction(), lambda begun: client.document("things/a").get(transaction=begun)
        ),
    ),
    (
        "RunQuery",
        lambda client: run_transaction(
            client.transaction(), lambda begun: list(client.collection("things").limit(1).stream(begun))
        ),
    ),
]


@pytest.mark.parametrize(("rpc", "call"), CALLS, ids=[f"{number}-{rpc}" for number, (rpc, _) in enumerate(CALLS)])
def test_a_call_that_is_not_answered_ends_in_time(
    client: Client, firestore: FirestoreServer, rpc: str, call: Callable[[Any], object]
) -> None:
    """Nobody has to say how long: the transport does, for every kind of call, repeated or not, and for those that the
    library makes of its own accord in a transaction."""
    rule = firestore.faults.add("delay", rpc=rpc, delay_ms=int(1000 * SLOW), count=None)
    started = time.monotonic()
    with pytest.raises((exceptions.DeadlineExceeded, LookupError)):
        call(client)
    assert time.monotonic() - started < min(unhurried(3 * SHORT), SLOW)
    assert rule.struck == 1


def test_a_sum_has_the_time_that_its_caller_gives(client: Any, firestore: FirestoreServer) -> None:
    """A sum over a day's documents takes longer than an attempt at anything else."""
    firestore.faults.add("delay", rpc="RunAggregationQuery", delay_ms=int(2000 * SHORT))
    counted = client.collection("things").count().get(timeout=SLOW)[0][0]
    assert counted.value == 0
