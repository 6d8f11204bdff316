"""Many clients at once: nothing is lost, nobody waits for ever, and what cannot be serialized is aborted."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from google.api_core.exceptions import Aborted, DeadlineExceeded, FailedPrecondition, InvalidArgument
from google.cloud.firestore import Client, Increment, Transaction

from localcloud.firestore import FirestoreServer, Timing
from localcloud.serving import unhurried
from localcloud.tests.firestore.streaming import Listening, snapshots
from localcloud.tests.firestore.support import begun, call, close, connect, documents_root, filtered, run

THREADS = 8


def in_threads(work: Callable[[int], Any], threads: int = THREADS) -> list[Any]:
    """Run `work(0)`, `work(1)`, ... at once and return what they return; what they raise comes out."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, range(threads)))


def locks_of(server: FirestoreServer) -> Any:
    """Return the lock table of the only database in use."""
    (session,) = server.engine.sessions.values()
    return session.transactions.locks


def open_transactions(server: FirestoreServer) -> int:
    """Return how many transactions are open."""
    return sum(len(session.transactions) for session in server.engine.sessions.values())


def increment(client: Client, path: str) -> None:
    """Read a counter and write one more, as a transaction."""
    counter = client.document(path)

    def body(transaction: Transaction) -> None:
        found = counter.get(transaction=transaction).to_dict() or {"n": 0}
        transaction.set(counter, {"n": found["n"] + 1})

    run(client, body)


def value(client: Client, path: str) -> int:
    """Return a counter."""
    return int((client.document(path).get().to_dict() or {"n": 0})["n"])


def test_eight_clients_count_on_one_document(strict: Client, server: FirestoreServer) -> None:
    """8 threads of 10 transactional increments end at exactly 80, with the client's own retries."""

    def work(_: int) -> None:
        for _ in range(10):
            increment(strict, "counters/one")

    in_threads(work)
    assert value(strict, "counters/one") == 80
    assert locks_of(server).idle()
    assert open_transactions(server) == 0


def test_one_hot_document_takes_a_hundred_transactions_a_second(strict: Client) -> None:
    """When all 8 clients want one document, 100 transactions take less than a second of the processor, and not much
    longer than on a document for each: nobody sleeps in line."""

    def spent(path: str) -> tuple[float, float]:
        """Return what 8 times 10 increments took, in seconds of the clock and of the processor."""

        def work(thread: int) -> None:
            for _ in range(10):
                increment(strict, path.format(thread))

        started, worked = time.perf_counter(), time.process_time()
        in_threads(work)
        return time.perf_counter() - started, time.process_time() - worked

    spent("counters/warm-{}")
    one, each = zip(*[(spent("counters/one"), spent("counters/of-{}")) for _ in range(3)], strict=True)
    assert value(strict, "counters/one") == 240
    assert 80 / min(worked for _, worked in one) > 100
    assert min(took for took, _ in one) < 4 * min(took for took, _ in each)


def test_transfers_keep_the_total(strict: Client) -> None:
    """Transfers between accounts in opposite directions neither deadlock nor make or lose money."""
    for name in "abc":
        strict.document(f"accounts/{name}").set({"n": 100})

    def transfer(thread: int) -> None:
        source, target = (strict.document(f"accounts/{'abc'[(thread + step) % 3]}") for step in (0, 1 + thread % 2))
        for _ in range(5):

            def body(transaction: Transaction) -> None:
                balances = [(account.get(transaction=transaction).to_dict() or {})["n"] for account in (source, target)]
                transaction.update(source, {"n": balances[0] - 1})
                transaction.update(target, {"n": balances[1] + 1})

            run(strict, body)

    in_threads(transfer)
    assert sum(value(strict, f"accounts/{name}") for name in "abc") == 300


