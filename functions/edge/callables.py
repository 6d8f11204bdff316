"""Callables: what the app calls by Firebase's SDK. A use case gets a checked request and a verified uid.

`on_call` speaks the callable protocol (https://firebase.google.com/docs/functions/callable-reference) in place of
firebase-functions' handler, which answers 500 to a body that is not JSON and logs bodies and tokens that it cannot
read. Deployment and CORS stay firebase-functions'. Numbers come as the app's SDKs write them, see
`core.shared.wire_numbers`; answers hold plain ones, below 2^53, which every SDK reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar, get_type_hints

import firebase_admin
from firebase_functions import https_fn, options
from flask import Request, Response, jsonify

from functions import log
from functions.adapters.time_budget import STORE_PATIENCE_SECONDS, waiting_at_most
from functions.core.shared import errors
from functions.core.shared.wire_numbers import decimal_number, unwrapped
from functions.deploy import params
from functions.deploy.shop.selling import left_out_unless_sold, with_secret_names
from functions.edge.bodies import leave_body, read_body
from functions.edge.http_errors import errors_to_https, https_response

if TYPE_CHECKING:
    from functions.core.shared import records
    from functions.wiring import Deps

Answer = dict[str, Any]
R = TypeVar("R", bound="records.Request")

CALL_BYTES_MAX = 256 * 1024
"""The largest call, fifty photos with the longest paths, takes about half of it."""

DOCUMENTS_A_CALL = 20
"""A page of a list counts as a call for each of so many documents, which is how many one has by default."""

RETRY_AFTER_SECONDS = 5
"""What a caller is asked to wait while Firebase does not say who they are."""

SIGN_IN_FIRST = "Sign in first: this call needs a Firebase ID token."


@dataclass(frozen=True)
class Call:
    """A call whose tokens are verified: who calls, and what was sent as `data`, which nobody has checked yet."""

    uid: str
    data: object


@cache
def connect_firebase() -> None:
    """Make the app that tokens are verified with. Loads no credentials: those are taken when used."""
    firebase_admin.initialize_app(options=params.firebase_options())


def on_call(
    *, operators: Literal["read", "write"] | None = None, sells: bool = False, **given: Any
) -> Callable[[Callable[[Call], Answer]], Callable[[Request], Response]]:
    """Declare a callable, with the options of `https_fn.on_call`; its body gets a call with verified tokens.
    `operators`: for them alone, to read or to change something, see `core.shared.operators`. `sells`: left out of a
    deploy that sells nothing."""

    def decorate(function: Callable[[Call], Answer]) -> Callable[[Request], Response]:
        anywhere = options.CorsOptions(cors_origins="*", cors_methods="POST")

        @https_fn.on_request(cors=anywhere)
        @wraps(function)
        def serve(request: Request) -> Response:
            try:
                with errors_to_https(function.__name__):
                    return jsonify(result=function(_read(request, operators)))
            except https_fn.HttpsError as error:
                return https_response(error)

        declared = https_fn.on_call(**with_secret_names(given))(function)  # type: ignore[arg-type]  # declared for the deploy, never called
        serve.__firebase_endpoint__ = declared.__firebase_endpoint__  # type: ignore[attr-defined]
        return left_out_unless_sold(serve, sells=sells)

    return decorate


def serve_call(call: Call, handle: Callable[[R, str, Deps], Answer]) -> Answer:
    """Check a call's data against the type of the handler's first parameter, and handle it. Raises EcolaneError, which
    the caller is told; RateLimited if this user has called too often, before anything is read."""
    from functions.wiring import deps as process_deps

    request, deps = _checked(call.data, request_type(handle)), process_deps()
    _ration(f"{handle.__name__} {call.uid}", request, deps)
    if job_id := getattr(request, "job_id", None):
        log.about(jobId=job_id)
    with waiting_at_most(STORE_PATIENCE_SECONDS):
        try:
            return handle(request, call.uid, deps)
        except Exception as error:
            report_damage(error, deps)
            raise


def report_damage(error: Exception, deps: Deps) -> None:
    """Report a damaged document to operators, and raise DataDamaged for the caller. Other errors are not looked at."""
    from functions.adapters.firestore import DamagedDocumentError
    from functions.use_cases.shared.set_aside import report_damaged

    if isinstance(error, DamagedDocumentError):
        report_damaged(deps, [error.damaged])
        message = "Some of your stored data is damaged. Nothing was charged; our operators have been notified."
        raise errors.DataDamaged(message) from error


@cache
def request_type(handle: Callable[[R, str, Deps], Answer]) -> type[R]:
    """Return what a use case's requests are checked against."""
    hints = get_type_hints(handle, localns={"Deps": object})  # use cases import it for type checkers alone
    found: type[R] = next(iter(hints.values()))
    return found


