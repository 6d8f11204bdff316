"""The three ways of writing: each does all of it, or tells that it did not."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore import Client
from google.rpc import code_pb2, status_pb2

from functions.adapters.firestore import writes
from functions.adapters.firestore.client import Database
from functions.adapters.firestore.transactions import Transaction, Writes
from functions.adapters.firestore.wire import Wire
from functions.adapters.firestore.writes import BULK_WRITES_MAX, guarded_bulk, guarded_update, run_transaction
from localcloud.firestore import FirestoreServer, Timing, in_process_client
from scripts.ecolane_cloud import PROJECT
from scripts.inprocess import StillClock


@pytest.fixture
def database(client: Client) -> Database:
    """The database, as the adapter reads and writes it."""
    return Database(client)


def stored(database: Database, path: str, **fields: Any) -> tuple[str, datetime]:
    """Store a document. Returns its path and version."""
    writes = database.batch().set(path, fields)
    writes.commit()
    return path, writes.versions[0]


def value(database: Database, path: str) -> Any:
    """Return the field that these tests change."""
    return database.get(path).fields.get("value")


def add_one(database: Database, path: str, transaction: Transaction) -> int:
    """Count up, as a charge counts down: read, decide, write."""
    before: int = database.get(path, transaction).fields["value"]
    transaction.update(path, {"value": before + 1})
    return before + 1


def count_up(database: Database, path: str) -> int:
    """Count up in a transaction of its own."""
    return run_transaction(database.transaction(), lambda transaction: add_one(database, path, transaction))


# Transactions


def test_a_transaction_returns_what_its_body_decided(database: Database) -> None:
    """The caller gets the body's result once it is written."""
    ref, _ = stored(database, "things/a", value=1)
    assert count_up(database, ref) == 2
    assert value(database, ref) == 2


@pytest.mark.parametrize("losses", [1, 4, 7])
def test_a_transaction_that_loses_to_others_is_repeated(losses: int) -> None:
    """The client gives up after five attempts; we go on, and the effect is there exactly once."""
    firestore = FirestoreServer(timing=Timing(idle_seconds=0.1))  # so that an attempt that lost lets go of its locks
    database = Database(in_process_client(firestore, PROJECT))
    ref, _ = stored(database, "things/a", value=1)
    rule = firestore.faults.add("abort", rpc="Commit", count=losses)
    count_up(database, ref)
    assert (value(database, ref), rule.struck) == (2, losses)


def test_a_transaction_that_never_wins_ends(
    database: Database, firestore: FirestoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is a limit to trying, and nothing is written beyond it."""
    monkeypatch.setattr(writes, "_REPEATED", writes._REPEATED.with_timeout(0.3))  # noqa: SLF001  (15 s in service)
    ref, _ = stored(database, "things/a", value=1)
    firestore.faults.add("abort", rpc="Commit", count=None)
    with pytest.raises(exceptions.RetryError):
        count_up(database, ref)
    assert value(database, ref) == 1


@pytest.mark.parametrize("error", [ValueError, LookupError, KeyError])
def test_an_error_in_the_body_writes_nothing_and_comes_through(database: Database, error: type[Exception]) -> None:
    """A refusal is the caller's to see, and is not repeated."""
    ref, _ = stored(database, "things/a", value=1)
    runs: list[int] = []

    def body(transaction: Transaction) -> None:
        runs.append(add_one(database, ref, transaction))
        raise error("no")

    with pytest.raises(error, match="no"):
        run_transaction(database.transaction(), body)
    assert (value(database, ref), len(runs)) == (1, 1)


def test_a_refusal_is_heard_although_its_rollback_fails(database: Database, firestore: FirestoreServer) -> None:
    """What the body says counts: taken for a lost reply, a refusal could be answered as a success."""
    ref, _ = stored(database, "things/a", value=1)

    def body(transaction: Transaction) -> None:
        add_one(database, ref, transaction)
        raise LookupError("no")

    firestore.faults.add("unavailable", rpc="Rollback")
    with pytest.raises(LookupError, match="no"):
        run_transaction(database.transaction(), body)
    assert value(database, ref) == 1


@pytest.fixture
def served(firestore: FirestoreServer) -> Iterator[Database]:
    """A database over a socket, for calls that wait for each other."""
    firestore.start()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FIRESTORE_EMULATOR_HOST", firestore.host)
        client = Client(project="demo-ecolane", credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]
        yield Database(client)
        client.close()  # type: ignore[no-untyped-call]
    firestore.stop()


def test_of_many_at_once_none_is_lost(served: Database) -> None:
    """Eight threads count up five times each: forty."""
    ref, _ = stored(served, "things/a", value=0)

    def count() -> None:
        for _ in range(5):
            count_up(served, ref)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value(served, ref) == 40


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any, Any]]:
    """The calls that are made: name, request, answer."""
    made: list[tuple[str, Any, Any]] = []
    call = Wire.call

    def noted(wire: Wire, rpc: str, request: Any, **options: Any) -> Any:
        answer = call(wire, rpc, request, **options)
        made.append((rpc, request, answer))
        return answer

    monkeypatch.setattr(Wire, "call", noted)
    return made