def test_write_skew_is_impossible(strict: Client) -> None:
    """Two transactions that read two documents and each write another of them cannot both go by what they read."""
    for attempt in range(10):
        doctors = [strict.document(f"duty{attempt}/{name}") for name in "ab"]
        for doctor in doctors:
            doctor.set({"on": True})
        together = threading.Barrier(2)

        def leave(index: int, doctors: list[Any] = doctors, together: threading.Barrier = together) -> None:
            met: list[bool] = []

            def body(transaction: Transaction) -> None:
                states = [(doctor.get(transaction=transaction).to_dict() or {})["on"] for doctor in doctors]
                if not met:
                    met.append(True)
                    together.wait(60)
                if all(states):
                    transaction.update(doctors[index], {"on": False})

            run(strict, body)

        in_threads(leave, 2)
        assert [(doctor.get().to_dict() or {})["on"] for doctor in doctors].count(True) == 1


def test_a_deadlock_aborts_exactly_one(strict: Client) -> None:
    """Of two transactions that wait for each other the younger one is aborted at once, the elder goes through."""
    one, two = strict.document("d/one"), strict.document("d/two")
    one.set({"n": 0})
    two.set({"n": 0})
    elder, younger = begun(strict), begun(strict)
    one.get(transaction=elder)
    two.get(transaction=younger)
    elder.update(two, {"n": 1})
    younger.update(one, {"n": 2})
    with ThreadPoolExecutor(1) as pool:
        started = time.perf_counter()
        waiting = pool.submit(elder._commit)  # noqa: SLF001
        time.sleep(0.1)
        with pytest.raises(Aborted, match="contention"):
            younger._commit()  # noqa: SLF001
        waiting.result(10)
    assert time.perf_counter() - started < 10
    assert (two.get().to_dict(), one.get().to_dict()) == ({"n": 1}, {"n": 0})


def test_the_younger_one_gives_way_even_if_it_waits_already(strict: Client) -> None:
    """When the elder closes a circle of waiting, the younger's commit, which waits already, is the one aborted."""
    one, two = strict.document("d/one"), strict.document("d/two")
    elder, younger = begun(strict), begun(strict)
    one.get(transaction=elder)
    two.get(transaction=younger)
    elder.set(two, {"n": 1})
    younger.set(one, {"n": 2})
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(younger._commit)  # noqa: SLF001
        time.sleep(0.1)
        started = time.perf_counter()
        elder._commit()  # noqa: SLF001
        assert time.perf_counter() - started < 10
        with pytest.raises(Aborted, match="contention"):
            waiting.result(10)
    assert (two.get().to_dict(), one.get().exists) == ({"n": 1}, False)


def test_a_write_waits_for_a_reader_to_end(strict: Client) -> None:
    """A plain write to a document that an open transaction has read waits, and goes through when that one ends."""
    document = strict.document("d/one")
    document.set({"n": 0})
    reader = begun(strict)
    document.get(transaction=reader)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(document.update, {"n": 1})
        time.sleep(0.15)
        assert not writing.done()
        assert document.get().to_dict() == {"n": 0}
        reader._rollback()  # noqa: SLF001
        writing.result(10)
    assert document.get().to_dict() == {"n": 1}


def test_readers_share(strict: Client) -> None:
    """Transactions that only read the same document do not wait for each other."""
    document = strict.document("d/one")
    document.set({"n": 0})
    readers = [begun(strict) for _ in range(3)]
    for reader in readers:  # one after the other: whoever waited here would wait for ever, and be refused
        document.get(transaction=reader)
        reader.set(strict.document(f"d/of-{readers.index(reader)}"), {})
    for reader in readers:
        reader._commit()  # noqa: SLF001


def test_a_shared_document_that_nobody_writes_is_no_bottleneck(strict: Client) -> None:
    """After one write to a widely read document its readers do not go on standing in line."""
    strict.document("config/one").set({"n": 0})
    written, all_have_read = threading.Event(), threading.Barrier(7)

    def work(thread: int) -> None:
        if thread == 0:
            time.sleep(0.05)
            strict.document("config/one").update({"n": 1})
            written.set()
            return

        last = False

        def body(transaction: Transaction) -> None:
            strict.document("config/one").get(transaction=transaction)
            if last:
                all_have_read.wait(60)  # if these were served one after the other, the first would wait for ever
            transaction.set(strict.document(f"own/{thread}"), {"n": 1})

        while not last:
            last = written.is_set()
            run(strict, body)

    in_threads(work)