def _checked(data: object, kind: type[R]) -> R:
    """Turn what the client sent into a request, or name the first field that is wrong with it."""
    from pydantic import ValidationError

    from functions.core.shared.records import first_problem

    try:
        return kind.model_validate({} if data is None else data)
    except ValidationError as error:
        raise first_problem(error, "data") from error


def _ration(caller: str, request: records.Request, deps: Deps) -> None:
    """Count a call, a long page of a list as several. It reads nothing: it counts in this process, which serves one
    function where it is deployed, and all in a local cloud."""
    rate = deps.callers.calls
    wanted = max(getattr(request, "limit", 0) // DOCUMENTS_A_CALL, 1)
    if rate.take(caller, wanted) < wanted:
        raise rate.exceeded("calls", wanted)


def _read(request: Request, operators: Literal["read", "write"] | None) -> Call:
    """Return the call that a request holds. The headers alone say who calls, before any body is waited for."""
    from functions.wiring import deps as process_deps

    try:
        uid = _caller(request, process_deps().settings, operators)
    except errors.EcolaneError:
        leave_body(request)
        raise
    return Call(uid, _data(request))


def _caller(request: Request, settings: params.Settings, operators: Literal["read", "write"] | None) -> str:
    """Return the verified uid of whoever calls."""
    if request.method != "POST":
        _malformed("method", "a callable is called with POST")
    if request.mimetype != "application/json":
        _malformed("Content-Type", "a callable takes application/json")
    claims = _user(request, check_revoked=settings.check_revoked_tokens or operators is not None)
    if settings.enforce_app_check:
        _require_app(request.headers.get("X-Firebase-AppCheck"))
    if operators is not None:
        from functions.core.shared.operators import require_operator

        # By the machine's time, as tokens are verified: their times are not those of a clock that was moved.
        now, second_factor = datetime.now(UTC), settings.operator_second_factor
        require_operator(claims, now, changes=operators == "write", second_factor=second_factor)
    uid: str = claims["uid"]
    return uid


def _user(request: Request, *, check_revoked: bool) -> dict[str, Any]:
    """Return the claims of an ID token whose `uid` can be a document's id."""
    from functions.adapters.identity import verified_user
    from functions.core.shared.records import is_uid

    authorization = request.headers.get("Authorization")
    if authorization is None:
        raise errors.Unauthenticated(SIGN_IN_FIRST)
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise errors.Unauthenticated("Authorization must be Bearer and a Firebase ID token.")
    with _token_errors("ID", errors.Unauthenticated("The ID token is not valid, or not any more. Sign in again.")):
        claims = verified_user(token, check_revoked=check_revoked)
    if not is_uid(claims["uid"]):
        raise errors.Unauthenticated(SIGN_IN_FIRST)
    return claims


def _require_app(token: str | None) -> None:
    from functions.adapters.identity import verified_app

    if not token:
        raise errors.AppNotVerified("This call needs an App Check token.")
    with _token_errors("App Check", errors.AppNotVerified("The App Check token is not valid, or not any more.")):
        verified_app(token)


@contextmanager
def _token_errors(kind: str, refusal: errors.EcolaneError) -> Iterator[None]:
    """Turn what is wrong with a token of this kind into what the caller is told."""
    from functions.adapters.identity import IdentityDownError, InvalidTokenError

    try:
        yield
    except InvalidTokenError as error:
        log.info(log.Event.TOKEN_REFUSED, kind=kind, problem=str(error))
        raise refusal from error
    except IdentityDownError as error:
        message = "We could not verify your sign-in just now. Try again."
        raise errors.AuthUnavailable(message, retryAfter=RETRY_AFTER_SECONDS) from error


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
