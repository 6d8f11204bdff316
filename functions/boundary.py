"""The edge: who calls, with what, and what they are told when it goes wrong.

A handler gets a checked request and a verified uid, and raises `EcolaneError`. Everything else that it raises is a
defect: it is logged with its traceback and the caller is told nothing about it. `triggers.py` is the door in front.
"""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, get_type_hints

import firebase_admin
from firebase_functions.https_fn import CallableRequest, FunctionsErrorCode, HttpsError
from firebase_functions.scheduler_fn import ScheduledEvent
from flask import Request, Response

from functions import log
from functions.config import ConfigurationError
from functions.core import errors

if TYPE_CHECKING:
    from functions.core import records
    from functions.wiring import Deps

Call = CallableRequest[Any]
Answer = dict[str, Any]
Tick = ScheduledEvent
P = ParamSpec("P")
R = TypeVar("R", bound="records.Request")

CODES: dict[type[errors.EcolaneError], FunctionsErrorCode] = {
    errors.Unauthenticated: FunctionsErrorCode.UNAUTHENTICATED,
    errors.AppNotVerified: FunctionsErrorCode.UNAUTHENTICATED,
    errors.AuthUnavailable: FunctionsErrorCode.UNAVAILABLE,
    errors.InvalidRequest: FunctionsErrorCode.INVALID_ARGUMENT,
    errors.KeyReused: FunctionsErrorCode.ALREADY_EXISTS,
    errors.InsufficientTokens: FunctionsErrorCode.FAILED_PRECONDITION,
    errors.PriceChanged: FunctionsErrorCode.FAILED_PRECONDITION,
    errors.DailyLimit: FunctionsErrorCode.RESOURCE_EXHAUSTED,
    errors.ConversionLimit: FunctionsErrorCode.RESOURCE_EXHAUSTED,
    errors.RateLimited: FunctionsErrorCode.RESOURCE_EXHAUSTED,
    errors.InstantClosed: FunctionsErrorCode.FAILED_PRECONDITION,
    errors.BudgetExhausted: FunctionsErrorCode.RESOURCE_EXHAUSTED,
    errors.NotAdmin: FunctionsErrorCode.PERMISSION_DENIED,
    errors.InvalidImage: FunctionsErrorCode.INVALID_ARGUMENT,
    errors.ImageNotFound: FunctionsErrorCode.NOT_FOUND,
    errors.NotYourImage: FunctionsErrorCode.PERMISSION_DENIED,
    errors.JobNotFound: FunctionsErrorCode.NOT_FOUND,
    errors.JobNotCancellable: FunctionsErrorCode.FAILED_PRECONDITION,
    errors.JobNotUpgradable: FunctionsErrorCode.FAILED_PRECONDITION,
    errors.ProviderUnavailable: FunctionsErrorCode.UNAVAILABLE,
}
"""The Firebase code of each error. The app switches on `details.reason`; the code sets the HTTP status."""

_UID = re.compile(r"(?!__.*__$)(?!\.{1,2}$)[^/\x00-\x1f\x7f]{1,128}")
"""What can be a document id: a custom token may carry any text as uid, and it becomes part of paths here."""


class CronError(Exception):
    """A scheduled run failed. The platform puts this text into its response, so it says no more than where to look."""


@cache
def connect_firebase() -> None:
    """Make the app that firebase-functions verifies tokens with. Loads no credentials: those are taken when used."""
    firebase_admin.initialize_app()


def serve_call(call: Call, handle: Callable[[R, str, Deps], Answer], *, admin: bool = False) -> Answer:
    """Serve one callable: see who calls, check the request, handle it.

    What the request is checked against is the type of the handler's first parameter. With `admin`, only for callers
    whose token carries the custom claim `admin: true`.

    Raises:
        EcolaneError: what the caller is told.
    """
    uid = _authenticated(call, admin=admin)
    request = _checked(call.data, _request_type(handle))
    if job_id := getattr(request, "job_id", None):
        log.about(jobId=job_id)
    return handle(request, uid, process_deps())


