"""The HTTP face of the engine: a WSGI application with OpenAI's routes, errors and faults."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request, Response

from localcloud.openai.batches import LIST_MAX as BATCHES_LIST_MAX
from localcloud.openai.engine import Engine
from localcloud.openai.errors import ApiError, invalid, missing_parameter, unknown_model
from localcloud.openai.files import LIST_MAX as FILES_LIST_MAX
from localcloud.openai.files import upload_life_seconds
from localcloud.openai.settings import UPLOAD_BYTES_MAX
from localcloud.openai.tokens import find_model
from localcloud.standins.connection import CONNECTION, Connection
from localcloud.standins.counts import RequestCounts
from localcloud.standins.faults import Fault
from localcloud.standins.routes import Routes, file_response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MODELS_CREATED = 1_767_225_600  # of each model the same: nobody goes by it
JSON_BODY_BYTES_MAX = 64 * 1024 * 1024


@dataclass
class Reply:
    """An answer: JSON, or the content of a file."""

    body: Any = None
    file: Path | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Upload(Request):
    """A request whose uploaded file goes straight to disk, into the engine's directory."""

    max_content_length = UPLOAD_BYTES_MAX
    new_path: Callable[[], Path]
    _spooled: IO[bytes] | None = None

    def take(self) -> Path:
        """Return the path of the uploaded file, complete on disk and from now on the caller's."""
        if self._spooled is None:
            raise missing_parameter("file")
        path = Path(self._spooled.name)
        self._spooled.close()
        self._spooled = None
        return path

    def discard(self) -> None:
        """Remove what was uploaded and not taken."""
        if self._spooled is not None:
            self._spooled.close()
            Path(self._spooled.name).unlink()
            self._spooled = None

    def _get_file_stream(
        self,
        total_content_length: int | None,  # noqa: ARG002 - the signature is werkzeug's
        content_type: str | None,  # noqa: ARG002
        filename: str | None = None,  # noqa: ARG002
        content_length: int | None = None,  # noqa: ARG002
    ) -> IO[bytes]:
        self.discard()  # of several files, the last counts
        self._spooled = self.new_path().open("w+b")
        return self._spooled


