"""The port for everybody, as Google's emulator has one: HTTP/2 goes on to the gRPC port, HTTP/1.1 is answered here.

    apps on phones   ──gRPC──┐                      ┌─► gRPC port ◄──── server clients, without the way round
    web SDK, tools   ──HTTP──┴─► front: first bytes ┴─► WebChannel, REST

An HTTP/2 client that knows beforehand, as gRPC's do, begins with 24 bytes that are no HTTP/1.1 request (RFC 9113, 3.4).
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from localcloud.firestore.service import Service
from localcloud.serving import HOST, listen

from .app import App

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

_KEEP_ALIVE_SECONDS = 75  # longer than browsers keep idle connections, so that none writes into a closing one
_HEAD_BYTES_MAX = 64 * 1024  # of a request line with headers: an old web SDK puts its token into the address
_THREADS_MAX = 512  # a blocked call keeps its thread; threads are started only when needed
_GRACE_SECONDS = 2.0  # what answers under way get when the server stops
_FLUSH_SECONDS = 0.02  # and what is written already


class Front:
    """The port. Everything runs in one thread of its own, but for calls that may block."""

    def __init__(self, service: Service, grpc_port: int, port: int = 0) -> None:
        """Take `port` (0: a free one); what speaks HTTP/2 is connected to `grpc_port`.

        Raises:
            PortTakenError: another program listens on `port`.
        """
        self._listener = listen(port)
        # Connections inherit it. Without it a small answer waits 40 ms for the client to acknowledge the one before.
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._listener.getsockname()[1]
        self._service, self._grpc_port = service, grpc_port
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="firestore-front", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Stop answering and free the port; open sessions end."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        with ThreadPoolExecutor(_THREADS_MAX, thread_name_prefix="firestore-web") as threads:
            asyncio.run(self._serve(threads))

    async def _serve(self, threads: ThreadPoolExecutor) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = App(self._service, lambda call: self._loop.run_in_executor(threads, call))
        config = Config(
            app.asgi,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            h11_max_incomplete_event_size=_HEAD_BYTES_MAX,
        )
        config.load()
        state, others = ServerState(), _Connections()

        def connection() -> asyncio.Protocol:
            return _Undecided(self._grpc_port, lambda: H11Protocol(config, state, {}), others)

        server = await self._loop.create_server(connection, sock=self._listener)
        self._ready.set()
        await self._stop.wait()
        # No more are accepted. The server itself closes last: it would lose a connection that it has just accepted.
        self._loop.remove_reader(self._listener)
        app.close()
        if state.tasks:
            await asyncio.wait(state.tasks, timeout=_GRACE_SECONDS)
        await self._close(state, others)
        server.close()

    async def _close(self, http: ServerState, others: "_Connections") -> None:
        """Close all connections: those of HTTP when they have sent what they have."""
        others.closed = True
        for transport in list(others.ends):
            transport.abort()
        await asyncio.gather(*others.coming)
        for connection in list(http.connections):
            connection.shutdown()
        await asyncio.sleep(_FLUSH_SECONDS)
        for connection in list(http.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # for the sockets to be closed


class _Connections:
    """The connections that are not HTTP: both ends of those handed on, those that have not said yet what they are, and
    the tasks that connect."""

    def __init__(self) -> None:
        self.ends: set[asyncio.Transport] = set()
        self.coming: set[asyncio.Task[None]] = set()
        self.closed = False


class _Undecided(asyncio.Protocol):
    """A connection whose first bytes are yet to tell what it speaks."""

    def __init__(self, grpc_port: int, http: Callable[[], asyncio.Protocol], others: _Connections) -> None:
        self._grpc_port, self._http, self._others = grpc_port, http, others
        self._head = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._others.ends.add(self._transport)
        if self._others.closed:
            self._transport.abort()

    def connection_lost(self, _: Exception | None) -> None:
        self._others.ends.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._head += data
        if self._head.startswith(PREFACE):
            self._transport.pause_reading()
            task = asyncio.create_task(self._splice())
            self._others.coming.add(task)
            task.add_done_callback(self._others.coming.discard)
        elif not PREFACE.startswith(self._head):
            protocol = self._http()
            self._others.ends.discard(self._transport)
            self._transport.set_protocol(protocol)
            protocol.connection_made(self._transport)
            protocol.data_received(self._head)

    async def _splice(self) -> None:
        loop = asyncio.get_running_loop()
        ends, near = self._others.ends, self._transport
        try:
            far, _ = await loop.create_connection(lambda: _Pipe(near, lambda: ends.discard(far)), HOST, self._grpc_port)
        except OSError:  # it has stopped
            near.abort()
            return
        if near.is_closing():  # meanwhile
            far.abort()
            return
        ends.add(far)
        near.set_protocol(_Pipe(far, lambda: ends.discard(near)))
        far.write(self._head)
        near.resume_reading()


class _Pipe(asyncio.Protocol):
    """One end of two connections that are one: what arrives goes out at the other, no faster than it is taken there."""

    def __init__(self, other: Any, forget: Callable[[], object]) -> None:
        self._other, self._forget = other, forget

    def data_received(self, data: bytes) -> None:
        self._other.write(data)

    def pause_writing(self) -> None:
        self._other.pause_reading()

    def resume_writing(self) -> None:
        self._other.resume_reading()

    def eof_received(self) -> bool:
        if self._other.can_write_eof():
            self._other.write_eof()
        return True  # the other direction may go on

    def connection_lost(self, _: Exception | None) -> None:
        self._forget()
        self._other.close()
