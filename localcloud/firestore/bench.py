"""Figures of the embedded Firestore and, in the same run, of the official emulator where it is found.

Servers run as processes of their own; the client is this process with 8 threads. The last line printed is one JSON
object.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore import Client, DocumentReference, Increment, Transaction, transactional

from .bench_listeners import listener_figures
from .official import HOST_VARIABLE, OfficialFirestore, find_official

THREADS = 8
SECONDS = 4.0
DOCUMENTS = 100_000
BATCH = 500

_MEBIBYTE = 1024 * 1024


def run_benchmark() -> None:
    """Measure, and print the figures."""
    started = time.perf_counter()
    with _embedded() as (host, admin_url, process_id):
        figures: dict[str, Any] = {"startup_s": _rounded(time.perf_counter() - started)}
        client = _client(host)
        figures |= _rates(client)
        figures |= listener_figures(host, "", lambda: _resident_mebibytes(process_id))
        figures["documents"] = DOCUMENTS
        figures["load_documents_per_s"] = _load(client)
        figures["rss_mb"] = _resident_mebibytes(process_id)
        figures["query_limit_100_ms"] = _query_milliseconds(client)
        figures["rss_mb_with_indexes"] = _resident_mebibytes(process_id)
        figures["reads_billed"] = json.load(urllib.request.urlopen(f"{admin_url}/bill"))["totals"]["reads"]  # noqa: S310
    install, reason = find_official()
    print(f"official emulator: {reason}")
    if install is not None:
        figures |= _official_figures()
    for name, value in figures.items():
        print(f"{name:>36}: {value}")
    print(json.dumps(figures))


def _official_figures() -> dict[str, Any]:
    official = OfficialFirestore()
    started = time.perf_counter()
    official.start()
    try:
        figures = {"official_startup_s": _rounded(time.perf_counter() - started)}
        client = _client(official.host)
        _per_second(client, _transaction, lambda thread: f"warmup/{thread}")  # the JVM compiles what is hot
        figures |= {f"official_{name}": rate for name, rate in _rates(client).items()}
        return figures | listener_figures(official.host, "official_")
    finally:
        official.stop()


@contextmanager
def _embedded() -> Iterator[tuple[str, str, int]]:
    """Run the embedded server; yield its host, admin URL and process id once it has said that it serves."""
    command = [sys.executable, "-m", "localcloud.firestore", "--port", "0", "--admin-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own module
        assert process.stdout is not None  # noqa: S101 - asked for with PIPE
        said = re.search(r"=(\S+)\s+admin=(\S+)", process.stdout.readline())
        try:
            if said is None:
                raise RuntimeError("The embedded server did not start.")
            yield said[1], said[2], process.pid
        finally:
            process.terminate()


def _client(host: str) -> Client:
    os.environ[HOST_VARIABLE] = host
    try:
        client = Client(project="demo-bench", credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]
        client.document("counters/warm").get()
        return client
    finally:
        del os.environ[HOST_VARIABLE]


@transactional
def _increment(transaction: Transaction, reference: DocumentReference) -> None:
    value = reference.get(transaction=transaction).to_dict() or {"n": 0}
    transaction.set(reference, {"n": value["n"] + 1})


def _transaction(client: Client, reference: DocumentReference) -> None:
    _increment(client.transaction(), reference)


def _commit(_: Client, reference: DocumentReference) -> None:
    reference.set({"n": Increment(1)}, merge=True)


def _rates(client: Client) -> dict[str, float]:
    """Return commits and transactions a second, on a document for each thread and on one for all."""
    return {
        f"{name}_per_s_{where}": _per_second(client, step, path_of)
        for name, step in (("commits", _commit), ("tx", _transaction))
        for where, path_of in (
            ("separate", lambda thread: f"counters/{thread}"),
            ("one_document", lambda _: "counters/one"),
        )
    }


def _per_second(
    client: Client, step: Callable[[Client, DocumentReference], None], path_of: Callable[[int], str]
) -> float:
    """Count up from 8 threads for some seconds, and return how often a second. A lost update fails the run."""
    counts = [0] * THREADS
    before = {path: _counter(client, path) for path in {path_of(thread) for thread in range(THREADS)}}
    deadline = time.perf_counter() + SECONDS

    def work(thread: int) -> None:
        reference = client.document(path_of(thread))
        while time.perf_counter() < deadline:
            try:
                step(client, reference)
            except ValueError:
                continue  # five attempts in vain, as on the official emulator under contention: not counted
            counts[thread] += 1

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(THREADS)]
    started = time.perf_counter()
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    elapsed = time.perf_counter() - started
    gained = sum(_counter(client, path) - value for path, value in before.items())
    if gained != sum(counts):
        raise RuntimeError(f"{sum(counts)} steps succeeded, but the counters rose by {gained}.")
    return _rounded(sum(counts) / elapsed)


def _counter(client: Client, path: str) -> int:
    return int((client.document(path).get().to_dict() or {"n": 0})["n"])


def _load(client: Client) -> float:
    """Write documents of the size of a job, many to a commit."""
    started = time.perf_counter()
    for first in range(0, DOCUMENTS, BATCH):
        batch = client.batch()
        for number in range(first, first + BATCH):
            job = {
                "status": "queued",
                "uid": f"user-{number % 5000}",
                "createdAt": number,
                "imagePath": f"users/u/{number}.jpg",
            }
            batch.set(client.document(f"jobs/job-{number:06d}"), job)
        batch.commit()
    return _rounded(DOCUMENTS / (time.perf_counter() - started))


def _query_milliseconds(client: Client) -> float:
    """Read 100 of all documents in order, while they are being updated; return the mean once the index is there."""
    query = client.collection("jobs").order_by("createdAt").limit(100)
    query.get()
    rounds = 20
    started = time.perf_counter()
    for number in range(rounds):
        client.document(f"jobs/job-{number:06d}").update({"createdAt": DOCUMENTS + number})
        query.get()
    return _rounded((time.perf_counter() - started) / rounds * 1000)


def _resident_mebibytes(process_id: int) -> float:
    told = subprocess.run(["ps", "-o", "rss=", "-p", str(process_id)], capture_output=True, text=True, check=True)  # noqa: S603, S607
    return _rounded(int(told.stdout) * 1024 / _MEBIBYTE)


def _rounded(value: float) -> float:
    return round(value, 3) if value < 10 else round(value, 1)