def names(requests: list[tuple[str, Any, Any]]) -> list[str]:
    """Return which calls were made since the last look."""
    made = [rpc for rpc, *_ in requests]
    requests.clear()
    return made


def test_a_transaction_costs_no_call_to_begin(database: Database, requests: list[tuple[str, Any, Any]]) -> None:
    """Its first read begins it, whatever it reads; what reads nothing is one commit, and what writes nothing either is
    no call."""
    ref, _ = stored(database, "things/a", value=1)
    names(requests)
    count_up(database, ref)
    assert names(requests) == ["BatchGetDocuments", "Commit"]
    query = database.collection("things").limit(1)
    run_transaction(database.transaction(), query.stream)
    assert names(requests) == ["RunQuery", "Commit"]
    run_transaction(database.transaction(read_only=True), lambda transaction: query.sums(transaction, one="value"))
    assert names(requests) == ["RunAggregationQuery", "Commit"]
    run_transaction(database.transaction(), lambda transaction: transaction.update(ref, {"value": 5}))
    assert names(requests) == ["Commit"]
    run_transaction(database.transaction(), lambda _: None)
    assert names(requests) == []
    assert value(database, ref) == 5


@pytest.mark.parametrize("begin", [False, True], ids=["first read", "own call"])
def test_an_attempt_after_a_loss_keeps_its_place(
    database: Database, firestore: FirestoreServer, requests: list[tuple[str, Any, Any]], begin: bool
) -> None:
    """Each attempt names the first one, and Firestore lets the older one go first."""
    ref, _ = stored(database, "things/a", value=1)
    firestore.faults.add("abort", rpc="Commit", count=2)

    def body(transaction: Transaction) -> None:
        if begin:
            transaction.begin()
        add_one(database, ref, transaction)

    run_transaction(database.transaction(), body)
    kind = "BeginTransaction" if begin else "BatchGetDocuments"
    begun = [(request, answer) for rpc, request, answer in requests if rpc == kind]
    options = [request.options if begin else request.new_transaction for request, _ in begun]
    ids = [(answer if begin else answer[0]).transaction for _, answer in begun]
    assert [each.read_write.retry_transaction for each in options] == [b"", ids[0], ids[0]]
    assert value(database, ref) == 2


def test_a_transaction_reads_a_document_once(database: Database, firestore: FirestoreServer) -> None:
    """What it has read does not change while it runs, so nobody pays for it again. A later attempt reads anew."""
    ref, _ = stored(database, "things/a", value=1)
    firestore.faults.add("abort", rpc="Commit")
    firestore.bill.reset()

    def body(transaction: Transaction) -> list[int]:
        read = [*database.get_all([ref, "things/b"], transaction), *database.get_all([ref, "things/c"], transaction)]
        add_one(database, ref, transaction)
        return [each.exists for each in read]

    assert run_transaction(database.transaction(), body) == [True, False, True, False]
    assert firestore.bill.snapshot()["totals"]["reads"] == 2 * 3


