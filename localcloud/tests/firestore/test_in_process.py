"""A real client whose calls go straight into the service: no socket, no threads, the same every time."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.api_core.exceptions import Aborted, AlreadyExists, ServiceUnavailable
from google.cloud.firestore import SERVER_TIMESTAMP, Client, Transaction, transactional

from localcloud.firestore import FirestoreServer, Timing, in_process_client
from localcloud.tests.firestore.support import count, filtered, ids

START = datetime(2026, 1, 1, tzinfo=UTC)


class Moment:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def seconds(self) -> float:
        """Return the running time."""
        return (self.now - START).total_seconds()


@pytest.fixture
def moment() -> Moment:
    """The server's clock."""
    return Moment()


@pytest.fixture
def idle_server(moment: Moment) -> FirestoreServer:
    """A server that was never started."""
    return FirestoreServer(clock=moment, seconds=moment.seconds, timing=Timing())


@pytest.fixture
def direct(idle_server: FirestoreServer) -> Client:
    """A client of it."""
    return in_process_client(idle_server)


def begun(client: Client) -> Transaction:
    """Return a transaction that has begun."""
    transaction = client.transaction()
    transaction._begin()  # noqa: SLF001 - the public way runs all steps at once
    return transaction


def test_everything_works_without_a_socket(direct: Client) -> None:
    """Documents, queries, aggregations, collections and errors are as over the network."""
    direct.document("a/x").set({"n": 1})
    direct.document("a/y").create({"n": 2})
    with pytest.raises(AlreadyExists, match="Document already exists"):
        direct.document("a/y").create({})
    assert ids(filtered(direct.collection("a"), ("n", ">", 1))) == ["y"]
    assert count(direct.collection("a")) == 2
    assert [collection.id for collection in direct.collections()] == ["a"]
    assert direct.recursive_delete(direct.collection("a")) == 2


def test_no_threads_are_started(direct: Client) -> None:
    """Calls, transactions included, run in the caller's own thread."""
    before = threading.active_count()
    transactional(lambda transaction: transaction.set(direct.document("a/x"), {}))(direct.transaction())
    direct.document("a/x").get()
    assert threading.active_count() == before


def test_time_is_the_clocks_and_always_rises(direct: Client, moment: Moment) -> None:
    """Commit times and server timestamps come from the clock; while it stands still they rise by microseconds."""
    first = direct.document("a/x").set({"at": SERVER_TIMESTAMP}).update_time
    second = direct.document("a/y").set({"at": SERVER_TIMESTAMP}).update_time
    assert START <= first < second < START + timedelta(milliseconds=1)
    moment.now += timedelta(days=1)
    assert direct.document("a/z").set({}).update_time >= START + timedelta(days=1)


def test_a_conflict_is_aborted_without_waiting(direct: Client) -> None:
    """A commit that would have to wait is ABORTED at once; a read never is."""
    document = direct.document("a/x")
    document.set({"n": 0})
    one, two = begun(direct), begun(direct)
    document.get(transaction=one)
    document.get(transaction=two)
    one.update(document, {"n": 1})
    two.update(document, {"n": 2})
    with pytest.raises(Aborted):
        one._commit()  # noqa: SLF001
    two._commit()  # noqa: SLF001
    assert document.get().to_dict() == {"n": 2}


def test_what_happens_while_waiting_can_be_decided(idle_server: FirestoreServer) -> None:
    """With `wait` somebody else gets a turn, after which the commit goes through."""
    others: list[Transaction] = []
    waited: list[float] = []

    def wait(_: Any, seconds: float) -> bool:
        waited.append(seconds)
        for other in others:
            other._rollback()  # noqa: SLF001
        return True

    client = in_process_client(idle_server, wait=wait)
    document = client.document("a/x")
    document.set({"n": 0})
    others.append(begun(client))
    document.get(transaction=others[0])
    document.set({"n": 1})
    assert waited == [60.0]
    assert document.get().to_dict() == {"n": 1}


def test_a_crashed_transaction_expires_by_the_clock(direct: Client, moment: Moment) -> None:
    """The locks of a transaction that nobody continues are gone after a minute of the server's time."""
    document = direct.document("a/x")
    document.set({"n": 0})
    document.get(transaction=begun(direct))
    with pytest.raises(Aborted):
        document.set({"n": 1})
    moment.now += timedelta(seconds=61)
    document.set({"n": 2})
    assert document.get().to_dict() == {"n": 2}


def test_calls_can_be_intercepted(idle_server: FirestoreServer) -> None:
    """An interceptor sees every call and can crash before it takes effect or after."""
    seen: list[str] = []

    def intercept(rpc: str, proceed: Any) -> list[bytes]:
        seen.append(rpc)
        answers: list[bytes] = proceed()
        if rpc == "Commit":
            raise KeyboardInterrupt
        return answers

    client = in_process_client(idle_server, intercept=intercept)
    with pytest.raises(KeyboardInterrupt):
        client.document("a/x").set({"n": 1})
    assert client.document("a/x").get().exists
    assert seen == ["Commit", "BatchGetDocuments"]


def test_bill_and_faults_are_the_servers(direct: Client, idle_server: FirestoreServer) -> None:
    """What is done in process is billed and can fail like anything else."""
    direct.document("a/x").set({})
    assert idle_server.bill.snapshot()["totals"]["writes"] == 1
    idle_server.faults.add("unavailable", rpc="Commit")
    with pytest.raises(ServiceUnavailable):
        direct.document("a/x").set({}, retry=None)


def test_a_run_repeats_exactly() -> None:
    """Two servers given the same calls hold the same documents, times included."""

    def run() -> list[tuple[str, Any, Any]]:
        server = FirestoreServer(clock=Moment())
        client = in_process_client(server)
        for number in range(20):
            client.document(f"a/d{number % 7}").set({"n": number})
        client.document("a/d3").delete()
        return [(found.id, found.to_dict(), found.update_time) for found in client.collection("a").stream()]

    assert run() == run()


def test_a_listener_needs_a_socket(direct: Client) -> None:
    """Listening, which takes threads, is refused at once, and the text says what to do."""
    call = direct._firestore_api._transport.listen  # noqa: SLF001 - the library only listens in a thread of its own
    with pytest.raises(grpc.RpcError, match="start the server") as caught:
        next(call(iter(())))
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
