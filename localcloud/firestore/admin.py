"""The admin port: bill, faults, export and import over plain HTTP, in JSON (an export is JSON Lines, see `transfer`).

| request | answer |
|---|---|
| GET /healthz | `{"status": "ok", "host": ...}` |
| GET /bill, POST /bill/reset | the bill; a reset answers with the bill up to then |
| GET /faults, POST /faults, DELETE /faults | the rules; POST takes one rule or a list of them; DELETE removes all |
| GET /export, POST /import | all documents; an import answers `{"documents": n}` |
| POST /clear | drops all documents and open transactions |
"""

import json
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .service import Service
from .transfer import export_lines, import_lines

IMPORT_BYTES_MAX = 1024 * 1024 * 1024


class AdminServer(ThreadingHTTPServer):
    """Serves the admin requests of one service on 127.0.0.1."""

    daemon_threads = True

    def __init__(self, port: int, service: Service, host: Callable[[], str]) -> None:
        """Listen on `port` (0 picks a free one); `host` tells where the gRPC service is."""
        super().__init__(("127.0.0.1", port), _Handler)
        self.service = service
        self.grpc_host = host


class _Handler(BaseHTTPRequestHandler):
    server: AdminServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Serve GET."""
        self._route("GET")

    def do_POST(self) -> None:
        """Serve POST."""
        self._route("POST")

    def do_DELETE(self) -> None:
        """Serve DELETE."""
        self._route("DELETE")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing: what is of interest is in the answers."""

    def _route(self, method: str) -> None:
        route = _ROUTES.get((method, self.path))
        length = int(self.headers.get("Content-Length") or 0)
        if route is None:
            status = (
                HTTPStatus.METHOD_NOT_ALLOWED if any(self.path == path for _, path in _ROUTES) else HTTPStatus.NOT_FOUND
            )
            self.close_connection = True  # a body may follow that nobody reads
            self._answer(status, {"error": f"{method} {self.path} is not served here."})
        elif length > IMPORT_BYTES_MAX:
            self.close_connection = True
            self._answer(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": f"A body has at most {IMPORT_BYTES_MAX} bytes."}
            )
        else:
            try:
                self._answer(HTTPStatus.OK, route(self.server, self.rfile.read(length).decode()))
            except ValueError as error:
                self._answer(HTTPStatus.BAD_REQUEST, {"error": str(error)})

    def _answer(self, status: HTTPStatus, content: Any) -> None:
        """Send JSON Lines as they are, and anything else as one piece of JSON."""
        kind, text = ("jsonl", "".join(content)) if isinstance(content, Iterator) else ("json", json.dumps(content))
        raw = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"application/{kind}")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


def _health(server: AdminServer, _: str) -> Any:
    return {"status": "ok", "host": server.grpc_host()}


def _bill(server: AdminServer, _: str) -> Any:
    return server.service.engine.bill.snapshot()


def _reset_bill(server: AdminServer, _: str) -> Any:
    return server.service.engine.bill.reset()


def _faults(server: AdminServer, _: str) -> Any:
    return server.service.faults.snapshot()


def _add_faults(server: AdminServer, body: str) -> Any:
    content = json.loads(body)
    for rule in content if isinstance(content, list) else [content]:
        if not isinstance(rule, dict):
            raise ValueError("a fault rule is a JSON object")  # noqa: TRY004 - what the body holds, not a caller's mistake
        server.service.faults.add(rule.pop("kind", ""), **rule)
    return server.service.faults.snapshot()


def _clear_faults(server: AdminServer, _: str) -> Any:
    server.service.faults.clear()
    return []


def _export(server: AdminServer, _: str) -> Any:
    return export_lines(server.service.engine)


def _import(server: AdminServer, body: str) -> Any:
    return {"documents": import_lines(server.service.engine, body.split("\n"))}


def _clear(server: AdminServer, _: str) -> Any:
    with server.service.engine.mutex:
        server.service.engine.clear()
    return {}


_ROUTES: dict[tuple[str, str], Callable[[AdminServer, str], Any]] = {
    ("GET", "/healthz"): _health,
    ("GET", "/bill"): _bill,
    ("POST", "/bill/reset"): _reset_bill,
    ("GET", "/faults"): _faults,
    ("POST", "/faults"): _add_faults,
    ("DELETE", "/faults"): _clear_faults,
    ("GET", "/export"): _export,
    ("POST", "/import"): _import,
    ("POST", "/clear"): _clear,
}
