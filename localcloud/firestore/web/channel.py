"""One session of WebChannel: a stream that a browser holds open over requests that end.

    handshake  POST            the first messages; answered with the session's id
    forward    POST SID=...    further messages, numbered
    back       GET  SID=...    what the stream answers, in numbered arrays; open for as long as it works

Every array is kept until the client has said, in any later request (AID), that it arrived: a back channel that breaks
off is taken up by the next one. Messages that arrive twice, because the answer to a POST was lost, count once.

There is no document of the protocol. Source: the client, `closure/goog/labs/net/webchannel` of google/closure-library.
"""

import asyncio
import contextlib
import json
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc

from localcloud.firestore.errors import FirestoreError, invalid
from localcloud.firestore.protos import Message
from localcloud.firestore.streams import Stream

from .json_wire import json_of, json_of_error

KEEP_ALIVE_SECONDS = 30.0  # of silence on a back channel; the client gives one up after half as much again
VANISHED_SECONDS = 60.0  # without a back channel; the client's longest pause between two attempts is half of it
MESSAGES_MAX = 1000  # in one POST, as the client has it

_VERSION, _SERVER_VERSION = 8, 12

T = TypeVar("T")
InThread = Callable[[Callable[[], T]], Awaitable[T]]
"""Runs a function that may block, in a thread."""

Arrays = list[tuple[int, str]]
"""Numbered arrays, each as JSON."""


class Channel:
    """A session. Lives in the event loop's thread; the stream is used in others.

    Args:
        stream: whose client this is.
        response: the class of the stream's answers.
        in_thread: where the stream's calls are made.
        forget: called once, when the session is over.
    """

    def __init__(
        self, stream: Stream, response: Message, in_thread: InThread[Any], forget: Callable[[], object]
    ) -> None:
        self.id = secrets.token_urlsafe(16)
        self._stream, self._response, self._in_thread, self._forget = stream, response, in_thread, forget
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._receiving, self._taking = asyncio.Lock(), asyncio.Lock()
        self._next_message = 0
        self._last_array = 0
        self._kept: deque[tuple[int, str]] = deque()
        self._reader: object = None  # the back channel, if there is one
        self._ended = self._closed = False
        self._vanishing = self._loop.call_later(VANISHED_SECONDS, self.close)
        stream.on_wake = self._wake

    def handshake(self) -> str:
        """Return the array that opens the session: id, host prefix, versions, and the keep-alive in milliseconds."""
        opened = ["c", self.id, "", _VERSION, _SERVER_VERSION, int(KEEP_ALIVE_SECONDS * 1000)]
        return text_of([(0, _compact(opened))])

    async def receive(self, first: int, messages: list[Message]) -> None:
        """Give the stream the messages that it does not have yet; `first` is the number of the first one.

        Raises:
            FirestoreError: INVALID_ARGUMENT when messages before them are missing.
        """
        async with self._receiving:
            if first > self._next_message:
                raise invalid(f"Message {first} came before message {self._next_message} (ofs).")
            for number, message in enumerate(messages, start=first):
                if number >= self._next_message:
                    self._next_message = number + 1
                    await self._in_thread(lambda message=message: self._stream.receive(message))  # type: ignore[misc]

    def acknowledge(self, array: int) -> None:
        """Let go of the arrays up to this one.

        Raises:
            FirestoreError: INVALID_ARGUMENT when there never was such an array.
        """
        if array > self._last_array:
            raise invalid(f"Array {array} (AID) was never sent; the last one is {self._last_array}.")
        while self._kept and self._kept[0][0] <= array:
            self._kept.popleft()
        if self._ended and not self._kept:
            self.close()

    def state(self) -> str:
        """Return what answers a POST: a back channel or none, the last array, the bytes not acknowledged."""
        waiting = sum(len(text) for _, text in self._kept)
        return framed(_compact([int(self._reader is not None), self._last_array, waiting]))

    def attach(self, reader: object) -> None:
        """Make `reader` the back channel; one that is there already ends."""
        self._reader = reader
        self._vanishing.cancel()
        self._wake()

    def detach(self, reader: object) -> None:
        """The back channel has ended: wait for the next one, for a while."""
        if self._reader is reader and not self._closed:
            self._reader = None
            self._vanishing = self._loop.call_later(VANISHED_SECONDS, self.close)

    async def next_arrays(self, reader: object, after: int, seconds: float) -> Arrays | None:
        """Return the arrays after number `after`, [] if none came in time; None if `reader` has nothing to wait for."""
        deadline = self._loop.time() + seconds
        while self._reader is reader and not self._closed:
            self._news.clear()
            await self._take()
            if found := [array for array in self._kept if array[0] > after]:
                return found
            if self._ended:
                return None
            try:
                async with asyncio.timeout_at(deadline):
                    await self._news.wait()
            except TimeoutError:
                return []
        return None

    def noop(self) -> Arrays:
        """Return an array that says nothing, and that nobody misses."""
        self._last_array += 1
        return [(self._last_array, '["noop"]')]

    def close(self) -> None:
        """End the session: the client has gone, or says goodbye. More than once is fine."""
        if not self._closed:
            self._closed = True
            self._vanishing.cancel()
            self._stream.close()
            self._forget()
            self._news.set()

    def stop(self) -> None:
        """End the session because the server stops: the client hears of it, and looks for a new one at once."""
        if not self._ended:
            self._end(FirestoreError(grpc.StatusCode.UNAVAILABLE, "The server has stopped."))
            self._stream.close()
            self._vanishing.cancel()
            self._news.set()

    async def _take(self) -> None:
        """Number what the stream has to say now."""
        async with self._taking:
            if self._ended:
                return
            try:
                responses = await self._in_thread(lambda: self._stream.take(0))
            except FirestoreError as error:
                self._end(error)
                return
            for raw in responses or ():
                self._keep([json_of(self._response, raw)])
            if responses is None:
                self._end()

    def _end(self, error: FirestoreError | None = None) -> None:
        if not self._ended:
            if error is not None:
                self._keep([json_of_error(error)])
            self._keep(["close"])
            self._ended = True

    def _keep(self, array: list[Any]) -> None:
        self._last_array += 1
        self._kept.append((self._last_array, _compact(array)))

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the server has stopped
            self._loop.call_soon_threadsafe(self._news.set)


def text_of(arrays: Arrays) -> str:
    """Return arrays as they are sent together."""
    return framed(f"[{','.join(f'[{number},{text}]' for number, text in arrays)}]")


def framed(text: str) -> str:
    """Return a text with its length before it. It is ASCII, so that bytes and the client's characters are as many."""
    return f"{len(text)}\n{text}"


def _compact(content: list[Any]) -> str:
    return json.dumps(content, separators=(",", ":"))
