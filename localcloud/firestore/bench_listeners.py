"""How soon listeners hear of a commit, for many of them: with a document of their own each, and all on one.

The client is one event loop with a stream for each listener, and hears when its snapshot is consistent, which is when
the client library would call back. The library itself cannot be had a thousand times: each of its listeners has threads
that look ten times a second whether something has come (`grpc._common.wait`).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc

from .protos import Message, rpc_types

LISTENERS = (1, 100, 1000)
COMMITS, CALLBACKS = 200, 5000  # at most, with each number of listeners
SECONDS_MAX = 60.0  # until all have heard

_DATABASE = "projects/demo-bench/databases/(default)"
_METADATA = [("authorization", "Bearer owner"), ("google-cloud-resource-prefix", _DATABASE)]
_SERVICE = "/google.firestore.v1.Firestore"

CommitRequest, CommitResponse = rpc_types("Commit")
ListenRequest, ListenResponse = rpc_types("Listen")


def listener_figures(host: str, prefix: str, memory: Callable[[], float] | None = None) -> dict[str, float]:
    """Measure latencies in milliseconds, from sending a commit to hearing of it, and `memory()` (mebibytes)."""
    return asyncio.run(_figures(host, prefix, memory))


async def _figures(host: str, prefix: str, memory: Callable[[], float] | None) -> dict[str, float]:
    figures: dict[str, float] = {}
    async with grpc.aio.insecure_channel(host) as channel:
        for listeners in LISTENERS:
            names = [f"{_DATABASE}/documents/listened/{listeners}-{number}" for number in range(listeners)]
            async with _listening(channel, names) as heard:
                times = [each for number in range(COMMITS) for each in await heard.commit(names[number % listeners], 1)]
                figures |= _percentiles(f"{prefix}listeners_{listeners}_own", times)
                if memory is not None:
                    figures[f"{prefix}rss_mb_listeners_{listeners}"] = memory()
            async with _listening(channel, names[:1] * listeners) as heard:
                commits = min(COMMITS, CALLBACKS // listeners)
                times = [each for _ in range(commits) for each in await heard.commit(names[0], listeners)]
                figures |= _percentiles(f"{prefix}listeners_{listeners}_shared", times)
    return figures


class _Heard:
    """When the listeners heard of the last commit, and of nothing earlier."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._times: list[float] = []
        self._number = 0
        self._news = asyncio.Condition()

    async def commit(self, name: str, listeners: int) -> list[float]:
        """Set a document's number to the next one; return how long until so many listeners have heard of it."""
        self._number += 1
        self._times.clear()
        document = {"name": name, "fields": {"n": {"integer_value": self._number}}}
        request = CommitRequest(database=_DATABASE, writes=[{"update": document}])
        began = time.perf_counter()
        await self._channel.unary_unary(f"{_SERVICE}/Commit")(request.SerializeToString(), metadata=_METADATA)
        await self.until(listeners)
        return [1000 * (each - began) for each in self._times]

    async def until(self, listeners: int) -> None:
        """Wait until so many listeners have heard of the last commit, or of the first result before any."""
        async with self._news, asyncio.timeout(SECONDS_MAX):
            await self._news.wait_for(lambda: len(self._times) >= listeners)

    async def listen(self, name: str) -> None:
        """Listen to a document until cancelled."""
        call = self._channel.stream_stream(f"{_SERVICE}/Listen")(metadata=_METADATA)
        target = {"documents": {"documents": [name]}, "target_id": 2}
        await call.write(ListenRequest(database=_DATABASE, add_target=target).SerializeToString())
        seen = None
        async for raw in call:
            response = ListenResponse.FromString(raw)
            if response.HasField("document_change"):
                seen = response.document_change.document.fields["n"].integer_value
            elif _consistent(response) and seen == self._number:
                async with self._news:
                    self._times.append(time.perf_counter())
                    self._news.notify_all()


@asynccontextmanager
async def _listening(channel: Any, names: list[str]) -> AsyncIterator[_Heard]:
    """Open a listener for each of these documents, which have the number 0 then."""
    writes = [{"update": {"name": name, "fields": {"n": {"integer_value": 0}}}} for name in dict.fromkeys(names)]
    request = CommitRequest(database=_DATABASE, writes=writes)
    await channel.unary_unary(f"{_SERVICE}/Commit")(request.SerializeToString(), metadata=_METADATA)
    heard = _Heard(channel)
    tasks = [asyncio.create_task(heard.listen(name)) for name in names]
    try:
        await heard.until(len(names))
        yield heard
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _consistent(response: Message) -> bool:
    change = response.target_change
    return response.HasField("target_change") and change.HasField("read_time") and not change.target_ids


def _percentiles(name: str, times: list[float]) -> dict[str, float]:
    times.sort()
    return {f"{name}_p{percent}_ms": round(times[len(times) * percent // 100], 2) for percent in (50, 95)}
