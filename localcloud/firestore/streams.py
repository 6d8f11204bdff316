"""What the two RPCs that stay open, Listen and Write, have in common, apart from what carries them.

A transport (gRPC, WebChannel) makes one stream for each that a client opens. It gives the stream every request, in the
thread that reads, and sends on what the stream answers, in the thread that writes:

    stream = ListenStream(service, caller)      # or WriteStream
    stream.receive(request)                     # for each request, in order; never raises
    while (responses := stream.take(30)) is not None:
        send(responses)                         # one list belongs together; [] when the time is up
    stream.close()                              # the client has gone, or has said that nothing will follow

Nothing is queued: `take` works out what the client has yet to learn when it is called, so a slow client gets the newest
state and costs no memory while it sleeps.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import FirestoreError, unimplemented
from .protos import Message
from .service import Service


@dataclass(frozen=True, slots=True)
class Caller:
    """An app's user, to whom security rules apply. A server client is None instead: it may do everything."""

    token: Mapping[str, Any] | None = None  # the claims of the ID token; None while nobody is signed in


class Stream:
    """One open stream.

    Args:
        service: what the stream is opened on.
        caller: who has opened it.
    """

    def __init__(self, service: Service, caller: Caller | None = None) -> None:
        self.service, self.engine, self.caller = service, service.engine, caller
        self._news = threading.Event()
        self._status: FirestoreError | None = None
        self._closed = False
        self.on_wake: Callable[[], object] = bool  # called by `wake`: for a transport that does not wait in `take`

    def receive(self, request: Message) -> None:
        """Take in one request. It may wait, as a commit does for locks. What is wrong with it comes out of `take`."""
        try:
            self._receive(request)
        except FirestoreError as error:
            self._status = error
        self.wake()

    def take(self, seconds: float | None = None) -> list[bytes] | None:
        """Return the next responses in wire form.

        Args:
            seconds: how long to wait for one; None waits until there is one.

        Returns:
            The responses, [] when there was none in time, None once the stream is closed.

        Raises:
            FirestoreError: the status that the stream ends with.
        """
        self._news.wait(seconds)
        self._news.clear()
        if self._closed:
            return None
        responses = self._responses()
        if not responses and self._status is not None:
            raise self._status
        return responses

    def wake(self) -> None:
        """Let `take` look for news. From any thread, with or without the engine's mutex."""
        self._news.set()
        self.on_wake()

    def close(self) -> None:
        """End the stream: `take` returns None from now on. From any thread, any number of times."""
        self._closed = True
        self.wake()

    def _receive(self, request: Message) -> None:
        raise NotImplementedError

    def _responses(self) -> list[bytes]:
        raise NotImplementedError


class ListenStream(Stream):
    """The stream of Listen: takes `ListenRequest`, answers `ListenResponse`."""

    def _receive(self, request: Message) -> None:
        raise unimplemented(f"{type(request).__name__} of Listen")

    def _responses(self) -> list[bytes]:
        return []


class WriteStream(Stream):
    """The stream of Write: takes `WriteRequest`, answers `WriteResponse`."""

    def _receive(self, request: Message) -> None:
        raise unimplemented(f"{type(request).__name__} of Write")

    def _responses(self) -> list[bytes]:
        return []