@contextmanager
def told(function: str) -> Iterator[None]:
    """Turn what goes wrong in a callable into what its caller is told, and the log.

    Raises:
        HttpsError: with `details.reason`, a constant, and the details that the error's class documents.
    """
    with log.serving(function):
        try:
            yield
        except errors.EcolaneError as error:
            log.info(log.Event.CALL_REFUSED, reason=error.reason)
            raise HttpsError(CODES[type(error)], error.message, {"reason": error.reason, **error.details}) from error
        except Exception as error:
            _report(log.Event.CALL_CRASHED, error)
            message = "Something went wrong on our side. Nothing was lost; try again with the same requestId."
            raise HttpsError(FunctionsErrorCode.INTERNAL, message, {"reason": "INTERNAL"}) from error


def run_cron(
    event: Tick, handle: Callable[Concatenate[Deps, P], dict[str, int]], *args: P.args, **kwargs: P.kwargs
) -> None:
    """Run one scheduled function, with these arguments after its dependencies, and log what it did.

    Raises:
        CronError: the run failed as a whole; Scheduler shows it as failed and the next tick tries again.
    """
    with log.serving(handle.__name__):
        started, deps = time.monotonic(), None
        try:
            deps = process_deps()
            counts = handle(deps, *args, **kwargs)
        except Exception as error:
            entry = _report(log.Event.CRON_CRASHED, error)
            if deps is not None:
                _record_run(deps, handle.__name__, {"failedAt": deps.clock()})
            raise CronError(f"{handle.__name__} failed; its log entry {entry} says why") from error
        log.info(log.Event.CRON_FINISHED, scheduled=event.schedule_time.isoformat(), **counts)
        took = round((time.monotonic() - started) * 1_000)
        _record_run(deps, handle.__name__, {"finishedAt": deps.clock(), "durationMs": took})


def _record_run(deps: Deps, function: str, fields: records.Fields) -> None:
    """Leave word of a run for operators, who see by it that one is missing."""
    try:
        deps.store.write_cron_run(function, fields)
    except Exception:  # noqa: BLE001  (the run itself has ended as it has, and the log says how)
        log.warning(log.Event.CRON_UNRECORDED, stack_trace=traceback.format_exc())


def serve_webhook(request: Request, handle: Callable[[bytes, Mapping[str, str], Deps], HTTPStatus]) -> Response:
    """Serve one webhook. The answer is a status and no word more: whoever calls may be anybody."""
    with log.serving(handle.__name__):
        try:
            status = handle(request.get_data(cache=False), dict(request.headers), process_deps())
        except Exception as error:  # noqa: BLE001  (the sender is told to try again, and the log why)
            _report(log.Event.CALL_CRASHED, error)
            status = HTTPStatus.INTERNAL_SERVER_ERROR
    return Response(status=status)


def _report(event: log.Event, error: Exception) -> log.Event:
    """Log a defect with its traceback; a wrong setting by its message alone, which says what to do. Returns the
    event."""
    if isinstance(error, ConfigurationError):
        event = log.Event.CONFIG_INVALID
        log.error(event, document="deploy params", problems=[str(error)])
    else:
        log.error(event, stack_trace=traceback.format_exc())
    return event


def process_deps() -> Deps:
    """Return what this process needs from outside."""
    from functions.wiring import deps

    return deps()


def _authenticated(call: CallableRequest[Any], *, admin: bool) -> str:
    uid = call.auth.uid if call.auth else None
    if call.auth is None or uid is None or _UID.fullmatch(uid) is None:
        raise errors.Unauthenticated("Sign in first: this call needs a Firebase ID token.")
    if admin and call.auth.token.get("admin") is not True:
        raise errors.NotAdmin("This call is for operators.")
    return uid


@cache
def _request_type(handle: Callable[[R, str, Deps], Answer]) -> type[R]:
    hints = get_type_hints(handle, localns={"Deps": object})  # use cases import it for type checkers alone
    request_type: type[R] = next(iter(hints.values()))
    return request_type


def _checked(data: object, request_type: type[R]) -> R:
    """Turn what the client sent into a request, or name the first field that is wrong with it."""
    from pydantic import ValidationError

    try:
        return request_type.model_validate({} if data is None else data)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in problem["loc"]) or "data"
        raise errors.InvalidRequest(f"{field}: {problem['msg']}.", field=field) from error
