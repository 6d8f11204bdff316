"""The triggers: what firebase-functions declares to the deploy, behind doors of our own.

`on_call` speaks the protocol of callables (https://firebase.google.com/docs/functions/callable-reference) instead of
firebase-functions' own handler, which answers 500 to a body that is not JSON and logs bodies and tokens that it cannot
read. What is deployed, and how browsers are let in, stays firebase-functions'. Numbers come as the app's SDKs write
them, see `functions.core.shared.wire_numbers`; answers hold plain ones, below 2^53, which every SDK reads as they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from firebase_functions import https_fn, options, scheduler_fn
from firebase_functions.https_fn import AppCheckData, AuthData, HttpsError
from flask import Request, Response, jsonify

from functions import log
from functions.core.shared import errors
from functions.core.shared.wire_numbers import decimal_number, unwrapped
from functions.edge.bodies import leave_body, read_body
from functions.edge.boundary import Answer, Call, Tick, process_deps
from functions.edge.http_errors import STATUS, errors_to_https

if TYPE_CHECKING:
    from functions.deploy.params import Settings

CALL_BYTES_MAX = 256 * 1024
"""The largest call, fifty photos with the longest paths, takes about half of it."""

RETRY_AFTER_SECONDS = 5
"""What a caller is asked to wait while Firebase does not say who they are."""

Endpoint = Callable[[Request], Response]
CallBody = Callable[[Call], Answer]
TickBody = Callable[[Tick], None]


def on_call(*, operators: Literal["read", "write"] | None = None, **given: Any) -> Callable[[CallBody], Endpoint]:
    """Declare a callable, with the options of `https_fn.on_call`. Its body gets a request whose tokens are verified.

    With `operators` it is for them alone, and says whether it changes something: see `core.shared.operators`.
    """

    def decorate(function: CallBody) -> Endpoint:
        anywhere = options.CorsOptions(cors_origins="*", cors_methods="POST")

        @https_fn.on_request(cors=anywhere)
        @wraps(function)
        def serve(request: Request) -> Response:
            try:
                with errors_to_https(function.__name__):
                    return jsonify(result=function(_read(request, process_deps().settings, operators)))
            except HttpsError as error:
                answer = {"status": error.code.name, "message": error.message, "details": error.details}
                response = jsonify(error=answer)
                response.status_code = STATUS[error.code]
                return response

        declared = https_fn.on_call(**given)(function)
        serve.__firebase_endpoint__ = declared.__firebase_endpoint__  # type: ignore[attr-defined]
        return serve

    return decorate


def on_schedule(**given: Any) -> Callable[[TickBody], Endpoint]:
    """Declare a scheduled function, with the options of `scheduler_fn.on_schedule`, that nobody but Scheduler sets off.

    The platform lets in nobody who lacks the role of an invoker, which the deploy gives to Scheduler's jobs alone. The
    headers are a second door, for a function that somebody has opened to the public by mistake.
    """

    def decorate(function: TickBody) -> Endpoint:
        run: Endpoint = scheduler_fn.on_schedule(**given)(function)  # type: ignore[assignment]

        @wraps(run)
        def serve(request: Request) -> Response:
            if request.headers.get("X-CloudScheduler") != "true" or not request.headers.get("X-CloudScheduler-JobName"):
                with log.serving(function.__name__):
                    log.warning(log.Event.CRON_REFUSED)
                leave_body(request)
                return Response(status=HTTPStatus.FORBIDDEN)
            return run(request)

        return serve

    return decorate


def _read(request: Request, settings: Settings, operators: Literal["read", "write"] | None) -> Call:
    """Return the call that a request holds: what is asked, and who asks by which app, both verified.

    Who asks is found out by the headers alone: nobody's body is waited for before that.
    """
    try:
        auth, app = _callers(request, settings, operators)
    except errors.EcolaneError:
        leave_body(request)
        raise
    return Call(data=_data(request), raw_request=request, auth=auth, app=app)


def _callers(
    request: Request, settings: Settings, operators: Literal["read", "write"] | None
) -> tuple[AuthData, AppCheckData | None]:
    if request.method != "POST":
        _malformed("method", "a callable is called with POST")
    if request.mimetype != "application/json":
        _malformed("Content-Type", "a callable takes application/json")
    authorization = request.headers.get("Authorization")
    if authorization is None:
        raise errors.Unauthenticated("Sign in first: this call needs a Firebase ID token.")
    auth = _user(authorization, check_revoked=settings.check_revoked_tokens or operators is not None)
    app = _app(request.headers.get("X-Firebase-AppCheck")) if settings.enforce_app_check else None
    if operators is not None:
        _require_operator(auth, settings, changes=operators == "write")
    return auth, app


def _require_operator(auth: AuthData, settings: Settings, *, changes: bool) -> None:
    from functions.core.shared.operators import require_operator

    # By the machine's time, as tokens are verified: their times are not those of a clock that was moved.
    now = datetime.now(UTC)
    require_operator(auth.token, now, changes=changes, second_factor=settings.operator_second_factor)


def _data(request: Request) -> Any:
    """Return the `data` of a call's body, or say what is wrong with the request. Nothing of the body is logged."""
    text = read_body(request, CALL_BYTES_MAX)
    if text is None:
        _malformed("body", f"at most {CALL_BYTES_MAX} bytes are taken, sent without a break")
    try:
        body = json.loads(text.decode(), object_hook=unwrapped, parse_float=decimal_number, parse_constant=_no_number)
    except (ValueError, RecursionError):
        _malformed("body", "it is not JSON in UTF-8, or nested too deeply")
    if not isinstance(body, dict) or body.keys() != {"data"}:
        _malformed("body", 'it must be {"data": ...} and nothing else')
    return body["data"]


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _malformed(field: str, problem: str) -> NoReturn:
    raise errors.InvalidRequest(f"{field}: {problem}.", field=field)


def _user(authorization: str, *, check_revoked: bool) -> AuthData:
    from functions.adapters.identity import IdentityDownError, InvalidTokenError, verified_user

    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise errors.Unauthenticated("Authorization must be Bearer and a Firebase ID token.")
    try:
        claims = verified_user(token, check_revoked=check_revoked)
    except InvalidTokenError as error:
        log.info(log.Event.TOKEN_REFUSED, kind="ID", problem=str(error))
        raise errors.Unauthenticated("The ID token is not valid, or not any more. Sign in again.") from error
    except IdentityDownError as error:
        raise _unavailable() from error
    return AuthData(uid=claims["uid"], token=claims)


def _app(token: str | None) -> AppCheckData:
    from functions.adapters.identity import IdentityDownError, InvalidTokenError, verified_app

    if not token:
        raise errors.AppNotVerified("This call needs an App Check token.")
    try:
        claims = verified_app(token)
    except InvalidTokenError as error:
        log.info(log.Event.TOKEN_REFUSED, kind="App Check", problem=str(error))
        raise errors.AppNotVerified("The App Check token is not valid, or not any more.") from error
    except IdentityDownError as error:
        raise _unavailable() from error
    return AppCheckData(app_id=claims["sub"], token=claims)


def _unavailable() -> errors.AuthUnavailable:
    return errors.AuthUnavailable(
        "We could not verify your sign-in just now. Try again.", retryAfter=RETRY_AFTER_SECONDS
    )
