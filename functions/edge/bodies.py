"""Bodies of requests: how much of one is read, and for how long.

Anybody may send. A body that comes a byte now and then would hold a thread as long as its sender likes, and sixteen an
instance; the functions framework would read one of 32 MB, the platform's limit, into memory before it answers.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from threading import Timer

from flask import Request
from werkzeug.exceptions import ClientDisconnected

BODY_SECONDS_MAX = 10.0
"""An app sends a call's few kilobytes in one piece, on a bad line within a second or two."""

LEFT_SECONDS = 0.25
"""How long an unwanted body is read and dropped. With parts unread the system would cut the line, and an honest sender
might miss the answer; in this time it is done."""

PIECE_BYTES = 64 * 1024


def read_body(request: Request, bytes_max: int) -> bytes | None:
    """Return a request's body; None if it is too long, cut off, or late. Then the answer closes the connection."""
    if (request.content_length or 0) > bytes_max:
        leave_body(request)
        return None
    with _hanging_up(request, BODY_SECONDS_MAX), suppress(ClientDisconnected, OSError):  # cut off, by them or by us
        body = request.stream.read(bytes_max + 1)
        if len(body) <= bytes_max:
            return body
    leave_body(request)
    return None


def leave_body(request: Request) -> None:
    """Answer without the body of a request, whether it is there or not."""
    with _hanging_up(request, LEFT_SECONDS), suppress(ClientDisconnected, OSError):
        while request.stream.read(PIECE_BYTES):
            pass
    request.stream = BytesIO()  # what the framework reads to the end before it answers


@contextmanager
def _hanging_up(request: Request, seconds: float) -> Iterator[None]:
    """Listen to the sender for so long at the most: then whatever is being read ends."""
    sender: socket.socket | None = request.environ.get("gunicorn.socket")
    if sender is None:  # a test that is no server
        yield
        return

    def hang_up() -> None:
        with suppress(OSError):  # it is closed already
            sender.shutdown(socket.SHUT_RD)

    timer = Timer(seconds, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
