"""The edge: who calls, and with what. A handler gets a checked request and a verified uid.

`triggers.py` is the door in front, `refusals.py` what is said there when something goes wrong.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, get_type_hints

import firebase_admin
from firebase_functions.https_fn import CallableRequest
from firebase_functions.scheduler_fn import ScheduledEvent
from flask import Request, Response

from functions import log
from functions.adapters.time_budget import STORE_PATIENCE_SECONDS, waiting_at_most
from functions.core.shared import errors
from functions.deploy import params
from functions.edge.bodies import read_body
from functions.edge.http_errors import report

if TYPE_CHECKING:
    from functions.core.shared import records
    from functions.wiring import Deps

Call = CallableRequest[Any]
Answer = dict[str, Any]
Tick = ScheduledEvent
P = ParamSpec("P")
R = TypeVar("R", bound="records.Request")

WEBHOOK_BYTES_MAX = 64 * 1024
"""Events of batches take a few hundred."""

DOCUMENTS_A_CALL = 20
"""A page of a list counts as a call for each of so many documents, which is how many one has by default."""


class CronError(Exception):
    """A scheduled run failed. The platform puts this text into its response, so it says no more than where to look."""


@cache
def connect_firebase() -> None:
    """Make the app that firebase-functions verifies tokens with. Loads no credentials: those are taken when used."""
    firebase_admin.initialize_app(options=params.firebase_options())


def serve_call(call: Call, handle: Callable[[R, str, Deps], Answer]) -> Answer:
    """Serve one callable: see who calls, check the request, handle it.

    What the request is checked against is the type of the handler's first parameter.

    Raises:
        EcolaneError: what the caller is told. RateLimited: this user has called too often; nothing was asked for.
    """
    uid = _authenticated(call)
    request = _checked(call.data, _request_type(handle))
    _ration(f"{handle.__name__} {uid}", request)
    if job_id := getattr(request, "job_id", None):
        log.about(jobId=job_id)
    with waiting_at_most(STORE_PATIENCE_SECONDS), _damage_told():
        return handle(request, uid, process_deps())


@contextmanager
def _damage_told() -> Iterator[None]:
    """Tell operators of a document that cannot be read, and the caller that they know."""
    try:
        yield
    except Exception as error:
        from functions.adapters.firestore import DamagedDocumentError
        from functions.use_cases.shared.set_aside import report_damaged

        if not isinstance(error, DamagedDocumentError):
            raise
        report_damaged(process_deps(), [error.damaged])
        message = "Some of your stored data is damaged. Nothing was charged; our operators have been notified."
        raise errors.DataDamaged(message) from error


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
            entry = report(log.Event.CRON_CRASHED, error)
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
            body = read_body(request, WEBHOOK_BYTES_MAX)
            if body is None:
                status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            else:
                status = handle(body, dict(request.headers), process_deps())
        except Exception as error:  # noqa: BLE001  (the sender is told to try again, and the log why)
            report(log.Event.CALL_CRASHED, error)
            status = HTTPStatus.INTERNAL_SERVER_ERROR
    return Response(status=status)


def process_deps() -> Deps:
    """Return what this process needs from outside."""
    from functions.wiring import deps

    return deps()


def _authenticated(call: CallableRequest[Any]) -> str:
    from functions.core.shared.records import is_uid

    uid = call.auth.uid if call.auth else None
    if uid is None or not is_uid(uid):
        raise errors.Unauthenticated("Sign in first: this call needs a Firebase ID token.")
    return uid


def _ration(caller: str, request: records.Request) -> None:
    """Count a call, and a long page of a list as several. Nothing is read for that: it counts in this process, which
    serves one function where it is deployed, and all of them in a local cloud."""
    rate = process_deps().callers.calls
    wanted = max(getattr(request, "limit", 0) // DOCUMENTS_A_CALL, 1)
    if rate.take(caller, wanted) < wanted:
        raise rate.exceeded("calls", wanted)


@cache
def _request_type(handle: Callable[[R, str, Deps], Answer]) -> type[R]:
    hints = get_type_hints(handle, localns={"Deps": object})  # use cases import it for type checkers alone
    request_type: type[R] = next(iter(hints.values()))
    return request_type


def _checked(data: object, request_type: type[R]) -> R:
    """Turn what the client sent into a request, or name the first field that is wrong with it."""
    from pydantic import ValidationError

    from functions.core.shared.records import first_problem

    try:
        return request_type.model_validate({} if data is None else data)
    except ValidationError as error:
        raise first_problem(error, "data") from error