def test_a_transaction_reads_before_it_writes(database: Database) -> None:
    """It would not see what it has written itself."""
    ref, _ = stored(database, "things/a", value=1)

    def body(transaction: Transaction) -> None:
        add_one(database, ref, transaction)
        database.get("things/b", transaction)

    with pytest.raises(RuntimeError, match="before it writes"):
        run_transaction(database.transaction(), body)
    assert value(database, ref) == 1


@pytest.fixture
def soon_forgotten() -> tuple[FirestoreServer, StillClock]:
    """A Firestore whose locks of transactions that nobody uses go by a clock of ours."""
    clock = StillClock()
    return FirestoreServer(clock=clock, seconds=clock.seconds), clock


def test_a_first_read_whose_reply_is_lost_locks_what_it_has_read(
    soon_forgotten: tuple[FirestoreServer, StillClock], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a minute nobody can write it, and whoever tries hears that; nothing else is locked, and nothing is written
    twice. A transaction that begins by a call of its own leaves nothing locked."""
    monkeypatch.setattr(writes, "_REPEATED", writes._REPEATED.with_timeout(0.3))  # noqa: SLF001  (15 s in service)
    firestore, clock = soon_forgotten
    database = Database(in_process_client(firestore, PROJECT))
    (ref, _), (other, _) = stored(database, "things/a", value=1), stored(database, "things/b", value=1)
    firestore.faults.add("reply_lost", rpc="BatchGetDocuments")
    for _ in range(2):
        with pytest.raises(exceptions.RetryError):
            count_up(database, ref)
    assert (value(database, ref), count_up(database, other)) == (1, 2)
    clock.advance(timedelta(seconds=61))
    assert count_up(database, ref) == 2
    firestore.faults.add("reply_lost", rpc="BatchGetDocuments")

    def begun(transaction: Transaction) -> int:
        transaction.begin()
        return add_one(database, ref, transaction)

    assert run_transaction(database.transaction(), begun) == 3
    assert value(database, ref) == 3


# One document under its version


def test_a_guarded_update_changes_the_named_fields_and_returns_the_new_version(database: Database) -> None:
    """Other fields stay, and the returned version guards the next write."""
    ref, version = stored(database, "things/a", value=1, other="stays")
    second = guarded_update(database, ref, version, {"value": 2})
    assert second is not None
    assert guarded_update(database, ref, second, {"value": 3}) is not None
    assert database.get(ref).fields == {"value": 3, "other": "stays"}


def test_whoever_read_an_older_version_is_refused(database: Database) -> None:
    """Two read the same version: the first writes, the second hears that somebody was faster."""
    ref, version = stored(database, "things/a", value=1)
    assert guarded_update(database, ref, version, {"value": 2}) is not None
    assert guarded_update(database, ref, version, {"value": 3}) is None
    assert value(database, ref) == 2


def test_a_document_that_is_gone_is_not_brought_back(database: Database) -> None:
    """An update of what was deleted changes nothing."""
    ref, version = stored(database, "things/a", value=1)
    database.batch().delete(ref).commit()
    assert guarded_update(database, ref, version, {"value": 2}) is None
    assert not database.get(ref).exists


def test_a_store_that_is_down_is_no_refusal(
    database: Database, firestore: FirestoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ "Somebody was faster" is only said when it is so."""
    monkeypatch.setattr(writes, "_REPEATED", writes._REPEATED.with_timeout(0.2))  # noqa: SLF001  (15 s in service)
    ref, version = stored(database, "things/a", value=1)
    firestore.faults.add("abort", rpc="Commit", count=None)
    with pytest.raises(exceptions.RetryError):
        guarded_update(database, ref, version, {"value": 2})
    assert value(database, ref) == 1


# Many documents, each under its version


def test_in_bulk_each_write_succeeds_or_is_refused_alone(database: Database) -> None:
    """A stale and a deleted document among good ones: they are refused, in place, and the others are written."""
    refs, versions = zip(*(stored(database, f"things/{number}", value=0) for number in range(4)), strict=True)
    database.batch().update(refs[1], {"value": 9}).delete(refs[2]).commit()
    changes = [(ref, version, {"value": 1}) for ref, version in zip(refs, versions, strict=True)]
    done = guarded_bulk(database, changes)
    assert [version is not None for version in done] == [True, False, False, True]
    assert [value(database, ref) for ref in refs] == [1, 9, None, 1]
    assert not database.get(refs[2]).exists


def test_nothing_to_write_is_no_call(database: Database, firestore: FirestoreServer) -> None:
    """An empty list costs nothing."""
    firestore.faults.add("unavailable", rpc="BatchWrite", count=None)
    assert guarded_bulk(database, []) == []


def test_bulk_writes_go_in_calls_of_a_limited_size(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of writes is split into calls that stay within Firestore's request size, in order."""
    sizes: list[int] = []
    commit = Writes.commit_each

    def counted(bulk: Writes) -> Any:
        sizes.append(len(bulk.messages))
        return commit(bulk)

    monkeypatch.setattr(Writes, "commit_each", counted)
    pairs = [stored(database, f"things/{number}", value=0) for number in range(2 * BULK_WRITES_MAX + 1)]
    done = guarded_bulk(database, [(ref, version, {"value": n}) for n, (ref, version) in enumerate(pairs)])
    assert sizes == [BULK_WRITES_MAX, BULK_WRITES_MAX, 1]
    assert [value(database, ref) for ref, _ in pairs] == list(range(len(pairs)))
    assert None not in done


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (code_pb2.UNAVAILABLE, exceptions.ServiceUnavailable),
        (code_pb2.ABORTED, exceptions.Aborted),
        (code_pb2.RESOURCE_EXHAUSTED, exceptions.ResourceExhausted),
        (code_pb2.INTERNAL, exceptions.InternalServerError),
    ],
)
def test_a_bulk_write_that_was_neither_done_nor_refused_is_an_error_of_its_own(
    database: Database, monkeypatch: pytest.MonkeyPatch, code: int, error: type[Exception]
) -> None:
    """An entry that failed for another reason than its guard must not pass for "somebody was faster", and does not keep
    the others from being told."""
    changes = [(*stored(database, f"things/{name}", value=0), {"value": 1}) for name in "ab"]
    commit = Writes.commit_each

    def failing(bulk: Writes) -> Any:
        response = commit(bulk)
        response.status[0].CopyFrom(status_pb2.Status(code=code, message="not now"))
        return response

    monkeypatch.setattr(Writes, "commit_each", failing)
    first, second = guarded_bulk(database, changes)
    assert isinstance(first, error)
    assert isinstance(second, datetime)


def test_a_bulk_write_that_cannot_be_written_at_all_costs_no_other(database: Database) -> None:
    """A value that Firestore cannot store, here or there, is found among many; everything else is written."""
    changes: list[tuple[Any, datetime, dict[str, Any]]] = [
        (*stored(database, f"things/{number}", value=0), {"value": number}) for number in range(9)
    ]
    for number, bad in ((2, object()), (5, 2**70)):
        changes[number] = (*changes[number][:2], {"value": bad})
    outcomes = guarded_bulk(database, changes)
    assert [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Exception)] == [2, 5]
    assert [value(database, ref) for ref, *_ in changes] == [0, 1, 0, 3, 4, 0, 6, 7, 8]


def test_a_bulk_call_whose_reply_was_lost_has_written_once(database: Database, firestore: FirestoreServer) -> None:
    """The client repeats the call, and the repeated writes meet their own guards."""
    ref, version = stored(database, "things/a", value=0)
    rule = firestore.faults.add("reply_lost", rpc="BatchWrite")
    assert guarded_bulk(database, [(ref, version, {"value": 1})]) == [None]
    assert (value(database, ref), rule.struck) == (1, 1)
