"""A limit of writes a second and document delays first, then aborts, and lets no document have more than its rate."""

import threading
import time
from itertools import pairwise
from typing import Any

import pytest
from google.api_core.exceptions import Aborted, NotFound
from google.cloud.firestore import Client, Increment, Transaction
from hypothesis import given
from hypothesis import strategies as st

from localcloud.firestore import FirestoreServer
from localcloud.firestore.write_rate import WriteRate
from localcloud.tests.firestore.streaming import RawStream
from localcloud.tests.firestore.support import run
from localcloud.tests.firestore.test_concurrency import locks_of
from localcloud.tests.firestore.test_faults import admin


def add(reference: Any) -> None:
    """Count one up, without the client's own retries."""
    reference.set({"n": Increment(1)}, merge=True, retry=None)


def test_a_burst_goes_ahead_and_the_rest_waits_its_turn(strict: Client, server: FirestoreServer) -> None:
    """Beyond the burst the writes of one document come at its rate; another document is not held up."""
    limit = server.faults.add("write_rate", path="hot/*", per_second=20, burst=3)
    started = time.perf_counter()
    for _ in range(3):
        add(strict.document("hot/x"))
    for _ in range(20):
        add(strict.document("cold/x"))
    assert limit.delayed == 0
    for _ in range(6):
        add(strict.document("hot/x"))
    assert time.perf_counter() - started > 6 / 20
    assert limit.delayed > 0
    assert limit.aborted == 0
    assert strict.document("hot/x").get().to_dict() == {"n": 9}


def test_eight_clients_get_the_rate_and_no_more(strict: Client, server: FirestoreServer) -> None:
    """However many write at once, a document's commits are the burst and then its rate."""
    server.faults.add("write_rate", per_second=25, burst=2)
    started = time.perf_counter()

    def work() -> None:
        for _ in range(2):
            add(strict.document("hot/x"))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert time.perf_counter() - started > (16 - 2) / 25
    assert strict.document("hot/x").get().to_dict() == {"n": 16}


def test_a_turn_too_far_away_is_refused(strict: Client, server: FirestoreServer) -> None:
    """A write that would wait longer than allowed is ABORTED after that wait, has no effect and takes no turn."""
    limit = server.faults.add("write_rate", per_second=0.01, burst=1, wait_ms_max=50)
    add(strict.document("hot/x"))
    started = time.perf_counter()
    for _ in range(3):
        with pytest.raises(Aborted, match="contention"):
            add(strict.document("hot/x"))
    assert time.perf_counter() - started > 3 * 0.05
    assert strict.document("hot/x").get().to_dict() == {"n": 1}
    assert limit.aborted == 3
    assert limit.wait(["hot/x"], time.monotonic() + 100) <= 0


def test_a_refused_transaction_starts_over(strict: Client, server: FirestoreServer) -> None:
    """A transaction refused for its rate has let go of its locks; the client repeats it until there is a turn."""
    document = strict.document("hot/x")
    limit = server.faults.add("write_rate", per_second=0.01, burst=1, wait_ms_max=0)
    document.set({"n": 0})
    attempts = []

    def body(transaction: Transaction) -> None:
        attempts.append(locks_of(server).idle())
        if len(attempts) == 3:
            server.faults.clear()
        value = document.get(transaction=transaction).to_dict() or {}
        transaction.update(document, {"n": value["n"] + 1})

    run(strict, body)
    assert attempts == [True, True, True]
    assert limit.aborted == 2
    assert document.get().to_dict() == {"n": 1}


def test_a_write_that_fails_takes_no_turn(strict: Client, server: FirestoreServer) -> None:
    """A write whose precondition fails leaves the document's tokens as they were."""
    limit = server.faults.add("write_rate", per_second=0.01, burst=1, wait_ms_max=0)
    for _ in range(3):
        with pytest.raises(NotFound):
            strict.document("hot/x").update({"n": 1}, retry=None)
    add(strict.document("hot/x"))
    assert limit.aborted == 0


