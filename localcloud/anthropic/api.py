"""The HTTP face of the engine: a WSGI application with Anthropic's routes, headers, errors and faults."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from localcloud.anthropic.engine import Engine
from localcloud.anthropic.errors import ApiError, invalid, not_found
from localcloud.anthropic.settings import LIST_DEFAULT, REQUEST_BYTES_MAX
from localcloud.anthropic.tokens import find_model
from localcloud.standins.connection import CONNECTION, Connection
from localcloud.standins.counts import RequestCounts
from localcloud.standins.faults import Fault
from localcloud.standins.routes import Routes, file_response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

VERSIONS = ("2023-06-01", "2026-10-21")
MODELS_CREATED = "2026-01-01T00:00:00Z"  # of each model the same: nobody goes by it
DRIPS = 10
REQUESTS_PER_MINUTE = 4_000
TOKENS_PER_MINUTE = 4_000_000


class Api:
    """The WSGI application."""

    def __init__(self, engine: Engine, requests: RequestCounts) -> None:
        """Serve `engine`, and count `requests`."""
        self._engine, self._requests = engine, requests
        self._routes = Routes[Callable[..., Response]](
            [
                ("GET", "/v1/models/{model}", self._model),
                ("POST", "/v1/messages", self._message),
                ("POST", "/v1/messages/batches", self._create),
                ("GET", "/v1/messages/batches", self._list),
                ("GET", "/v1/messages/batches/{batch_id}", self._retrieve),
                ("DELETE", "/v1/messages/batches/{batch_id}", self._delete),
                ("POST", "/v1/messages/batches/{batch_id}/cancel", self._cancel),
                ("GET", "/v1/messages/batches/{batch_id}/results", self._results),
            ]
        )

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        return self._answer(Request(environ), environ[CONNECTION])(environ, start_response)

    def _answer(self, request: Request, connection: Connection) -> Response:
        request_id = self._engine.ids.new("req_")
        try:
            found = self._routes.find(request)
            if found is None:
                raise not_found("Not Found")
            endpoint, handler, arguments = found
            self._requests.add(endpoint)
            _check_headers(request)
            if struck := self._engine.faults.strike("request", endpoint):
                return _refuse(struck, connection, request_id)
            response = handler(request, *arguments)
        except ApiError as error:
            return _refusal(error, request_id)
        if endpoint == "POST /v1/messages":
            connection.pause(self._engine.settings.latency_ms / 1000)
        struck = self._engine.faults.strike("reply", endpoint)
        if struck is not None:
            _spoil(response, struck, connection)
        response.headers.extend(_headers(request_id, limited=False))
        return response

    def _model(self, _request: Request, model: str) -> Response:
        if find_model(model) is None:
            raise not_found(f"model: {model}")
        return _json({"type": "model", "id": model, "display_name": model, "created_at": MODELS_CREATED})

    def _message(self, request: Request) -> Response:
        return _json(self._engine.message(_body(request, REQUEST_BYTES_MAX)))

    def _create(self, request: Request) -> Response:
        body = _body(request, self._engine.settings.batch_bytes_max)
        batch = self._engine.batches.create(body, self._engine.now())
        return _json(batch.public(self._engine.now(), _origin(request)))

    def _list(self, request: Request) -> Response:
        now, asked = self._engine.now(), request.args
        limit, after, before = asked.get("limit"), asked.get("after_id"), asked.get("before_id")
        found = self._engine.batches.page(now, limit=limit, after=after, before=before)
        count = int(limit or LIST_DEFAULT)
        shown = found[-count:] if before else found[:count]
        return _json(
            {
                "data": [batch.public(now, _origin(request)) for batch in shown],
                "has_more": len(found) > count,
                "first_id": shown[0].id if shown else None,
                "last_id": shown[-1].id if shown else None,
            }
        )

    def _retrieve(self, request: Request, batch_id: str) -> Response:
        now = self._engine.now()
        return _json(self._engine.batches.retrieve(batch_id, now).public(now, _origin(request)))

    def _cancel(self, request: Request, batch_id: str) -> Response:
        now = self._engine.now()
        return _json(self._engine.batches.cancel(batch_id, now).public(now, _origin(request)))

    def _delete(self, _request: Request, batch_id: str) -> Response:
        return _json(self._engine.batches.delete(batch_id, self._engine.now()))

    def _results(self, _request: Request, batch_id: str) -> Response:
        return file_response(self._engine.batches.results(batch_id, self._engine.now()), "application/x-jsonl")


def _check_headers(request: Request) -> None:
    # The client has sent its key as a bearer token since 2.14; the service takes both.
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not request.headers.get("x-api-key", "").strip() and not (scheme.lower() == "bearer" and token.strip()):
        raise ApiError("authentication_error", "x-api-key header is required")
    version = request.headers.get("anthropic-version")
    if version is None:
        raise invalid("anthropic-version: header is required")
    if version not in VERSIONS:
        raise invalid(f'anthropic-version: "{version}" is not a valid version')


def _body(request: Request, bytes_max: int) -> Any:
    if (request.content_length or 0) > bytes_max:
        raise ApiError("request_too_large", "Request exceeds the maximum size")
    try:
        return json.loads(request.get_data())
    except (ValueError, RecursionError) as error:
        raise invalid("The request body is not valid JSON") from error


def _origin(request: Request) -> str:
    return request.host_url.rstrip("/")


def _headers(request_id: str, *, limited: bool) -> dict[str, str]:
    """Return the headers of every answer; the stand-in knows no limits of its own, so that nothing is used up."""
    headers = {"request-id": request_id, "anthropic-organization-id": "org-stand-in"}
    for what, most in (("requests", REQUESTS_PER_MINUTE), ("tokens", TOKENS_PER_MINUTE)):
        headers[f"anthropic-ratelimit-{what}-limit"] = str(most)
        headers[f"anthropic-ratelimit-{what}-remaining"] = "0" if limited else str(most - 1)
    return headers


def _refusal(error: ApiError, request_id: str) -> Response:
    response = _json(error.body(request_id), error.status)
    response.headers.extend({**_headers(request_id, limited=error.status == 429), **error.headers})
    return response


def _refuse(fault: Fault, connection: Connection, request_id: str) -> Response:
    if fault.kind == "timeout":
        connection.hang(fault.seconds)
    if fault.kind == "connection_reset":
        connection.reset()
    if fault.kind == "bad_gateway":
        return Response("<html><head><title>502 Bad Gateway</title></head></html>", 502, content_type="text/html")
    until = {"retry-after": f"{fault.retry_after:g}"}
    errors = {
        "rate_limited": ApiError(
            "rate_limit_error", "This request would exceed your organization's rate limit.", headers=until
        ),
        "ramp_limit": ApiError(
            "rate_limit_error",
            "This request would exceed how fast your organization's usage may grow.",
            details={"error_code": "ramp_limit_exceeded"},
            headers=until,
        ),
        "spend_limit": ApiError(
            "rate_limit_error",
            "Your organization has reached its enforced spend limit.",
            details={"error_code": "enforced_spend_limit_reached"},
        ),
        "usage_limit": invalid(
            "You have reached your specified API usage limits. You will regain access on 2027-01-01 at 00:00 UTC."
        ),
        "bad_key": ApiError("authentication_error", "invalid x-api-key"),
        "billing": ApiError("billing_error", "Your credit balance is too low to access the Anthropic API."),
        "forbidden": ApiError(
            "permission_error", "Your API key does not have permission to use the specified resource"
        ),
        "model_not_found": not_found("model: retired"),
        "too_large": ApiError("request_too_large", "Request exceeds the maximum size"),
        "server_error": ApiError("api_error", "Internal server error"),
        "gateway_timeout": ApiError("timeout_error", "The request timed out"),
        "overloaded": ApiError("overloaded_error", "Overloaded"),
        "not_found": not_found("Message Batch not found."),
    }
    return _refusal(errors[fault.kind], request_id)


def _spoil(response: Response, fault: Fault, connection: Connection) -> None:
    if fault.kind == "reply_lost":
        connection.reset()
    whole = response.get_data()
    if fault.kind == "malformed_json":
        response.set_data(whole[: len(whole) // 2])
        return
    piece = -(-len(whole) // DRIPS)
    response.response = _dripping(whole, piece, connection, fault.seconds / DRIPS)


def _dripping(whole: bytes, piece: int, connection: Connection, seconds: float) -> Iterator[bytes]:
    for start in range(0, len(whole), piece):
        connection.pause(seconds)
        yield whole[start : start + piece]


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body, separators=(",", ":")), status, content_type="application/json")
