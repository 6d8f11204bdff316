"""The client library's client with our limits: no call waits longer than is said here, repetitions included.

The library offers no other place: transactions begin, commit and roll back with its defaults, and those repeat a
failing call for one minute, or for five.
"""

from collections.abc import Callable
from time import sleep
from typing import Any

import grpc
from google.api_core import exceptions, gapic_v1
from google.api_core.retry import exponential_sleep_generator
from google.cloud.firestore import Client
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore import client as generated
from google.cloud.firestore_v1.services.firestore.transports.grpc import FirestoreGrpcTransport

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


class _Repeated:
    """Repeats a call while it fails in a way that may pass; the last error is the answer. Used as the library's own
    `Retry`, which would put an error of another kind in its place."""

    def __init__(self, seconds: float, passing: tuple[type[Exception], ...]) -> None:
        self.seconds, self._passing = seconds, passing

    def __call__(self, call: Callable[..., Any], on_error: object = None) -> Callable[..., Any]:
        del on_error  # the library's protocol: nobody listens here

        def repeated(*args: Any, **kwargs: Any) -> Any:
            pauses = exponential_sleep_generator(*PAUSE_SECONDS)
            with one_call(self.seconds):
                while True:
                    if seconds_left() <= 0:
                        raise exceptions.DeadlineExceeded("no patience left for Firestore")  # type: ignore[no-untyped-call]
                    try:
                        return call(*args, **kwargs)
                    except self._passing:
                        pause = next(pauses)
                        if pause >= seconds_left():
                            raise
                    sleep(pause)

        return repeated

    def _predicate(self, _error: Exception) -> bool:
        """Say, under the library's name, that a broken query is not resumed: the rest would have the whole limit of
        documents again."""
        return False


_LIMITS = {
    "batch_get_documents": _Repeated(RPC_SECONDS, _FAILED),
    "begin_transaction": _Repeated(RPC_SECONDS, _FAILED),
    "commit": _Repeated(RPC_SECONDS, _REFUSED),
    "batch_write": _Repeated(RPC_SECONDS, (*_REFUSED, exceptions.Aborted)),
    "rollback": _Repeated(ROLLBACK_SECONDS, ()),
    "run_query": _Repeated(RPC_SECONDS, _FAILED),
    "run_aggregation_query": _Repeated(SUM_SECONDS, _FAILED),
}
"""Every call that the adapters make."""


class _Clamp(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):  # type: ignore[misc]  # no types
    """Limits an attempt to `RPC_SECONDS`, unless the caller says otherwise, and to what is left of the call."""

    def intercept_unary_unary(self, proceed: Any, details: Any, request: Any) -> Any:
        """Make an attempt."""
        return proceed(_clamped(details), request)

    def intercept_unary_stream(self, proceed: Any, details: Any, request: Any) -> Any:
        """Make an attempt."""
        return proceed(_clamped(details), request)


def _clamped(details: Any) -> Any:
    return details._replace(timeout=min(details.timeout or RPC_SECONDS, max(seconds_left(), 0.001)))


class BoundedTransport(FirestoreGrpcTransport):
    """The generated transport, with our limits in place of its defaults."""

    def __init__(self, *, channel: grpc.Channel, **options: Any) -> None:
        super().__init__(channel=grpc.intercept_channel(channel, _Clamp()), **options)

    def _prep_wrapped_messages(self, client_info: Any) -> None:
        super()._prep_wrapped_messages(client_info)  # type: ignore[no-untyped-call]
        for name, repeated in _LIMITS.items():
            call = getattr(self, name)
            self._wrapped_methods[call] = gapic_v1.method.wrap_method(  # type: ignore[no-untyped-call]
                call, default_retry=repeated, client_info=client_info
            )
        # A query that breaks off asks here whether to go on, and fails over itself where there is nobody to ask.
        vars(self.run_query)["_retry"] = _LIMITS["run_query"]


class BoundedClient(Client):
    """A Firestore client none of whose calls outlives its limit."""

    @property
    def _firestore_api(self) -> Any:
        return self._firestore_api_helper(BoundedTransport, FirestoreClient, generated)
