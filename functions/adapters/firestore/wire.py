"""Firestore's calls over the client library's channel, with our limits: no call waits longer than is said here,
repetitions included.

The library repeats a failing call for one minute, or for five, and its messages cost most of a call's time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import sleep
from typing import Any

import grpc
from google.api_core import exceptions
from google.api_core.gapic_v1.routing_header import to_grpc_metadata
from google.api_core.retry import exponential_sleep_generator
from google.cloud.firestore import Client
from google.cloud.firestore_v1 import types
from google.cloud.firestore_v1.services.firestore.transports.base import DEFAULT_CLIENT_INFO
from google.protobuf.empty_pb2 import Empty

from functions.adapters.firestore.values import Message
from functions.adapters.time_budget import one_call, seconds_left

RPC_SECONDS = 10.0
"""For one attempt at any call. Firestore answers within a second, or a few more where others hold the same
documents."""

SUM_SECONDS = 60.0
"""For a sum or a count over many documents, which is as long as Firestore itself gives it."""

ROLLBACK_SECONDS = 2.0
"""A courtesy: locks of a transaction that nobody ends go by themselves, and nothing of it was written."""

PAUSE_SECONDS = 0.1, 1.0
"""Before the second try, and the longest between two."""

_REFUSED = (exceptions.ResourceExhausted, exceptions.ServiceUnavailable)
"""What a write is repeated after. It may have happened all the same: see `writes.OUTCOME_UNKNOWN`."""

_FAILED = (*_REFUSED, exceptions.InternalServerError)
"""What a read is repeated after."""


@dataclass
class Rpc:
    """A kind of call: its messages, the name in `routed` by which Google finds the database, how many `seconds` it has
    in all, and after which errors it is repeated."""

    request: Any
    response: Any
    routed: str = "database"
    seconds: float = RPC_SECONDS
    passing: tuple[type[Exception], ...] = _FAILED
    streams: bool = False


_RPCS = {
    "GetDocument": Rpc(types.GetDocumentRequest, types.Document, "name"),
    "BatchGetDocuments": Rpc(types.BatchGetDocumentsRequest, types.BatchGetDocumentsResponse, streams=True),
    "RunQuery": Rpc(types.RunQueryRequest, types.RunQueryResponse, "parent", streams=True),
    "RunAggregationQuery": Rpc(
        types.RunAggregationQueryRequest, types.RunAggregationQueryResponse, "parent", SUM_SECONDS, streams=True
    ),
    "BeginTransaction": Rpc(types.BeginTransactionRequest, types.BeginTransactionResponse),
    "Commit": Rpc(types.CommitRequest, types.CommitResponse, passing=_REFUSED),
    "Rollback": Rpc(types.RollbackRequest, None, seconds=ROLLBACK_SECONDS, passing=()),
    "BatchWrite": Rpc(types.BatchWriteRequest, types.BatchWriteResponse, passing=(*_REFUSED, exceptions.Aborted)),
}
"""Every call that the adapters make."""


class Wire:
    """The calls to one database."""

    def __init__(self, client: Client) -> None:
        # The library has no public way to any of these.
        self._database: str = client._database_string  # noqa: SLF001
        self.root = f"{self._database}/documents"
        self._metadata = (*client._rpc_metadata, DEFAULT_CLIENT_INFO.to_grpc_metadata())  # type: ignore[no-untyped-call]  # noqa: SLF001
        channel = client._firestore_api.transport.grpc_channel  # noqa: SLF001
        self._stubs = {name: _stub(channel, name, rpc) for name, rpc in _RPCS.items()}

    def request(self, rpc: str) -> Message:
        """Return an empty request of this kind, about this database."""
        made = _RPCS[rpc].request.pb()()
        if _RPCS[rpc].routed == "database":
            made.database = self._database
        return made

    def name(self, path: str) -> str:
        """Return the full name of the document at a path."""
        return f"{self.root}/{path}"

    def call(self, rpc: str, request: Message, *, once: bool = False, seconds: float | None = None) -> Any:
        """Make a call, and make it again while it fails in a way that may pass, unless only `once`. An attempt has so
        many seconds, or RPC_SECONDS. Returns the response, or the list of all of a stream's.

        Raises:
            google.api_core.exceptions.GoogleAPICallError: the last attempt's error.
        """
        kind, pauses = _RPCS[rpc], exponential_sleep_generator(*PAUSE_SECONDS)
        route = to_grpc_metadata(((kind.routed, getattr(request, kind.routed)),))  # type: ignore[no-untyped-call]
        with one_call(kind.seconds):
            while True:
                if (left := seconds_left()) <= 0:
                    raise exceptions.DeadlineExceeded("no patience left for Firestore")  # type: ignore[no-untyped-call]
                try:
                    timeout = min(seconds or RPC_SECONDS, left)
                    answer = self._stubs[rpc](request, timeout=timeout, metadata=(*self._metadata, route))
                    # A stream that breaks off is begun anew: what was read of it so far is no answer.
                    return list(answer) if kind.streams else answer
                except grpc.RpcError as failed:
                    error = exceptions.from_grpc_error(failed)  # type: ignore[no-untyped-call]
                    pause = next(pauses)
                    if once or not isinstance(error, kind.passing) or pause >= seconds_left():
                        raise error from failed
                sleep(pause)


def _stub(channel: grpc.Channel, name: str, rpc: Rpc) -> Callable[..., Any]:
    response = rpc.response.pb() if rpc.response else Empty
    make = channel.unary_stream if rpc.streams else channel.unary_unary
    stub: Callable[..., Any] = make(
        f"/google.firestore.v1.Firestore/{name}",
        request_serializer=rpc.request.pb().SerializeToString,
        response_deserializer=response.FromString,
    )
    return stub
