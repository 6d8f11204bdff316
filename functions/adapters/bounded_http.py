"""HTTP for providers and for alerts, whose calls have an end, whatever the other side does.

httpx limits each read alone: a server that sends a byte now and then is waited for without end. Here a call has an
`Allowance` of seconds and bytes, counted in the network stream below TLS and HTTP, from the first address tried to the
last byte of the body. The system's resolver has limits of its own.
"""

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Any

import httpcore2
import httpx2

WRITE_BYTES = 16_384
"""How much is handed to the system at a time, and between two looks at the clock. A record of TLS holds as much."""


CONNECTIONS = httpx2.Limits(max_connections=1_000, max_keepalive_connections=100)
"""More than the calls of a process: none waits for a connection."""


class Allowance:
    """How long a call may still take, and how many bytes its answer may have, headers included."""

    def __init__(self, seconds: float, bytes_max: int) -> None:
        """Begin to count."""
        self._end = monotonic() + seconds
        self._bytes_left = bytes_max

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let whatever this thread sends and receives inside count."""
        before = _allowance.set(self)
        try:
            yield
        finally:
            _allowance.reset(before)

    def spent_on(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield what comes in. What is done with it between two chunks counts for the time, and is not held to it."""
        while True:
            with self.applied():
                chunk = next(chunks, None)
            if chunk is None:
                return
            yield chunk

    def within(self, timeout: float | None, kind: type[Exception]) -> float:
        """Return a limit for one step; raise `kind` if no time is left."""
        left = self._end - monotonic()
        if left <= 0:
            raise kind("the call has taken all the time that it has")
        return left if timeout is None else min(timeout, left)

    def count(self, received: bytes) -> bytes:
        """Count what has come in. Raises httpcore2.ReadError if that is more than the answer may have."""
        self._bytes_left -= len(received)
        if self._bytes_left < 0:
            raise httpcore2.ReadError("the answer is longer than any should be")
        return received


_allowance: ContextVar[Allowance | None] = ContextVar("allowance", default=None)


def provider_http() -> httpx2.Client:
    """Return `bounded_http` for a provider, which takes nothing compressed."""
    http = bounded_http()
    http.event_hooks = {"response": [_refuse_compressed]}
    return http


def bounded_http() -> httpx2.Client:
    """Return an HTTP client that keeps to allowances, follows no redirect and asks for nothing compressed.

    A redirect would carry the photo, and perhaps the key, elsewhere. Compressed bytes show their size only once in
    memory.
    """
    http = httpx2.Client(follow_redirects=False, headers={"Accept-Encoding": "identity"}, limits=CONNECTIONS)
    # There is no public way to a backend that leaves the proxies of the environment in place.
    for transport in (http._transport, *http._mounts.values()):  # noqa: SLF001
        if isinstance(transport, httpx2.HTTPTransport):
            pool = transport._pool  # noqa: SLF001
            pool._network_backend = _Backend(pool._network_backend)  # noqa: SLF001
    return http


def _refuse_compressed(response: httpx2.Response) -> None:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise httpx2.DecodingError("the answer is compressed, which was not asked for", request=response.request)


class _Backend(httpcore2.NetworkBackend):
    """Opens connections within the allowance: all addresses of a host together, and not each of them."""

    def __init__(self, inner: httpcore2.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        allowance = _allowance.get()
        if allowance is None:
            return _Stream(self._inner.connect_tcp(host, port, timeout, local_address, socket_options))
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error
        problem: Exception = httpcore2.ConnectError("the host has no address")
        for *_, address in found:
            left = allowance.within(timeout, httpcore2.ConnectTimeout)
            try:
                stream = self._inner.connect_tcp(str(address[0]), port, left, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                problem = error
            else:
                return _Stream(stream)
        raise problem

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Stream(httpcore2.NetworkStream):
    """A connection each of whose steps is within the allowance of the call that it serves at the moment."""

    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        allowance = _allowance.get()
        if allowance is None:
            return self._inner.read(max_bytes, timeout)
        return allowance.count(self._inner.read(max_bytes, allowance.within(timeout, httpcore2.ReadTimeout)))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        allowance, view = _allowance.get(), memoryview(buffer)
        for start in range(0, len(view), WRITE_BYTES):
            left = allowance.within(timeout, httpcore2.WriteTimeout) if allowance else timeout
            self._inner.write(bytes(view[start : start + WRITE_BYTES]), left)

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        allowance = _allowance.get()
        left = allowance.within(timeout, httpcore2.ConnectTimeout) if allowance else timeout
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left))

    def close(self) -> None:
        self._inner.close()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
