"""What the HTTP side of Firestore's port serves, as an ASGI application. Pages of every origin may call it.

    /                                                            Ok
    /v1/...                                                      REST, see `rest`
    /google.firestore.v1.Firestore/{Listen,Write}/channel        WebChannel, see `webchannel`
    DELETE /emulator/v1/projects/P/databases/D/documents         drop all documents of a database
    PUT /emulator/v1/projects/P:securityRules                    put other security rules in force for a project

The last two are those of Google's emulator, for rules-unit-testing and other tools.
"""

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from localcloud.firestore.callers import caller_of
from localcloud.firestore.engine import Caller
from localcloud.firestore.errors import FirestoreError, invalid, not_found
from localcloud.firestore.service import Service, waiting
from localcloud.rules import RulesError

from . import rest
from .channel import InThread
from .json_wire import json_of_error, parsed, status_of
from .webchannel import FORM_BYTES_MAX, WebChannels

_PREFLIGHT_SECONDS = 3600
_EXPOSED = ["x-client-wire-protocol", "x-http-session-id", "x-http-initial-response"]


class App:
    """The application: `asgi` is what a server calls.

    Args:
        service: who answers.
        in_thread: where calls that may block are made.
    """

    def __init__(self, service: Service, in_thread: InThread[Any]) -> None:
        self._service, self._in_thread = service, in_thread
        self._closed = False
        self._waiting: list[list[Callable[[], None]]] = []  # for each call what wakes it from waiting for locks
        self._channels = WebChannels(service, in_thread)
        # With credentials, as the web SDK sends them, the origin has to be named.
        cors = Middleware(
            CORSMiddleware,
            allow_origin_regex=".*",
            allow_methods=["*"],
            allow_headers=["*"],
            allow_credentials=True,
            allow_private_network=True,
            expose_headers=_EXPOSED,
            max_age=_PREFLIGHT_SECONDS,
        )
        routes = [
            Route("/", _ok),
            Route("/google.firestore.v1.Firestore/{rpc}/channel", self._channel, methods=["GET", "POST"]),
            Route("/v1/{target:path}", self._rest, methods=["GET", "POST", "PATCH", "DELETE"]),
            Route("/emulator/v1/projects/{project}:securityRules", self._put_rules, methods=["PUT"]),
            Route("/emulator/v1/{database:path}/documents", self._clear, methods=["DELETE"]),
        ]
        handlers: Any = {FirestoreError: _refused, HTTPException: _unserved, ClientDisconnect: _gone}
        self.asgi = Starlette(routes=routes, middleware=[cors], exception_handlers=handlers)

    def close(self) -> None:
        """End the open sessions, and the calls that wait for locks."""
        self._closed = True
        self._channels.close()
        for wakes in list(self._waiting):
            for wake in wakes:
                wake()

    async def _channel(self, request: Request) -> Response:
        return await self._channels.answer(request, await _body(request))

    async def _rest(self, request: Request) -> Response:
        target = request.path_params["target"]
        try:
            caller = caller_of(request.headers.get("authorization"))
            content = parsed(await _body(request) or b"{}")
            shown = await self._in_thread(lambda: self._answer(request, target, content, caller))
        except FirestoreError as error:
            if rest.streams(request.method, target):
                return JSONResponse([json_of_error(error)], status_of(error))
            raise
        return JSONResponse(shown)

    def _answer(self, request: Request, target: str, content: Any, caller: Caller | None) -> Any:
        wakes: list[Callable[[], None]] = []

        def on_end(wake: Callable[[], None]) -> None:
            wakes.append(wake)
            if self._closed:
                wake()

        wait = waiting(self._service.engine.timing.lock_wait_seconds, on_end, lambda: self._closed)
        self._waiting.append(wakes)
        try:
            parameters = request.query_params.multi_items()
            return rest.answer(self._service, request.method, target, parameters, content, wait, caller)
        finally:
            self._waiting.remove(wakes)

    async def _clear(self, request: Request) -> Response:
        await self._in_thread(lambda: self._service.engine.clear_database(request.path_params["database"]))
        return JSONResponse({})

    async def _put_rules(self, request: Request) -> Response:
        """Take `{"rules": {"files": [{"content": ..., "name": ...}]}}`; the name may be left out."""
        match parsed(await _body(request)):
            case {"rules": {"files": [{"content": str(text), **rest}]}}:
                name = str(rest.get("name", "firestore.rules"))
            case _:
                raise invalid('Send {"rules": {"files": [{"content": "..."}]}}, with one file.')
        try:
            with self._service.engine.mutex:
                self._service.engine.security.replace(request.path_params["project"], text, name)
        except RulesError as error:
            raise invalid(f"Error compiling rules:\n{error}") from None
        return JSONResponse({})


async def _ok(_: Request) -> Response:
    return PlainTextResponse("Ok, this is localcloud\n")


async def _body(request: Request) -> bytes:
    """Return a request's body.

    Raises:
        FirestoreError: INVALID_ARGUMENT when it is too large; the rest of it is not read.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > FORM_BYTES_MAX:
            raise invalid(f"A body has at most {FORM_BYTES_MAX} bytes.")
    return bytes(body)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, FirestoreError)  # noqa: S101 - registered for it alone
    return JSONResponse(json_of_error(error), status_of(error))


async def _unserved(request: Request, _: Exception) -> Response:
    return await _refused(
        request, not_found(f"{request.method} {request.url.path} is not served; {__name__} says what is.")
    )


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=499)  # nobody reads it
