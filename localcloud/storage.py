"""Cloud Storage in memory: the `gcp-storage-emulator` package behind a server for many callers at once.

The package's own server answers one caller after another, with a waiting line of five. Letting it serve in
parallel takes more than threads, because its store reads and writes shared dictionaries in several steps: two
first uploads to a bucket at once lose one of them. So the network is parallel here, and the store is locked.
Three more habits of the package are turned off, because they cost time or memory and nothing reads their
result: it writes its whole index as JSON on every change, keeps deleted objects for seven days, and logs a
warning for every plain answer.

Apps are served at the same address, by the protocol of the Firebase SDKs: see `firebase_storage`.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from io import BytesIO
from typing import IO, Any
from urllib.parse import quote

from gcp_storage_emulator.handlers.buckets import create_bucket
from gcp_storage_emulator.server import RequestHandler, _read_raw_data
from gcp_storage_emulator.storage import Storage

from localcloud.firebase_storage import PREFIX, Call, FirebaseStorage
from localcloud.project import PROJECT
from localcloud.serving import HOST, Background, PortTakenError
from localcloud.storage_rules import StorageSecurity

_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
    "Access-Control-Allow-Headers": "*, Authorization",
    "Access-Control-Expose-Headers": "*",
    "Access-Control-Max-Age": "3600",
}
_log = logging.getLogger(__name__)


class StorageServer(Background):
    """Cloud Storage with one empty bucket. `STORAGE_EMULATOR_HOST` is its `host` (`http://127.0.0.1:PORT`)."""

    def __init__(
        self, bucket: str, port: int = 0, project: str = PROJECT, security: StorageSecurity | None = None
    ) -> None:
        """Take the port and create `bucket`; `start` begins to answer. Apps send ID tokens of `project`, and do what
        `security` allows: without it nothing.

        Raises:
            PortTakenError: another program listens on `port`.
        """
        for package_log in ("gcp_storage_emulator", "api.object", "api.bucket"):
            logging.getLogger(package_log).setLevel(logging.CRITICAL)
        store = _MemoryStorage(use_memory_fs=True)
        create_bucket(bucket, store)
        store.buckets[bucket]["softDeletePolicy"]["retentionDurationSeconds"] = "0"
        for_apps = FirebaseStorage(store, project, security or StorageSecurity())
        try:
            server = _Server((HOST, port), partial(_Handler, store, for_apps))
        except OSError as error:
            raise PortTakenError(port) from error
        self.bucket, self._counting = bucket, server
        self.host = f"http://{HOST}:{server.server_port}"
        super().__init__(server, "storage-emulator")

    @property
    def requests(self) -> int:
        """How many requests it has answered."""
        return self._counting.requests

    def delay(self, seconds: float) -> None:
        """Let every request from now on take so much longer."""
        self._counting.delay_seconds = seconds


class _MemoryStorage(Storage):  # type: ignore[misc]  # published without types
    """The package's store, without the copy of its index that only a restart from disk would read."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.lock = threading.Lock()

    def create_file(
        self, bucket_name: str, file_name: str, content: bytes, file_obj: dict[str, str], file_id: str | None = None
    ) -> None:
        """Store an object, under a download link that survives a `?`, `#` or `%` in its name."""
        root, _, _ = file_obj["mediaLink"].partition("/download/")
        path = f"/download/storage/v1/b/{bucket_name}/o/{quote(file_name, safe='')}"
        file_obj["mediaLink"] = f"{root}{path}?generation={file_obj['generation']}&alt=media"
        super().create_file(bucket_name, file_name, content, file_obj, file_id)

    def _write_config_to_file(self) -> None:
        """Keep nothing: the index lives as long as the process."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512
    requests = 0
    delay_seconds = 0.0


class _Handler(RequestHandler):  # type: ignore[misc]  # published without types
    """Takes the request off the wire, has the package answer into memory under the lock, sends the answer."""

    storage: _MemoryStorage
    server: _Server
    wfile: IO[bytes]

    def __init__(self, store: _MemoryStorage, for_apps: FirebaseStorage, *connection: Any) -> None:
        self._for_apps = for_apps
        super().__init__(store, *connection)

    def do_OPTIONS(self) -> None:  # noqa: N802
        """Let apps in browsers call: they ask first."""
        self._send(HTTPStatus.NO_CONTENT, b"", _CORS)

    def do_GET(self) -> None:  # noqa: N802
        self._answer(super().do_GET)

    def do_POST(self) -> None:  # noqa: N802
        self._answer(super().do_POST)

    def do_PUT(self) -> None:  # noqa: N802
        self._answer(super().do_PUT)

    def do_PATCH(self) -> None:  # noqa: N802
        self._answer(super().do_PATCH)

    def do_DELETE(self) -> None:  # noqa: N802
        self._answer(super().do_DELETE)

    def _answer(self, handle: Callable[[], None]) -> None:
        body = _read_raw_data(self) or b""
        time.sleep(self.server.delay_seconds)
        if self.path.startswith(PREFIX):
            handle = partial(self._answer_app, Call(self.command, self.path, self.headers, body))
        del self.headers["Transfer-Encoding"], self.headers["Content-Length"]
        self.headers["Content-Length"] = str(len(body))
        wire, answer = self.wfile, BytesIO()
        self.rfile, self.wfile = BytesIO(body), answer
        try:
            with self.storage.lock:
                self.server.requests += 1
                handle()
        except Exception as error:  # noqa: BLE001  # whatever fails in the package is a 500
            _log.exception("storage emulator: %s %s", self.command, self.path)
            answer.seek(0)
            answer.truncate()
            self._fail(error)
        self.wfile = wire
        wire.write(answer.getvalue())

    def _answer_app(self, call: Call) -> None:
        reply = self._for_apps.answer(call)
        self._send(reply.status, reply.body, {**reply.headers, **_CORS})

    def _fail(self, error: Exception) -> None:
        text = f"the storage emulator failed: {type(error).__name__}: {error}"
        body = json.dumps({"error": {"code": 500, "message": text}}).encode()
        self._send(HTTPStatus.INTERNAL_SERVER_ERROR, body, {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
