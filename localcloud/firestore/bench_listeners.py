"""How soon listeners hear of a commit, for many of them: with a document of their own each, and all on one.

Listeners are those of the client library, in one process with the writer, so the figures include what the client takes.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from google.cloud.firestore import Client, DocumentReference

LISTENERS = (1, 100, 1000)
COMMITS, CALLBACKS = 200, 5000  # at most, with each number of listeners
SECONDS_MAX = 120.0  # until all have heard


class _Heard:
    """When each listener heard of each value, which is the number of the commit."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._times: dict[int, list[float]] = {}
        self.commits = 0

    def callback(self, documents: list[Any], _: Any, __: Any) -> None:
        """Note that a listener has heard."""
        now = time.perf_counter()
        with self._news:
            for document in documents:
                self._times.setdefault(document.get("n"), []).append(now)
            self._news.notify_all()

    def wait(self, number: int, listeners: int) -> list[float]:
        """Return when so many listeners have heard of a commit.

        Raises:
            RuntimeError: some have not in time.
        """
        with self._news:
            if not self._news.wait_for(lambda: len(self._times.get(number, ())) >= listeners, SECONDS_MAX):
                raise RuntimeError(f"{len(self._times.get(number, ()))} of {listeners} listeners heard of a commit.")
            return self._times[number]


def listener_figures(client: Client, prefix: str, memory: Callable[[], float] | None = None) -> dict[str, float]:
    """Measure latencies in milliseconds, from the call that commits to the callback, and `memory()` (mebibytes)."""
    figures: dict[str, float] = {}
    for listeners in LISTENERS:
        documents = [client.document(f"listened/{listeners}-{number}") for number in range(listeners)]
        with _listening(documents) as heard:
            times = [each for number in range(COMMITS) for each in _commit(documents[number % listeners], heard, 1)]
            figures |= _percentiles(f"{prefix}listeners_{listeners}_own", times)
            if memory is not None:
                figures[f"{prefix}rss_mb_listeners_{listeners}"] = memory()
        with _listening(documents[:1] * listeners) as heard:
            commits = min(COMMITS, CALLBACKS // listeners)
            times = [each for _ in range(commits) for each in _commit(documents[0], heard, listeners)]
            figures |= _percentiles(f"{prefix}listeners_{listeners}_shared", times)
    return figures


@contextmanager
def _listening(documents: list[DocumentReference]) -> Iterator[_Heard]:
    """Open a listener for each of these documents, all of which have the number 0 then."""
    for document in set(documents):
        document.set({"n": 0})
    heard = _Heard()
    with ExitStack() as watches:
        for document in documents:
            watches.callback(document.on_snapshot(heard.callback).unsubscribe)
        heard.wait(0, len(documents))
        yield heard


def _commit(document: DocumentReference, heard: _Heard, listeners: int) -> list[float]:
    """Commit the next number, and return how long until each listener has heard of it, in milliseconds."""
    heard.commits += 1
    began = time.perf_counter()
    document.set({"n": heard.commits})
    return [1000 * (each - began) for each in heard.wait(heard.commits, listeners)]


def _percentiles(name: str, times: list[float]) -> dict[str, float]:
    times.sort()
    return {f"{name}_p{percent}_ms": round(times[len(times) * percent // 100], 2) for percent in (50, 95)}
