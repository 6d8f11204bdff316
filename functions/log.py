"""Structured logs: one JSON object a line, which Cloud Logging reads as severity, message and fields.

An event is a constant, so that a metric can count it. No prompt, image, token or key is ever a field.
"""

from enum import StrEnum

from firebase_functions.logger import LogEntry, LogSeverity, write


class Event(StrEnum):
    """What the functions report."""

    CALL_REFUSED = "call_refused"
    CALL_CRASHED = "call_crashed"
    CRON_FINISHED = "cron_finished"
    CRON_CRASHED = "cron_crashed"
    CONFIG_INVALID = "config_invalid"
    REMOTE_CONFIG_FAILED = "remote_config_failed"
    INSTANT_FAILED = "instant_failed"
    USAGE_UNREPORTED = "usage_unreported"
    BUDGET_REVIEWED = "budget_reviewed"
    BUDGET_REFUSED = "budget_refused"
    BUDGET_ALERT = "budget_alert"
    ALERT_UNDELIVERED = "alert_undelivered"
    BATCH_SUBMITTED = "batch_submitted"
    BATCH_ADOPTED = "batch_adopted"
    BATCH_RELEASED = "batch_released"
    BATCH_COLLECTED = "batch_collected"
    BATCH_DELAYED = "batch_delayed"
    BATCH_CRASHED = "batch_crashed"
    LEASES_RECOVERED = "leases_recovered"
    PUSH_FAILED = "push_failed"
    WEBHOOK_REFUSED = "webhook_refused"
    WEBHOOK_RECEIVED = "webhook_received"
    REFRESH_FAILED = "refresh_failed"
    REFRESH_STOPPED = "refresh_stopped"
    REFRESH_SHUT = "refresh_shut"
    REFRESH_BREAKER_LOST = "refresh_breaker_lost"
    REFRESH_FIGURES_LOST = "refresh_figures_lost"


def log(event: Event, severity: LogSeverity = LogSeverity.INFO, **fields: object) -> None:
    """Write one log entry."""
    write(LogEntry(severity=severity, message=event.value, **fields))  # type: ignore[typeddict-item]  # extra fields are its use


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
