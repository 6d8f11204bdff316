"""What every stand-in is: served over a socket, or in process without sockets and threads; steered; a command."""

import argparse
import json
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
from pydantic import BaseModel
from werkzeug.exceptions import ClientDisconnected
from werkzeug.wrappers import Request, Response

from localcloud.clock import MovableClock, utc_now
from localcloud.standins.admin import Admin
from localcloud.standins.connection import CONNECTION, Connection, InProcessConnection
from localcloud.standins.counts import RequestCounts
from localcloud.standins.faults import Faults
from localcloud.standins.server import Server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

TICK_SECONDS = 0.5  # how often a served stand-in looks at its clock without being asked


class StandIn(ABC):
    """What the stand-ins have in common: a directory of their own, a server, a client in process, admin endpoints."""

    application: "WSGIApplication"
    """The service's API; it expects a Connection in the environment of each request."""
    settings: BaseModel
    """What can be changed while it runs."""
    faults: Faults
    """The faults that are waiting to happen: `add(kind=..., ...)`, `clear()`, `list()`."""

    def __init__(self, name: str, port: int) -> None:
        """Make a directory. Nothing listens before `start`; `port` 0 takes a free one."""
        self._name, self._port = name, port
        self.requests = RequestCounts()
        """Requests received by endpoint, such as `{"POST /v1/batches": 3}`; `requests.reset()` starts again."""
        self._admin = Admin(self)
        directory = tempfile.mkdtemp(prefix=f"localcloud-{name}-")
        self._remove_directory = weakref.finalize(self, shutil.rmtree, directory, ignore_errors=True)
        self.directory = Path(directory)
        self._server: Server | None = None
        self._threads: list[threading.Thread] = []

    @property
    def base_path(self) -> str:
        """What the client's `base_url` ends with."""
        return ""

    @abstractmethod
    def tick(self) -> int:
        """Move to where the clock is, deliver due webhooks, return how many were accepted."""

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
        server = Server(self._port, self._answer)
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
        return self._answer(environ, start_response)

    def _answer(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        try:
            if environ["PATH_INFO"].startswith("/__/"):
                status, body = self._admin.answer(Request(environ))
                return Response(json.dumps(body), status, content_type="application/json")(environ, start_response)
            return self.application(environ, start_response)
        except ClientDisconnected:
            connection: Connection = environ[CONNECTION]
            connection.reset()

    def _keep_ticking(self) -> None:
        server = self._server
        while server is not None and not server.stopping.wait(TICK_SECONDS):
            self.tick()


def command(name: str, service: str) -> argparse.ArgumentParser:
    """Return a parser of what every stand-in can be told; its options are named as the stand-in's arguments."""
    parser = argparse.ArgumentParser(
        prog=f"python -m localcloud.{name}", description=f"A stand-in for the {service} API."
    )
    parser.add_argument("--port", type=int, default=0, help="where to listen on 127.0.0.1; 0 takes a free port")
    parser.add_argument(
        "--clock",
        type=lambda path: MovableClock(Path(path)),
        default=utc_now,
        help="file of a clock shared with other processes (localcloud/clock.py)",
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser


def serve(standin: StandIn, variable: str) -> None:
    """Serve until the process is interrupted, and print the environment `variable` by which a client finds it."""
    stop = threading.Event()
    for wish in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wish, lambda *_: stop.set())
    with standin:
        print(f"{variable}={standin.base_url}  admin {standin.admin_url}  (Ctrl-C stops it)", flush=True)
        stop.wait()
