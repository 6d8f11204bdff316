"""What the HTTP parts of the local cloud share: free ports, patience, and a threaded server in the background."""

import os
import socket
import threading
from socketserver import BaseServer
from typing import TYPE_CHECKING

from werkzeug.serving import WSGIRequestHandler, make_server

from localcloud.clock import Clock, utc_now

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

HOST = "127.0.0.1"
_POLL_SECONDS = 0.02  # how long stopping waits for the serving loop to notice
_BACKLOG = 512  # the usual 5 makes a burst of callers wait a second for their SYN to be sent again


class PortTakenError(OSError):
    """Another program listens on the port that was asked for."""

    def __init__(self, port: int) -> None:
        """Name the port in the message."""
        super().__init__(f"port {port} is in use by another program")
        self.port = port


def listen(port: int = 0) -> socket.socket:
    """Return a socket listening on `port` of this machine only; 0 takes a free one.

    Raises:
        PortTakenError: another program listens there.
    """
    try:
        return socket.create_server((HOST, port), backlog=_BACKLOG)
    except OSError as error:
        raise PortTakenError(port) from error


def free_port(wanted: int = 0) -> int:
    """Return a port that nothing listens on now: `wanted` unless that is 0.

    Raises:
        PortTakenError: another program listens on `wanted`.
    """
    with listen(wanted) as probe:
        return int(probe.getsockname()[1])


def unhurried(seconds: float) -> float:
    """Return how long what takes `seconds` at most may take now, with others waiting for the processors as well."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


class _Handler(WSGIRequestHandler):
    """Answers without a line in the console, and closes: a kept connection would keep its thread alive."""

    protocol_version = "HTTP/1.0"
    clock: Clock

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the Date header of an answer: the time of the cloud."""
        return super().date_time_string(self.clock().timestamp() if timestamp is None else timestamp)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Print nothing."""


class Background:
    """A server that answers in a thread of its own, until it is stopped."""

    def __init__(self, server: BaseServer, name: str) -> None:
        """Take a server that has its port; `name` is the thread's."""
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), name=name, daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and free the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class BackgroundServer(Background):
    """A WSGI application served on this machine by one thread per request."""

    def __init__(self, app: "WSGIApplication", name: str, port: int = 0, clock: Clock = utc_now) -> None:
        """Take the port now; `name` is the thread's. Answers carry the date of `clock`.

        Raises:
            PortTakenError: another program listens on `port`.
        """
        with listen(port) as listener:
            # Given the socket, because make_server ends the whole program when it finds the port taken.
            handler = type("_Dated", (_Handler,), {"clock": staticmethod(clock)})
            server = make_server(HOST, 0, app, threaded=True, request_handler=handler, fd=listener.fileno())
        super().__init__(server, name)
        self.port = server.port
