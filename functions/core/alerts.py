"""What operators are told, once a day and kind, until somebody has got it."""

from datetime import datetime, timedelta
from enum import StrEnum

from functions.core.moments import day_of
from functions.core.records import Open, Record

ALERT_LIFETIME = timedelta(days=90)


class AlertKind(StrEnum):
    """What an operator is told about."""

    BATCH_ONLY = "batch_only"
    CLOSED = "closed"
    DRIFT = "drift"
    USAGE_UNREPORTED = "usage_unreported"
    ESTIMATE_EXCEEDED = "estimate_exceeded"
    USAGE_ABSURD = "usage_absurd"
    LIMIT_PASSED = "limit_passed"
    QUEUE_OLD = "queue_old"
    BATCH_STUCK = "batch_stuck"
    CRON_LATE = "cron_late"
    BREAKER_OPEN = "breaker_open"
    DEAD_LETTERS = "dead_letters"
    DOCUMENT_DAMAGED = "document_damaged"


class Alert(Record):
    """Something to tell operators, once a day and kind. Stored in `alerts/{kind}-{day}`.

    `due_at` is when it is to be delivered, or delivered again; None once it was.
    """

    kind: Open[AlertKind]
    day: str
    text: str
    created_at: datetime
    due_at: datetime | None
    attempts: int = 0
    expire_at: datetime

    @property
    def alert_id(self) -> str:
        """Return the document's id: the same for every guard that finds the same."""
        return f"{self.kind}-{self.day}"


def alert(kind: AlertKind, text: str, now: datetime) -> Alert:
    """Return a new alert, due at once."""
    return Alert(kind=kind, day=day_of(now), text=text, created_at=now, due_at=now, expire_at=now + ALERT_LIFETIME)