class Api:
    """The WSGI application."""

    def __init__(self, engine: Engine, requests: RequestCounts) -> None:
        """Serve `engine`, and count `requests`."""
        self._engine, self._requests = engine, requests
        self._routes = Routes[Callable[..., Reply]](
            [
                ("GET", "/v1/models/{model}", self._model),
                ("POST", "/v1/chat/completions", self._chat),
                ("POST", "/v1/files", self._create_file),
                ("GET", "/v1/files", self._list_files),
                ("GET", "/v1/files/{file_id}", self._retrieve_file),
                ("DELETE", "/v1/files/{file_id}", self._delete_file),
                ("GET", "/v1/files/{file_id}/content", self._file_content),
                ("POST", "/v1/batches", self._create_batch),
                ("GET", "/v1/batches", self._list_batches),
                ("GET", "/v1/batches/{batch_id}", self._retrieve_batch),
                ("POST", "/v1/batches/{batch_id}/cancel", self._cancel_batch),
            ]
        )

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        request = Upload(environ)
        request.new_path = self._engine.files.new_path
        with request:  # closes what was uploaded
            return self._respond(request, environ[CONNECTION])(environ, start_response)

    def _respond(self, request: Upload, connection: Connection) -> Response:
        response = self._answer(request, connection)
        response.headers["x-request-id"] = self._engine.ids.new("req_")
        return response

    def _answer(self, request: Upload, connection: Connection) -> Response:
        try:
            endpoint, handler, arguments = self._route(request)
            self._requests.add(endpoint)
            if self._engine.azure is None:
                _check_key(request)
            else:
                self._engine.azure.check_key(request)
            if struck := self._engine.faults.strike("request", endpoint):
                return _refuse(struck, connection)
            reply = handler(request, *arguments)
        except ApiError as error:
            return _json_response(Reply(error.body(), status=error.status, headers=error.headers))
        if endpoint == "POST /v1/chat/completions":
            connection.pause(self._engine.settings.latency_ms / 1000)
        struck = self._engine.faults.strike("reply", endpoint)
        if struck is not None and struck.kind == "reply_lost":
            connection.reset()
        response = file_response(reply.file, "application/octet-stream") if reply.file else _json_response(reply)
        if struck is not None:
            whole = response.get_data()
            response.set_data(whole[: len(whole) // 2])
        return response

    def _route(self, request: Request) -> tuple[str, Callable[..., Reply], tuple[str, ...]]:
        path = request.path if self._engine.azure is None else self._engine.azure.path(request.path)
        found = self._routes.find(request, path)
        if found is None:
            raise ApiError(404, f"Invalid URL ({request.method} {request.path})", code="unknown_url")
        return found

    def _model(self, _request: Request, model: str) -> Reply:
        if find_model(model) is None:
            raise unknown_model(model)
        return Reply({"id": model, "object": "model", "created": MODELS_CREATED, "owned_by": "system"})

    def _chat(self, request: Request) -> Reply:
        return Reply(self._engine.chat(_json_body(request)))

    def _create_file(self, request: Upload) -> Reply:
        try:
            return self._keep_upload(request)
        except RequestEntityTooLarge as error:
            message = f"The file is larger than the maximum of {UPLOAD_BYTES_MAX} bytes."
            raise ApiError(413, message) from error
        finally:
            request.discard()

    def _keep_upload(self, request: Upload) -> Reply:
        form, upload = request.form, request.files.get("file")
        if upload is None:
            raise missing_parameter("file")
        if not form.get("purpose"):
            raise missing_parameter("purpose")
        policy = {
            key[len("expires_after[") : -1]: value for key, value in form.items() if key.startswith("expires_after[")
        }
        life = upload_life_seconds(form["purpose"], policy)
        name = Path(upload.filename or "upload").name
        return Reply(self._engine.files.add(request.take(), name, form["purpose"], self._engine.now(), life).public())

    def _list_files(self, request: Request) -> Reply:
        self._move_on()
        return Reply(
            self._engine.files.page(
                self._engine.now(),
                after=request.args.get("after"),
                limit=_limit(request, FILES_LIST_MAX, FILES_LIST_MAX),
                order=request.args.get("order", "desc"),
                purpose=request.args.get("purpose"),
            )
        )

    def _retrieve_file(self, _request: Request, file_id: str) -> Reply:
        self._move_on()
        return Reply(self._engine.files.get(file_id, self._engine.now()).public())

    def _delete_file(self, _request: Request, file_id: str) -> Reply:
        self._move_on()
        return Reply(self._engine.files.delete(file_id, self._engine.now()))

    def _file_content(self, _request: Request, file_id: str) -> Reply:
        self._move_on()
        return Reply(file=self._engine.files.get(file_id, self._engine.now()).path)

    def _create_batch(self, request: Request) -> Reply:
        self._move_on()
        return Reply(self._engine.batches.create(_json_body(request), self._engine.now()))

    def _list_batches(self, request: Request) -> Reply:
        limit = _limit(request, 20, BATCHES_LIST_MAX)
        return Reply(self._engine.batches.page(self._engine.now(), after=request.args.get("after"), limit=limit))

    def _retrieve_batch(self, _request: Request, batch_id: str) -> Reply:
        self._move_on()
        return Reply(self._engine.batches.retrieve(batch_id, self._engine.now()))

    def _cancel_batch(self, _request: Request, batch_id: str) -> Reply:
        self._move_on()
        return Reply(self._engine.batches.cancel(batch_id, self._engine.now()))

    def _move_on(self) -> None:
        self._engine.batches.advance(self._engine.now())


def _check_key(request: Request) -> None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        message = (
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer "
            "auth (i.e. Authorization: Bearer YOUR_KEY)."
        )
        raise ApiError(401, message)


def _json_body(request: Request) -> Any:
    if (request.content_length or 0) > JSON_BODY_BYTES_MAX:
        raise ApiError(413, f"The request body is larger than the maximum of {JSON_BODY_BYTES_MAX} bytes.")
    try:
        return json.loads(request.get_data())
    except (ValueError, RecursionError) as error:
        raise invalid("We could not parse the JSON body of your request.") from error


def _limit(request: Request, default: int, most: int) -> int:
    text = request.args.get("limit", str(default))
    if not text.isdecimal() or not 1 <= int(text) <= most:
        message = f"Invalid 'limit': expected an integer between 1 and {most}, but got '{text}' instead."
        raise invalid(message, param="limit", code="invalid_value")
    return int(text)


def _refuse(fault: Fault, connection: Connection) -> Response:
    if fault.kind == "timeout":
        connection.hang(fault.seconds)
    if fault.kind == "connection_reset":
        connection.reset()
    if fault.kind == "bad_gateway":
        return Response("<html><head><title>502 Bad Gateway</title></head></html>", 502, content_type="text/html")
    if fault.kind == "error_in_success":
        return _json_response(Reply({"error": {"code": fault.status, "message": "no provider"}, "choices": None}))
    overloaded = "The server is overloaded or not ready yet."
    errors = {
        "rate_limited": ApiError(
            429,
            "Rate limit reached for requests. Please try again later.",
            kind="requests",
            code="rate_limit_exceeded",
            headers={"retry-after": f"{fault.retry_after:g}"},
        ),
        "insufficient_quota": ApiError(
            429,
            "You exceeded your current quota, please check your plan and billing details.",
            kind="insufficient_quota",
            code="insufficient_quota",
        ),
        "server_error": ApiError(500, "The server had an error while processing your request.", kind="server_error"),
        "unavailable": ApiError(503, overloaded, kind="server_error", code="service_unavailable"),
        "not_found": ApiError(404, "No such File object", param="id"),
        "refused": ApiError(fault.status, "This is refused, as the test wants it.", code=fault.code),
    }
    error = errors[fault.kind]
    return _json_response(Reply(error.body(), status=error.status, headers=error.headers))


def _json_response(reply: Reply) -> Response:
    text = json.dumps(reply.body, separators=(",", ":"))
    return Response(text, reply.status, headers=reply.headers, content_type="application/json")
