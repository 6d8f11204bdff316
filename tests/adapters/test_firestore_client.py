"""The limits of each call, over a socket to a Firestore that is slow, and what is sent beside it."""

import time
from collections.abc import Callable, Iterator

import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore import Client

from functions.adapters.firestore import wire
from functions.adapters.firestore.client import Database
from functions.adapters.firestore.transactions import Transaction
from functions.adapters.firestore.writes import run_transaction
from localcloud.firestore import FirestoreServer
from localcloud.serving import unhurried

SHORT, SLOW = 0.3, 3.0
"""Seconds that stand for an attempt's limit, and that Firestore takes."""


@pytest.fixture
def database(firestore: FirestoreServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database over a socket, where attempts end after `SHORT`."""
    firestore.start()
    monkeypatch.setattr(wire, "RPC_SECONDS", SHORT)
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore.host)
    client = Client(project="demo-ecolane", credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]
    yield Database(client)
    client.close()  # type: ignore[no-untyped-call]
    firestore.stop()


def refused(_transaction: object) -> None:
    """Be a transaction's body that refuses."""
    raise LookupError


def in_transaction(body: Callable[[Database, Transaction], object]) -> Callable[[Database], object]:
    """Return a call of a transaction's body."""
    return lambda database: run_transaction(database.transaction(), lambda begun: body(database, begun))


CALLS: list[tuple[str, Callable[[Database], object]]] = [
    ("GetDocument", lambda database: database.get("things/a")),
    ("BatchGetDocuments", lambda database: database.get_all(["things/a"])),
    ("RunQuery", lambda database: database.collection("things").limit(1).stream()),
    ("RunQuery", lambda database: database.collection("things").limit(1).stream(once=True)),
    ("RunAggregationQuery", lambda database: database.collection("things").limit(1).count()),
    ("Commit", lambda database: database.batch().set("things/a", {"value": 1}).commit()),
    ("Commit", lambda database: database.batch().set("things/a", {"value": 1}).commit(once=True)),
    ("BatchWrite", lambda database: database.batch().set("things/a", {"value": 1}).commit_each()),
    ("BeginTransaction", in_transaction(lambda _database, begun: begun.begin())),
    ("Commit", in_transaction(lambda _database, begun: begun.set("things/a", {"value": 1}))),
    ("Commit", in_transaction(lambda database, begun: database.get("things/a", begun))),
    ("Rollback", in_transaction(lambda database, begun: refused(database.get("things/a", begun)))),
    ("BatchGetDocuments", in_transaction(lambda database, begun: database.get("things/a", begun))),
    ("RunQuery", in_transaction(lambda database, begun: database.collection("things").limit(1).stream(begun))),
]


@pytest.mark.parametrize(("rpc", "call"), CALLS, ids=[f"{number}-{rpc}" for number, (rpc, _) in enumerate(CALLS)])
def test_a_call_that_is_not_answered_ends_in_time(
    database: Database, firestore: FirestoreServer, rpc: str, call: Callable[[Database], object]
) -> None:
    """Nobody has to say how long: every kind of call has its limit, repeated or not, and so have those that a
    transaction makes of its own accord."""
    rule = firestore.faults.add("delay", rpc=rpc, delay_ms=int(1000 * SLOW), count=None)
    started = time.monotonic()
    with pytest.raises((exceptions.DeadlineExceeded, LookupError)):
        call(database)
    assert time.monotonic() - started < min(unhurried(3 * SHORT), SLOW)
    assert rule.struck == 1


def test_a_sum_has_the_time_that_its_caller_gives(database: Database, firestore: FirestoreServer) -> None:
    """A sum over a day's documents takes longer than an attempt at anything else."""
    firestore.faults.add("delay", rpc="RunAggregationQuery", delay_ms=int(2000 * SHORT))
    assert database.collection("things").limit(1).sums(seconds=SLOW, found=None) == {"found": 0}
