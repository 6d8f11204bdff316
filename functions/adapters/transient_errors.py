"""Which errors of the client libraries mean that a service of Google's is not there now, and will be again."""

from google.api_core import exceptions
from google.auth.exceptions import TransportError
from requests.exceptions import ChunkedEncodingError, ConnectionError, Timeout  # noqa: A004  (its own name)

_PASSING = (
    exceptions.Aborted,
    exceptions.Cancelled,
    exceptions.RetryError,
    exceptions.ServerError,
    exceptions.TooManyRequests,
    TransportError,
    ChunkedEncodingError,
    ConnectionError,
    Timeout,
)
"""Trouble over there, on the way, or with others at the same documents: ServerErrors include DeadlineExceeded and
ServiceUnavailable, TooManyRequests ResourceExhausted."""


def will_pass(error: Exception) -> bool:
    """Tell whether the same call may well succeed a few seconds later."""
    return isinstance(error, _PASSING)