def test_a_commit_needs_a_turn_at_each_of_its_documents(strict: Client, server: FirestoreServer) -> None:
    """A commit of several documents is refused whole if one of them is too busy, and takes nothing from the others."""
    server.faults.add("write_rate", per_second=0.01, burst=1, wait_ms_max=0)
    add(strict.document("hot/x"))
    batch = strict.batch()
    for path in ("hot/x", "hot/y"):
        batch.set(strict.document(path), {"n": 5})
        batch.set(strict.document(path), {"n": 6}, merge=True)
    with pytest.raises(Aborted):
        batch.commit(retry=None)
    assert not strict.document("hot/y").get().exists
    add(strict.document("hot/y"))


def test_streamed_writes_wait_their_turn(strict: Client, server: FirestoreServer) -> None:
    """The limit holds for the writes that apps stream, too."""
    database = str(strict._database_string)  # noqa: SLF001
    limit = server.faults.add("write_rate", per_second=20, burst=1)
    with RawStream(server.host, "Write", database) as stream:
        stream.send()
        token = stream.next().stream_token
        started = time.perf_counter()
        for number in range(3):
            document = {"name": f"{database}/documents/hot/x", "fields": {"n": {"integer_value": number}}}
            stream.send(writes=[{"update": document}], stream_token=token)
            token = stream.next().stream_token
    assert time.perf_counter() - started > 2 / 20
    assert limit.delayed > 0
    assert strict.document("hot/x").get().to_dict() == {"n": 2}


def test_reads_have_no_limit(strict: Client, server: FirestoreServer) -> None:
    """The limit is about writes alone."""
    limit = server.faults.add("write_rate", per_second=0.01, burst=1, wait_ms_max=0)
    for _ in range(5):
        strict.document("hot/x").get()
        strict.collection("hot").get()
    assert (limit.delayed, limit.aborted) == (0, 0)


def test_the_limit_over_http(server: FirestoreServer) -> None:
    """The admin port takes a limit beside other rules and shows it with what it did."""
    rules = [{"kind": "write_rate", "path": "a/*", "per_second": 2}, {"kind": "delay", "delay_ms": 1, "count": None}]
    shown, _ = admin(server, "POST", "/faults", rules)
    assert shown == {
        "kind": "write_rate",
        "path": "a/*",
        "per_second": 2,
        "burst": 5,
        "wait_ms_max": 10_000,
        "delayed": 0,
        "aborted": 0,
    }


@pytest.mark.parametrize("wrong", [{"per_second": 0}, {"burst": 0}, {"wait_ms_max": -1}, {"rate": 1}])
def test_senseless_limits_are_refused(server: FirestoreServer, wrong: dict[str, Any]) -> None:
    """A limit out of range, or with an unknown attribute, is a ValueError."""
    with pytest.raises(ValueError, match=r"above zero|rate"):
        server.faults.add("write_rate", **wrong)


def test_a_latency_lasts(strict: Client, server: FirestoreServer) -> None:
    """A delay without a count slows every call down."""
    server.faults.add("delay", delay_ms=20, count=None)
    started = time.perf_counter()
    for _ in range(5):
        strict.document("a/x").get()
    assert time.perf_counter() - started > 0.1


@given(
    gaps=st.lists(st.integers(0, 700), min_size=1, max_size=40),
    per_second=st.sampled_from([1, 2, 10]),
    burst=st.integers(1, 5),
    wait_max=st.sampled_from([0.0, 0.5, 10.0]),
)
def test_no_window_has_more_than_burst_and_rate(gaps: list[int], per_second: int, burst: int, wait_max: float) -> None:
    """Whenever writes come, those let through in a stretch of time are at most the burst and the rate's share, however
    patient they are."""
    limit = WriteRate(per_second=per_second, burst=burst)
    now, turns = 1000.0, []
    for gap in gaps:
        now += gap / 1000
        wait = limit.wait(["a/x"], now)
        if wait <= wait_max:
            limit.take(["a/x"], now)
            turns.append(now + max(0.0, wait))
    assert all(earlier <= later + 1e-9 for earlier, later in pairwise(turns))
    for first, begin in enumerate(turns):
        for last, end in enumerate(turns[first:], start=first):
            assert last - first + 1 <= burst + (end - begin) * per_second + 1e-6
