"""A stand-in that can be served: over a socket for other processes, or in process without sockets and threads."""

import shutil
import signal
import tempfile
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Self

import httpx2

from localcloud.openai.connection import CONNECTION, InProcessConnection
from localcloud.openai.server import Server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

TICK_SECONDS = 0.5  # how often a served stand-in looks at its clock without being asked


class Served(ABC):
    """What the stand-ins have in common: a directory of their own, a server, a client in process."""

    def __init__(self, name: str, port: int) -> None:
        """Make a directory. Nothing listens before `start`; `port` 0 takes a free one."""
        self._name, self._port = name, port
        directory = tempfile.mkdtemp(prefix=f"localcloud-{name}-")
        self._remove_directory = weakref.finalize(self, shutil.rmtree, directory, ignore_errors=True)
        self.directory = Path(directory)
        self._server: Server | None = None
        self._threads: list[threading.Thread] = []

    @property
    def base_path(self) -> str:
        """What the client's `base_url` ends with."""
        return ""

    @property
    @abstractmethod
    def application(self) -> "WSGIApplication":
        """What answers the requests; it expects a Connection in their environment."""

    @abstractmethod
    def tick(self) -> int:
        """Move batches to where the clock is; return how many events about them were accepted."""

    @property
    def base_url(self) -> str:
        """What to give the client as `base_url`; in process, a host that is reserved for examples."""
        return f"{self._origin}{self.base_path}"

    @property
    def admin_url(self) -> str:
        """Where the admin endpoints are."""
        return f"{self._origin}/__"

    def start(self) -> Self:
        """Listen; returns at once with the port open."""
        server = Server(self._port, self.application)
        self._server = server
        loops = (lambda: server.serve_forever(poll_interval=0.05), self._keep_ticking)
        self._threads = [threading.Thread(target=loop, name=f"{self._name}-standin", daemon=True) for loop in loops]
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """Stop listening, end answers that hang, and remove the files. Safe to call twice."""
        if self._server is not None:
            self._server.stop()
            for thread in self._threads:
                thread.join()
            self._server = None
        self._remove_directory()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def http_client(self) -> httpx2.Client:
        """Return a client for the SDK's `http_client` that calls the stand-in in process, in the caller's thread."""
        return httpx2.Client(transport=self.transport(), base_url=self.base_url)

    def transport(self) -> httpx2.BaseTransport:
        """Return what `http_client` sends with, for a client that puts something of its own in between."""
        return httpx2.WSGITransport(app=self._in_process)

    @property
    def _origin(self) -> str:
        if self._server is None:
            return f"http://{self._name}.example"
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def _in_process(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        environ[CONNECTION] = InProcessConnection()
        return self.application(environ, start_response)

    def _keep_ticking(self) -> None:
        server = self._server
        while server is not None and not server.stopping.wait(TICK_SECONDS):
            self.tick()


def serve(standin: "Served", variable: str) -> None:
    """Serve until the process is interrupted, and print the environment `variable` by which a client finds it."""
    stop = threading.Event()
    for wish in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wish, lambda *_: stop.set())
    with standin:
        print(f"{variable}={standin.base_url}  admin {standin.admin_url}  (Ctrl-C stops it)", flush=True)
        stop.wait()
