"""A real Firestore client whose calls go straight into the service: no socket, no threads, no timers, hence repeatable.

A call that would have to wait for a lock does not wait. A read goes ahead at once, which is always safe; a commit is
ABORTED, as after the longest wait, and the client starts the transaction over. With `wait` a simulation can let
others run instead.
"""

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import grpc
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore import Client
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports.grpc import FirestoreGrpcTransport

from localcloud.project import PROJECT

from .errors import FirestoreError
from .locks import Owner
from .server import FirestoreServer
from .service import Service, Wait

Intercept = Callable[[str, Callable[[], list[bytes]]], list[bytes]]
"""Called as intercept(rpc, proceed) around every call; it may raise before or after `proceed()`, to play a crash."""


def in_process_client(
    server: FirestoreServer,
    project: str = PROJECT,
    *,
    wait: Wait | None = None,
    intercept: Intercept | None = None,
) -> Client:
    """Return a client of `server`, which need not be started.

    Args:
        server: whose documents, bill and faults are used.
        project: the client's project id.
        wait: called with a blocked lock owner and the seconds until a lock it waits for expires; returns True to look
            again, False to give up. The default gives up at once.
        intercept: called around every call, see `Intercept`.
    """
    client = Client(project=project, credentials=AnonymousCredentials())  # type: ignore[no-untyped-call] # google.auth is typed in part
    channel = _Channel(server.service, wait or _give_up, intercept or _proceed)
    # The client makes its API object when first asked for it and keeps it here; this is how its own tests replace it,
    # too.
    client._firestore_api_internal = FirestoreClient(transport=FirestoreGrpcTransport(channel=channel))  # noqa: SLF001
    return client


def _give_up(_: Owner, __: float) -> bool:
    return False


def _proceed(_: str, proceed: Callable[[], list[bytes]]) -> list[bytes]:
    return proceed()


class CallFailed(grpc.RpcError):  # type: ignore[misc] # grpc carries no types
    """A failed call, with what the client library asks of a gRPC error."""

    def __init__(self, error: FirestoreError) -> None:
        super().__init__(error.message)
        self._error = error

    def code(self) -> grpc.StatusCode:
        """Return the status code."""
        return self._error.code

    def details(self) -> str:
        """Return the text."""
        return self._error.message

    def result(self) -> NoReturn:
        """Raise the error: gRPC's interceptors treat a failed call as a future that has failed."""
        raise self

    def trailing_metadata(self) -> tuple[()]:
        """Return what came with the error: nothing."""
        return ()


class _Channel(grpc.Channel):  # type: ignore[misc] # grpc carries no types
    """A gRPC channel that ends in a service within this process."""

    def __init__(self, service: Service, wait: Wait, intercept: Intercept) -> None:
        self._service, self._wait, self._intercept = service, wait, intercept

    def unary_unary(self, method: str, request_serializer: Any, response_deserializer: Any, *_: Any, **__: Any) -> Any:
        return _UnaryCallable(
            lambda request: response_deserializer(self._answers(method, request_serializer(request))[0])
        )

    def unary_stream(self, method: str, request_serializer: Any, response_deserializer: Any, *_: Any, **__: Any) -> Any:
        def call(request: Any, *_: Any, **__: Any) -> Iterator[Any]:
            return iter([response_deserializer(raw) for raw in self._answers(method, request_serializer(request))])

        return call

    def stream_unary(self, method: str, *_: Any, **__: Any) -> Any:
        raise NotImplementedError(f"{method}: no RPC of Firestore's is of this kind")

    def stream_stream(self, method: str, *_: Any, **__: Any) -> Any:
        def call(*_: Any, **__: Any) -> Iterator[Any]:
            text = f"{method.rpartition('/')[2]} is not served in process: start the server, and connect to its host."
            raise CallFailed(FirestoreError(grpc.StatusCode.UNIMPLEMENTED, text))

        return call

    def subscribe(self, callback: Any, try_to_connect: Any = False) -> None:
        """Do nothing: there is no connection whose state could change."""

    def unsubscribe(self, callback: Any) -> None:
        """Do nothing, as `subscribe`."""

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def _answers(self, method: str, raw: bytes) -> list[bytes]:
        rpc = method.rpartition("/")[2]
        try:
            return self._intercept(rpc, lambda: self._service.answer_bytes(rpc, raw, self._wait))
        except FirestoreError as error:
            raise CallFailed(error) from None


class _UnaryCallable(grpc.UnaryUnaryMultiCallable):  # type: ignore[misc] # grpc carries no types
    def __init__(self, call: Callable[[Any], Any]) -> None:
        self._call = call

    def __call__(self, request: Any, *_: Any, **__: Any) -> Any:
        return self._call(request)

    def with_call(self, request: Any, *_: Any, **__: Any) -> tuple[Any, "_Done"]:
        response = self._call(request)
        return response, _Done()

    def future(self, request: Any, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("the synchronous client makes no calls of this kind")


class _Done:
    """The call object of a call that has succeeded."""

    def trailing_metadata(self) -> tuple[()]:
        """Return what came with the answer: nothing."""
        return ()
