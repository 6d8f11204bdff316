"""The stand-in as its users hold it: over a socket for other processes, or in process without sockets and threads."""

import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypedDict, Unpack

import httpx2

from localcloud.openai.answers import Answer, no_wish
from localcloud.openai.api import CONNECTION, Api
from localcloud.openai.connection import InProcessConnection
from localcloud.openai.counts import RequestCounts
from localcloud.openai.engine import Clock, Engine
from localcloud.openai.faults import Faults
from localcloud.openai.images import Fetch
from localcloud.openai.server import Server
from localcloud.openai.settings import Settings
from localcloud.openai.webhooks import Send, post

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

TICK_SECONDS = 0.5  # how often a served stand-in looks at its clock without being asked


class SettingsArguments(TypedDict, total=False):
    """The fields of Settings, as keyword arguments."""

    batch_minutes: float
    latency_ms: float
    enqueued_token_limit: int | None
    cached_tokens: int
    blank_error_file_share: float
    batch_lines_max: int
    batch_bytes_max: int
    webhook_url: str | None
    webhook_secret: str | None


def machine_time() -> datetime:
    """Return the machine's time, for a stand-in whose clock nobody moves."""
    return datetime.now(UTC)


class OpenAIStandIn:
    """Answers the OpenAI client: chat completions with images, files, batches and signed events."""

    def __init__(
        self,
        port: int = 0,
        clock: Clock = machine_time,
        *,
        seed: int = 0,
        answers: Answer = no_wish,
        fetch: Fetch | None = None,
        send_webhook: Send = post,
        signing_time: Callable[[], float] = time.time,
        **settings: Unpack[SettingsArguments],
    ) -> None:
        """Put the parts together; nothing listens before `start`.

        Args:
            port: Where to listen on 127.0.0.1; 0 takes a free port.
            clock: Returns the time as an aware datetime; everything but webhook signatures reads it.
            seed: What identifiers, orders, durations and faults are drawn from.
            answers: What to say of a picture, as far as a request's schema lets it; see answers.py.
            fetch: How image URLs are fetched (URL to bytes); by default over HTTP.
            send_webhook: How events are sent (URL, body, headers to HTTP status); by default over HTTP.
            signing_time: Seconds since 1970 for webhook signatures; see webhooks.py for why it is not the clock.
            settings: Fields of Settings, such as `batch_minutes`, `latency_ms` and `webhook_url`.
        """
        directory = tempfile.mkdtemp(prefix="localcloud-openai-")
        self._remove_directory = weakref.finalize(self, shutil.rmtree, directory, ignore_errors=True)
        self.settings = Settings(**settings)
        self.engine = Engine(
            Path(directory),
            clock,
            self.settings,
            seed=seed,
            answers=answers,
            fetch=fetch,
            send=send_webhook,
            signing_time=signing_time,
        )
        self._api = Api(self.engine)
        self._port = port
        self._server: Server | None = None
        self._threads: list[threading.Thread] = []

    @property
    def faults(self) -> Faults:
        """The faults that are waiting to happen: `add(kind=..., ...)`, `clear()`, `list()`."""
        return self.engine.faults

    @property
    def requests(self) -> RequestCounts:
        """Requests received by endpoint, such as `{"POST /v1/batches": 3}`; `requests.reset()` starts again."""
        return self._api.requests

    @property
    def base_url(self) -> str:
        """What to give the OpenAI client as `base_url`; in process, a host that is reserved for examples."""
        return f"{self._origin}/v1"

    @property
    def admin_url(self) -> str:
        """Where the admin endpoints are."""
        return f"{self._origin}/__"

    def start(self) -> Self:
        """Listen; returns at once with the port open."""
        server = Server(self._port, self._api)
        self._server = server
        loops = (lambda: server.serve_forever(poll_interval=0.05), self._keep_ticking)
        self._threads = [threading.Thread(target=loop, name="openai-standin", daemon=True) for loop in loops]
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

    def tick(self) -> int:
        """Move batches to where the clock is, deliver due webhooks, return how many were accepted."""
        return self.engine.tick()

    def http_client(self) -> httpx2.Client:
        """Return a client for `OpenAI(http_client=...)` that calls the stand-in in process, in the caller's thread."""
        return httpx2.Client(transport=self.transport(), base_url=self.base_url)

    def transport(self) -> httpx2.BaseTransport:
        """Return what `http_client` sends with, for a client that puts something of its own in between."""
        return httpx2.WSGITransport(app=self._in_process)

    @property
    def _origin(self) -> str:
        if self._server is None:
            return "http://openai.example"
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def _in_process(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        environ[CONNECTION] = InProcessConnection()
        return self._api(environ, start_response)

    def _keep_ticking(self) -> None:
        server = self._server
        while server is not None and not server.stopping.wait(TICK_SECONDS):
            self.tick()