def test_a_phantom_aborts_the_transaction(strict: Client) -> None:
    """A document that would have matched a transaction's query, added before it commits, makes the commit ABORTED."""
    query = filtered(strict.collection("q"), ("g", "==", 1))
    first = begun(strict)
    assert list(query.stream(transaction=first)) == []
    strict.document("q/other").set({"g": 2})
    strict.document("q/phantom").set({"g": 1})
    first.set(strict.document("q/sum"), {"found": 0})
    with pytest.raises(Aborted):
        first._commit()  # noqa: SLF001
    second = begun(strict)
    assert len(list(query.stream(transaction=second))) == 1
    strict.document("q/unrelated").set({"g": 3})
    second._commit()  # noqa: SLF001


def test_a_count_that_changes_aborts_the_transaction(strict: Client) -> None:
    """An aggregation inside a transaction must still hold at the commit."""
    transaction = begun(strict)
    query: Any = strict.collection("q")
    query.count().get(transaction=transaction)
    strict.document("q/new").set({})
    transaction.set(strict.document("totals/q"), {"n": 0})
    with pytest.raises(Aborted):
        transaction._commit()  # noqa: SLF001


def test_concurrent_claims_take_every_job_once(strict: Client) -> None:
    """Workers that query for jobs and claim them in one transaction share them out without loss or repeat."""
    batch = strict.batch()
    for number in range(40):
        batch.set(strict.document(f"jobs/j{number:02d}"), {"status": "queued"})
    batch.commit()

    def claim(_: int) -> list[str]:
        claimed: list[str] = []

        def body(transaction: Transaction) -> list[str]:
            query = filtered(strict.collection("jobs"), ("status", "==", "queued")).limit(5)
            found = list(query.stream(transaction=transaction))
            for snapshot in found:
                transaction.update(snapshot.reference, {"status": "claimed"})
            return [snapshot.id for snapshot in found]

        while batch_of := run(strict, body):
            claimed += batch_of
        return claimed

    claims = [name for names in in_threads(claim, 4) for name in names]
    assert sorted(claims) == [f"j{number:02d}" for number in range(40)]


def test_bulk_increments_outside_transactions_all_count(strict: Client) -> None:
    """Blind increments from many threads add up, also while transactions count on the same document."""

    def work(thread: int) -> None:
        for _ in range(10):
            if thread % 2:
                increment(strict, "counters/one")
            else:
                strict.document("counters/one").set({"n": Increment(1)}, merge=True)

    in_threads(work)
    assert value(strict, "counters/one") == 80


@pytest.fixture
def hasty() -> Iterator[FirestoreServer]:
    """A server on which transactions expire within moments."""
    server = FirestoreServer(timing=Timing(idle_seconds=0.2, total_seconds=0.6, lock_wait_seconds=30.0))
    server.start()
    yield server
    server.stop()


def test_the_locks_of_a_vanished_client_expire(hasty: FirestoreServer) -> None:
    """A writer waits for a client that has gone no longer than the idle time, and the dead transaction is over."""
    client = connect(hasty.host)
    document = client.document("d/one")
    document.set({"n": 0})
    vanished = begun(client)
    document.get(transaction=vanished)
    started = time.perf_counter()
    document.update({"n": 1})
    assert 0.1 < time.perf_counter() - started < 10
    vanished.update(document, {"n": 9})
    with pytest.raises(InvalidArgument, match="expired or is no longer valid"):
        vanished._commit()  # noqa: SLF001
    vanished._rollback()  # noqa: SLF001
    assert document.get().to_dict() == {"n": 1}
    assert open_transactions(hasty) == 0
    close(client)


@dataclass
class Stopwatch:
    """Running time that stands still until it is moved."""

    seconds: float = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


