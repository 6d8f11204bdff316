"""What the two RPCs that stay open have in common, apart from what carries them: `listen.py`, `write_stream.py`.

A transport (gRPC, WebChannel) makes one stream for each that a client opens. It gives the stream every request, in the
thread that reads, and sends on what the stream answers, in the thread that writes:

    stream = ListenStream(service, caller)      # or WriteStream
    stream.receive(request)                     # for each request, in order; never raises
    while (responses := stream.take(30)) is not None:
        send(responses)                         # one list belongs together; [] when the time is up
    stream.close()                              # the client has gone, or has said that nothing will follow

Nothing is queued for a slow client: `take` works out what it has yet to learn when it is called.
"""

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable

from google.protobuf.message import DecodeError

from .engine import Call, Caller, Engine
from .errors import FirestoreError, exhausted, invalid
from .protos import Message
from .service import REQUEST_BYTES_MAX, Service, waiting
from .turns import Turn

ANSWERS_MAX = 1000  # waiting for a client to read them


class Stream(ABC):
    """One open stream.

    Args:
        service: what the stream is opened on.
        caller: who has opened it.
    """

    rpc: str
    request: Message  # the class of its requests

    def __init__(self, service: Service, caller: Caller | None = None) -> None:
        self.service, self.engine, self.caller = service, service.engine, caller
        self._turn = Turn(service.turns)
        self._status: FirestoreError | None = None
        self._closed = False
        self.on_wake: Callable[[], object] = bool  # called by `wake`: for a transport that does not wait in `take`
        self._on_close: list[Callable[[], None]] = []
        self._answers: deque[bytes] = deque()  # to requests

    def receive(self, request: Message) -> None:
        """Take in one request. It may wait, as a commit does for locks. What is wrong with it comes out of `take`."""
        wait = waiting(self.engine.timing.lock_wait_seconds, self._on_close.append, lambda: self._closed)
        try:
            if len(self._answers) > ANSWERS_MAX:
                raise exhausted(f"{ANSWERS_MAX} requests have been answered, but the client does not read the answers.")
            if self._status is None:
                self._answers.extend(self.service.perform(self.rpc, request, self._handle, wait, self.caller))
        except FirestoreError as error:
            self._status = error
        self._on_close.clear()
        self.wake()

    def receive_bytes(self, raw: bytes) -> None:
        """Take in one request in its wire form."""
        try:
            if len(raw) > REQUEST_BYTES_MAX:
                raise invalid(f"Request payload size exceeds the limit: {REQUEST_BYTES_MAX} bytes.")
            request = self.request.FromString(raw)
        except DecodeError as error:
            self._status = invalid(f"The request is not a valid {self.rpc} message: {error}")
        except FirestoreError as error:
            self._status = error
        else:
            self.receive(request)
        self.wake()

    def take(self, seconds: float | None = None) -> list[bytes] | None:
        """Return the next responses in wire form.

        Args:
            seconds: how long to wait for one; None waits until there is one.

        Returns:
            The responses, [] when there was none in time, None once the stream is closed and all have been taken.

        Raises:
            FirestoreError: the status that the stream ends with.
        """
        silence_seconds = self.engine.timing.listen_silence_seconds
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            closed, status = self._closed, self._status
            try:
                responses = self._responses()
            finally:
                self._turn.end()
            if responses:
                return responses
            if status is not None:
                raise status
            if closed:
                return None
            left = silence_seconds if deadline is None else min(silence_seconds, deadline - time.monotonic())
            if left <= 0:
                return []
            self._turn.wait(left)

    def wake(self) -> None:
        """Let `take` look for news. From any thread, with or without the engine's mutex."""
        self._turn.ask()
        self.on_wake()

    def close(self) -> None:
        """End the stream. From any thread, any number of times."""
        self._closed = True
        for end in list(self._on_close):
            end()
        self.wake()

    @abstractmethod
    def _handle(self, engine: Engine, request: Message, call: Call) -> list[bytes]:
        """Serve a request, under the engine's mutex, and return the answers in wire form."""

    def _responses(self) -> list[bytes]:
        """Return what is to be sent now."""
        return [self._answers.popleft() for _ in range(len(self._answers))]
