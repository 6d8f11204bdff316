"""Crons: scheduled functions, which nobody but Cloud Scheduler sets off."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from firebase_functions import scheduler_fn
from firebase_functions.scheduler_fn import ScheduledEvent
from flask import Request, Response

from functions import log
from functions.deploy.shop.selling import left_out_unless_sold, with_secret_names
from functions.edge.bodies import leave_body
from functions.edge.http_errors import report

if TYPE_CHECKING:
    from functions.core.shared.records import Fields
    from functions.wiring import Deps

Tick = ScheduledEvent
P = ParamSpec("P")


class CronError(Exception):
    """A scheduled run failed. The platform puts this text into its response, so it says no more than where to look."""


def on_schedule(
    *, sells: bool = False, **given: Any
) -> Callable[[Callable[[Tick], None]], Callable[[Request], Response]]:
    """Declare a scheduled function, with the options of `scheduler_fn.on_schedule`. The platform admits only invokers,
    by the deploy Scheduler's jobs alone; the headers are a second door, if somebody opened the function by mistake.
    `sells`: left out of a deploy that sells nothing."""

    def decorate(function: Callable[[Tick], None]) -> Callable[[Request], Response]:
        run: Callable[[Request], Response] = scheduler_fn.on_schedule(**with_secret_names(given))(function)  # type: ignore[assignment]

        @wraps(run)
        def serve(request: Request) -> Response:
            if request.headers.get("X-CloudScheduler") != "true" or not request.headers.get("X-CloudScheduler-JobName"):
                with log.serving(function.__name__):
                    log.warning(log.Event.CRON_REFUSED)
                leave_body(request)
                return Response(status=HTTPStatus.FORBIDDEN)
            return run(request)

        return left_out_unless_sold(serve, sells=sells)

    return decorate


def run_cron(
    tick: Tick, handle: Callable[Concatenate[Deps, P], dict[str, int]], *args: P.args, **kwargs: P.kwargs
) -> None:
    """Run one scheduled function, with these arguments after its dependencies, and log its counts. Raises CronError if
    the run failed as a whole; Scheduler shows it as failed and the next tick tries again."""
    with log.serving(handle.__name__):
        started, deps = time.monotonic(), None
        try:
            from functions.wiring import deps as process_deps

            deps = process_deps()
            counts = handle(deps, *args, **kwargs)
        except Exception as error:
            entry = report(log.Event.CRON_CRASHED, error)
            if deps is not None:
                _record_run(deps, handle.__name__, {"failedAt": deps.clock()})
            raise CronError(f"{handle.__name__} failed; its log entry {entry} says why") from error
        log.info(log.Event.CRON_FINISHED, scheduled=tick.schedule_time.isoformat(), **counts)
        took = round((time.monotonic() - started) * 1_000)
        _record_run(deps, handle.__name__, {"finishedAt": deps.clock(), "durationMs": took})


def _record_run(deps: Deps, function: str, fields: Fields) -> None:
    """Leave word of a run for operators, who see by it that one is missing."""
    try:
        deps.store.write_cron_run(function, fields)
    except Exception:  # noqa: BLE001  (the run itself has ended as it has, and the log says how)
        log.warning(log.Event.CRON_UNRECORDED, stack_trace=traceback.format_exc())