@pytest.fixture
def stopwatch() -> Stopwatch:
    """The time of `timed`."""
    return Stopwatch()


@pytest.fixture
def timed(stopwatch: Stopwatch) -> Iterator[FirestoreServer]:
    """A server with Firestore's own limits, by the stopwatch."""
    server = FirestoreServer(seconds=stopwatch)
    server.start()
    yield server
    server.stop()


def test_a_transaction_has_a_longest_life(timed: FirestoreServer, stopwatch: Stopwatch) -> None:
    """A transaction that keeps reading expires all the same after its total time."""
    client = connect(timed.host)
    transaction = begun(client)
    for stopwatch.seconds in range(0, 271, 45):
        client.document("d/one").get(transaction=transaction)
    stopwatch.seconds += 1
    with pytest.raises(InvalidArgument, match="expired"):
        client.document("d/one").get(transaction=transaction)
    close(client)


def test_forgotten_transactions_do_not_pile_up(timed: FirestoreServer, stopwatch: Stopwatch) -> None:
    """Open transactions that nobody ends are forgotten when another begins later."""
    client = connect(timed.host)
    for _ in range(20):
        begun(client)
    assert open_transactions(timed) == 20
    stopwatch.seconds = 61
    begun(client)
    assert open_transactions(timed) == 1
    close(client)


def test_a_wait_is_bounded(index_file: Any) -> None:
    """A write that waits for a live transaction longer than the lock wait is ABORTED, and the other still commits."""
    server = FirestoreServer(timing=Timing(lock_wait_seconds=0.2))
    server.start()
    client = connect(server.host)
    document = client.document("d/one")
    document.set({"n": 0})
    holder = begun(client)
    document.get(transaction=holder)
    with pytest.raises(Aborted, match="contention"):
        document.update({"n": 1})
    holder.update(document, {"n": 2})
    holder._commit()  # noqa: SLF001
    assert document.get().to_dict() == {"n": 2}
    close(client)
    server.stop()


def test_a_client_that_gives_up_waiting_leaves_no_trace(strict: Client, server: FirestoreServer) -> None:
    """A call cancelled while it waits for a lock does not take effect later, and its place in line is free."""
    document = strict.document("d/one")
    document.set({"n": 0})
    holder = begun(strict)
    document.get(transaction=holder)
    with pytest.raises(Exception, match="Deadline"):
        document.update({"n": 1}, timeout=0.2, retry=None)
    time.sleep(0.1)
    holder._rollback()  # noqa: SLF001
    assert document.get().to_dict() == {"n": 0}
    assert locks_of(server).idle()


def test_a_transaction_whose_commit_is_given_up_expires_too(hasty: FirestoreServer) -> None:
    """A client that vanishes while its commit waits does not keep its locks: they expire like any other's."""
    client = connect(hasty.host)
    one, two = client.document("d/one"), client.document("d/two")
    holder, vanishing = begun(client), begun(client)
    one.get(transaction=holder)
    two.get(transaction=vanishing)
    vanishing.set(one, {"n": 1})
    write = vanishing._write_pbs  # noqa: SLF001
    with pytest.raises(DeadlineExceeded):
        call(client, "commit", 0.05, database=client._database_string, transaction=vanishing.id, writes=write)  # noqa: SLF001
    two.set({"n": 2})
    assert one.get().exists is False
    holder._rollback()  # noqa: SLF001
    time.sleep(0.25)
    begun(client)
    assert open_transactions(hasty) == 1
    close(client)


def test_two_retries_of_one_transaction_do_not_wait_for_each_other(strict: Client) -> None:
    """Threads that share one decorated function may both retry the same transaction: one of them aborts at once."""
    document, database = strict.document("d/one"), strict._database_string  # noqa: SLF001
    document.set({"n": 0})
    first = begun(strict)
    retry = {"read_write": {"retry_transaction": first.id}}
    both = [call(strict, "begin_transaction", database=database, options=retry).transaction for _ in range(2)]
    name = f"{documents_root(strict)}/d/one"
    for each in both:
        call(strict, "get_document", name=name, transaction=each)

    def commit(transaction: bytes) -> bool:
        writes = [{"update": {"name": name, "fields": {"n": {"bytes_value": transaction}}}}]
        try:
            call(strict, "commit", database=database, writes=writes, transaction=transaction)
        except Aborted:
            return False
        return True

    started = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(commit, both)) == [False, True]
    assert time.perf_counter() - started < unhurried(5)


