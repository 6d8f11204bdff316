"""A small threaded HTTP/1.1 server for a WSGI application: keep-alive, streamed uploads, connections that can be cut.

Werkzeug's own development server closes every connection after one answer, which would cost callers a new one each
time.
"""

import contextlib
import select
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO, TYPE_CHECKING, Any, NoReturn, cast
from urllib.parse import unquote, urlsplit

from werkzeug.serving import DechunkedInput
from werkzeug.wsgi import LimitedStream

from localcloud.standins.connection import CONNECTION

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

IDLE_SECONDS_MAX = 120.0
DRAIN_BYTES_MAX = 16 * 1024 * 1024  # an unread rest that is longer ends the connection instead
_PEER_CLOSED = getattr(select, "POLLRDHUP", 0)  # Linux only; elsewhere an empty read tells
CHECK_SECONDS = 0.1  # how often a hanging answer looks whether its caller has left


class Server(ThreadingHTTPServer):
    """Listens on 127.0.0.1; one thread per connection."""

    daemon_threads = True
    request_queue_size = 1024
    allow_reuse_address = True

    def __init__(self, port: int, application: "WSGIApplication") -> None:
        """Bind to `port`, or to a free one for 0."""
        super().__init__(("127.0.0.1", port), Handler)
        self.application = application
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a new connection, and remember it to end it when the server stops."""
        self._open.add(request)
        super().process_request(request, client_address)

    def stop(self) -> None:
        """Stop listening, end every connection and every answer that hangs. Needs `serve_forever` in another thread."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):  # its caller may have ended it at this moment
                connection.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        """Close without the usual half-close first, which would turn a reset into a polite end."""
        self._open.discard(request)
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore callers that went away; report everything else."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class SocketConnection:
    """The connection of one request."""

    def __init__(self, sock: socket.socket, stopping: threading.Event) -> None:
        """Wait and cut on `sock`; do not wait any longer once `stopping` is set."""
        self._socket = sock
        self._stopping = stopping

    def pause(self, seconds: float) -> None:
        """Let time pass before the answer."""
        if seconds > 0:
            self._stopping.wait(seconds)

    def hang(self, seconds: float) -> NoReturn:
        """Stay silent until the caller leaves, the server stops or `seconds` are over; then cut."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._stopping.wait(CHECK_SECONDS):
            if self._caller_left():
                break
        self.reset()

    def reset(self) -> NoReturn:
        """Make the close that follows a TCP reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionResetError("reset on request of a fault")

    def _caller_left(self) -> bool:
        # Asked of the poller, for recv would wait for the socket's own timeout even with MSG_DONTWAIT.
        poller = select.poll()
        poller.register(self._socket, select.POLLIN | _PEER_CLOSED)
        for _, event in poller.poll(0):
            if event & (_PEER_CLOSED | select.POLLHUP | select.POLLERR):
                return True
            return self._socket.recv(1, socket.MSG_PEEK) == b""
        return False


class Handler(BaseHTTPRequestHandler):
    """Runs the WSGI application for each request of a connection."""

    protocol_version = "HTTP/1.1"
    server: Server
    timeout = IDLE_SECONDS_MAX
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024

    def __getattr__(self, name: str) -> Any:
        # http.server calls do_GET, do_POST and so on; all methods are the application's.
        if name.startswith("do_"):
            return self._run
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Stay quiet: requests are counted instead."""

    def _run(self) -> None:
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
            self.wfile.flush()
        body = self._body()
        answer: tuple[str, list[tuple[str, str]]] | None = None

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:  # noqa: ARG001
            nonlocal answer
            answer = (status, headers)

        try:
            chunks = self.server.application(self._environ(body), start_response)
        except ConnectionResetError:
            self.close_connection = True
            return
        try:
            if answer is None:
                raise RuntimeError("the application did not start its response")
            self._send(answer[0], answer[1], chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        self._drain(body)

    def _send(self, status: str, headers: list[tuple[str, str]], chunks: Any) -> None:
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            for chunk in chunks:
                self.wfile.write(chunk)
                self.wfile.flush()  # an answer that comes in pieces is seen to
        self.wfile.flush()

    def _body(self) -> IO[bytes]:
        stream = cast("IO[bytes]", self.rfile)
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return cast("IO[bytes]", DechunkedInput(stream))
        length = self.headers.get("Content-Length", "0")
        return cast("IO[bytes]", LimitedStream(stream, int(length) if length.isdecimal() else 0))

    def _drain(self, body: IO[bytes]) -> None:
        # The next request of this connection begins behind the rest of this one's body.
        left = DRAIN_BYTES_MAX
        while left > 0 and (chunk := body.read(min(left, 1024 * 1024))):
            left -= len(chunk)
        self.close_connection = self.close_connection or left <= 0

    def _environ(self, body: IO[bytes]) -> "WSGIEnvironment":
        target = urlsplit(self.path)
        environ: WSGIEnvironment = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(target.path, "latin-1"),
            "QUERY_STRING": target.query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(self.server.server_address[1]),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": body,
            "wsgi.input_terminated": True,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            CONNECTION: SocketConnection(self.connection, self.server.stopping),
        }
        for name, value in self.headers.items():
            key = name.upper().replace("-", "_")
            environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value
        return environ
