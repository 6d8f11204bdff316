"""Structured logs: one JSON object a line, which Cloud Logging reads as severity, message and fields.

An event is a constant, so that a metric can count it; docs/operations.md has the table. No prompt, image, token or key
is ever a field. Entries of a request carry its trace and function: Logs Explorer shows them below the platform's own.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from types import MappingProxyType

import flask
from firebase_functions.logger import LogSeverity

from functions.deploy import params

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})")
"""https://www.w3.org/TR/trace-context/#traceparent-header-field-values"""

_CLOUD_TRACE = re.compile(r"(?P<trace>[0-9a-f]{32})(/(?P<span>[0-9]{1,20}))?(;o=(?P<sampled>[01]))?")
"""https://cloud.google.com/trace/docs/trace-context#legacy-http-header; its span is decimal."""

_context: ContextVar[Mapping[str, object]] = ContextVar("log context", default=MappingProxyType({}))


class Event(StrEnum):
    """What the functions report."""

    CALL_REFUSED = "call_refused"
    CALL_CRASHED = "call_crashed"
    STORE_UNAVAILABLE = "store_unavailable"
    TOKEN_REFUSED = "token_refused"  # noqa: S105 (an event)
    CRON_REFUSED = "cron_refused"
    CRON_FINISHED = "cron_finished"
    CRON_CRASHED = "cron_crashed"
    CRON_UNRECORDED = "cron_unrecorded"
    CONFIG_CHANGED = "config_changed"
    CONFIG_INVALID = "config_invalid"
    REMOTE_CONFIG_FAILED = "remote_config_failed"
    ROLLOUT_STOPPED = "rollout_stopped"
    STOP_UNRECORDED = "stop_unrecorded"
    STAGE_REFUSED = "stage_refused"
    CHANGE_REFUSED = "change_refused"
    TRIAL_BEGUN = "trial_begun"
    ACCOUNT_CLOSED = "account_closed"
    ACCOUNT_ERASED = "account_erased"
    CACHE_FAILED = "cache_failed"
    INSTANT_FAILED = "instant_failed"
    FAILED_OVER = "failed_over"
    USAGE_DOUBTED = "usage_doubted"
    BUDGET_REVIEWED = "budget_reviewed"
    BUDGET_REFUSED = "budget_refused"
    OPERATOR_ALERT = "operator_alert"
    OPERATOR_ALERT_OVER = "operator_alert_over"
    ALERT_UNDELIVERED = "alert_undelivered"
    GUARD_CHECK_FAILED = "guard_check_failed"
    BATCH_SUBMITTED = "batch_submitted"
    BATCH_ADOPTED = "batch_adopted"
    BATCH_ANOTHERS = "batch_anothers"
    BATCH_RELEASED = "batch_released"
    BATCH_COLLECTED = "batch_collected"
    BATCH_KEPT = "batch_kept"
    BATCH_PAUSED = "batch_paused"
    ANSWERS_FAILED = "answers_failed"
    BATCH_DELAYED = "batch_delayed"
    BATCH_CRASHED = "batch_crashed"
    DOCUMENT_DAMAGED = "document_damaged"
    ITEM_SET_ASIDE = "item_set_aside"
    LEASES_RECOVERED = "leases_recovered"
    LEASE_CRASHED = "lease_crashed"
    OUTAGE_UNRECORDED = "outage_unrecorded"
    PUSH_FAILED = "push_failed"
    WEBHOOK_REFUSED = "webhook_refused"
    WEBHOOK_RECEIVED = "webhook_received"
    PAYMENT_POSTED = "payment_posted"
    PAYMENT_WAITS = "payment_waits"
    PACKS_STOPPED = "packs_stopped"
    BILLING_FAILED = "billing_failed"
    REFRESH_FAILED = "refresh_failed"
    REFRESH_STOPPED = "refresh_stopped"
    REFRESH_FIGURES_LOST = "refresh_figures_lost"


@contextmanager
def serving(function: str) -> Iterator[None]:
    """Have entries within carry the function's name and the request's trace. Threads of one's own lack both: they log
    nothing."""
    before = _context.set({"function": function, **_trace_fields()})
    try:
        yield
    finally:
        _context.reset(before)


def about(**fields: object) -> None:
    """Add these fields to all entries until the request is served. Outside of one, where they would never end, do
    nothing."""
    if known := _context.get():
        _context.set({**known, **fields})


def _trace_fields() -> dict[str, object]:
    """Return the fields by which Cloud Logging files an entry under a request. None without a request or a trace;
    malformed headers, which are the caller's, are ignored.
    https://cloud.google.com/logging/docs/structured-logging#special-payload-fields"""
    if not flask.has_request_context():
        return {}
    headers = flask.request.headers
    if found := _TRACEPARENT.fullmatch(headers.get("traceparent", "")):
        span, sampled = found["span"], bool(int(found["flags"], 16) & 1)
    elif found := _CLOUD_TRACE.fullmatch(headers.get("X-Cloud-Trace-Context", "")):
        span, sampled = f"{int(found['span'] or 0) % 2**64:016x}", found["sampled"] == "1"
    else:
        return {}
    return {
        "logging.googleapis.com/trace": f"projects/{params.project()}/traces/{found['trace']}",
        "logging.googleapis.com/spanId": span,
        "logging.googleapis.com/trace_sampled": sampled,
    }


def log(event: Event, severity: LogSeverity = LogSeverity.INFO, **fields: object) -> None:
    """Write one log entry, in one piece. The SDK's logger writes the line's end by itself: entries of two threads share
    a line, which Cloud Logging takes for text without a severity, so no metric counts it and no alert is raised."""
    entry = {"severity": severity, "message": event.value, **_context.get(), **fields}
    stream = sys.stderr if severity is LogSeverity.ERROR else sys.stdout
    stream.write(json.dumps(entry, default=str) + "\n")
    stream.flush()


def info(event: Event, **fields: object) -> None:
    """Report something that happened as it should."""
    log(event, LogSeverity.INFO, **fields)


def warning(event: Event, **fields: object) -> None:
    """Report something that was handled and should stay rare."""
    log(event, LogSeverity.WARNING, **fields)


def error(event: Event, **fields: object) -> None:
    """Report something that a person has to look at."""
    log(event, LogSeverity.ERROR, **fields)


def alert(event: Event, **fields: object) -> None:
    """Report something that a person has to look at now."""
    log(event, LogSeverity.ALERT, **fields)
