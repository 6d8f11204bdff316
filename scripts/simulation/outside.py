"""What the functions talk to, each call of which goes through the world's gate at the moment when it takes effect."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import grpc
import httpx2
from google.api_core import exceptions

from functions.core.wallet.profile import PushSummary
from localcloud.firestore.errors import FirestoreError
from localcloud.standins.faults import Faults
from scripts.inprocess import MemoryFiles, MemoryMessaging
from scripts.simulation.faults import Kind
from scripts.simulation.interleaving import Interleaving

T = TypeVar("T")


class Gate(Protocol):
    """See `World.outside`."""

    def __call__(self, name: str, proceed: Callable[[], T], fail: Callable[[Kind], Exception]) -> T: ...


class Wire(httpx2.BaseTransport):
    """The network between a provider's client and its stand-in."""

    def __init__(self, gate: Gate, inner: httpx2.BaseTransport, provider: str = "openai") -> None:
        self._gate, self._inner, self._provider = gate, inner, provider

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.read()  # all of it: a request that arrives late must not find its file closed
        parts = request.url.path.removeprefix("/v1/").split("/")
        path = "/".join("*" if "_" in part or "-" in part else part for part in parts)
        name = f"{self._provider}.{request.method} {path}"

        def fail(kind: Kind) -> Exception:
            if kind is Kind.UNAVAILABLE:
                return httpx2.ConnectError("refused", request=request)
            return httpx2.ReadTimeout("no answer", request=request)

        return self._gate(name, lambda: self._inner.handle_request(request), fail)


class HostilePhotos(httpx2.BaseTransport):
    """A provider as some photos make it: it talks about them without end, and is cut off."""

    def __init__(self, inner: httpx2.BaseTransport, faults: Faults, hostile: Callable[[str], bool]) -> None:
        """`hostile` says it of a photo as it stands in a request."""
        self._inner, self._faults, self._hostile = inner, faults, hostile

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        fault, photo = None, ""
        if request.url.path.endswith("/chat/completions"):
            _, image = json.loads(request.read())["messages"][1]["content"]
            photo = image["image_url"]["url"].partition(",")[2]
        if request.url.path.endswith("/messages"):
            photo = json.loads(request.read())["messages"][0]["content"][1]["source"]["data"]
        if photo and self._hostile(photo):
            fault = self._faults.add(kind="cut_answer", endpoint="*")
        try:
            return self._inner.handle_request(request)
        finally:
            if fault is not None:
                self._faults.remove(fault)


class Files(MemoryFiles):
    """Storage, each of whose calls goes through the gate at the moment when it takes effect."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self._gate = gate
        self.unreadable: set[str] = set()

    def _call(self, name: str, act: Callable[[], T]) -> T:
        return self._gate(f"storage.{name}", act, storage_error)

    def _photo(self, path: str) -> bytes:
        if path in self.unreadable:
            raise storage_error(Kind.UNAVAILABLE)
        return super()._photo(path)


class Messaging(MemoryMessaging):
    """Pushes and the operators' webhook."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self._gate = gate

    def send(self, news: Any) -> Any:
        if isinstance(news, Sequence) and all(isinstance(item, PushSummary) for item in news):
            return self._gate("messaging.send", lambda: super(Messaging, self).send(news), storage_error)
        return self._gate("alerting.send", lambda: 1, storage_error)


class LibraryTime:
    """The `time` module as client libraries that try again see it."""

    def __init__(self, interleaving: Interleaving) -> None:
        self._interleaving = interleaving

    def monotonic(self) -> float:
        return self._interleaving.seconds

    def sleep(self, seconds: float) -> None:
        self._interleaving.pause(seconds)
        me = self._interleaving.current()
        if me is not None:
            me.require_alive()


class InLine:
    """A thread pool without threads: one after the other, in their order."""

    def __init__(self, _threads: int) -> None: ...

    def __enter__(self) -> "InLine":
        return self

    def __exit__(self, *_: object) -> None: ...

    def map(self, act: Callable[..., T], *items: Any) -> Iterator[T]:
        return iter([act(*each) for each in zip(*items, strict=True)])


def firestore_error(kind: Kind) -> Exception:
    if kind is Kind.LATE_EFFECT:
        return FirestoreError(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline exceeded.")
    return FirestoreError(grpc.StatusCode.UNAVAILABLE, "Unavailable.")


def storage_error(_: Kind) -> Exception:
    return exceptions.ServiceUnavailable("Unavailable.")  # type: ignore[no-untyped-call]