def test_a_read_that_fails_begins_no_transaction(strict: Client, server: FirestoreServer) -> None:
    """A query that was to begin a transaction and is refused leaves none open that nobody knows of."""
    query = {
        "from_": [{"collection_id": "c"}],
        "order_by": [{"field": {"field_path": "a"}}, {"field": {"field_path": "b"}}],
    }
    request: Any = {"parent": documents_root(strict), "structured_query": query, "new_transaction": {"read_write": {}}}
    with pytest.raises(FailedPrecondition, match="requires an index"):
        list(call(strict, "run_query", **request))
    assert open_transactions(server) == 0


def test_clearing_the_server_frees_those_who_wait(strict: Client, server: FirestoreServer) -> None:
    """A write that waits for a transaction goes through when everything is dropped."""
    document = strict.document("d/one")
    holder = begun(strict)
    document.get(transaction=holder)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(document.set, {"n": 1})
        time.sleep(0.1)
        with server.engine.mutex:
            server.engine.clear()
        writing.result(10)
    assert document.get().to_dict() == {"n": 1}
    assert locks_of(server).idle()


def test_listeners_see_transfers_as_a_whole(strict: Client) -> None:
    """While clients transfer between accounts, each of many listeners only ever sees the total, and ends with what is;
    a document is never seen older than before."""
    accounts = [strict.document(f"accounts/{name}") for name in "abcd"]
    for account in accounts:
        account.set({"n": 100, "version": 0})

    def transfer(thread: int) -> None:
        for step in range(10):
            batch = strict.batch()
            batch.update(accounts[(thread + step) % 4], {"n": Increment(-1), "version": Increment(1)})
            batch.update(accounts[(thread + 2 * step + 1) % 4], {"n": Increment(1), "version": Increment(1)})
            batch.commit()

    with ExitStack() as open_ones:
        listeners = [open_ones.enter_context(snapshots(strict.collection("accounts"))) for _ in range(20)]
        in_threads(transfer)
        total = {account.id: (account.get().to_dict() or {}) for account in accounts}
        for listener in listeners:
            seen: dict[str, int] = {}
            while sum(seen.values()) < sum(content["version"] for content in total.values()):
                contents = listener.next_contents()
                assert sum(content["n"] for content in contents.values()) == 400
                assert all(content["version"] >= seen.get(name, 0) for name, content in contents.items())
                seen = {name: content["version"] for name, content in contents.items()}
            assert contents == total


def test_targets_come_and_go_while_others_write(strict: Client, server: FirestoreServer) -> None:
    """Streams that add and remove targets under load get every acknowledgement, and leave nothing behind."""
    done = threading.Event()

    def disturb() -> None:
        number = 0
        while not done.is_set():
            strict.document(f"c/d{number % 5}").set({"n": number})
            number += 1

    def work(_: int) -> None:
        with Listening(server.host, strict) as listening:
            for target_id in range(1, 21):
                listening.query(target_id, strict.collection("c").order_by("n").limit(3))
                listening.until(lambda told, target_id=target_id: target_id in told.current)  # type: ignore[misc]
                assert len(listening.have(target_id)) == 3
                listening.send(remove_target=target_id)
            while len(listening.removed) < 20:
                listening.follow()

    for number in range(5):
        strict.document(f"c/d{number}").set({"n": -number})
    with ThreadPoolExecutor(1) as pool:
        disturbing = pool.submit(disturb)
        try:
            in_threads(work)
        finally:
            done.set()
        disturbing.result()
    (session,) = server.engine.sessions.values()
    assert not session.watchers
