"""What operators are told, once a day and kind, until somebody has got it; and that it is over, where it can be.
Of changes that people make, each.

    open ──► over ──► open again, if it comes back the same day
      └────► the next day's, with the same `since`, if it lasts

What happened once, such as an answer without a price, is told and has no end.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import Field

from functions.core.shared.records import Fields, Kept, Open, Record
from functions.core.shared.utc_days import clock_text, day_of

ALERT_LIFETIME = timedelta(days=90)

QUIET = timedelta(hours=1)
"""What is over and comes back sooner is the same trouble: it is open again, and nobody is called a second time."""


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
    DEAD_LETTERS = "dead_letters"
    DOCUMENT_DAMAGED = "document_damaged"
    CONFIG_INVALID = "config_invalid"
    PROVIDER_DOWN = "provider_down"
    KEY_REFUSED = "key_refused"
    PROVIDER_REFUSES = "provider_refuses"
    BATCH_SLOW = "batch_slow"
    CONFIG_CHANGED = "config_changed"
    OPERATOR_CHANGED = "operator_changed"
    ROLLOUT_STOPPED = "rollout_stopped"
    ROLLOUT_HELD = "rollout_held"
    FLAG_OVERDUE = "flag_overdue"
    CACHE_TIGHTENED = "cache_tightened"
    PAYMENT_WAITS = "payment_waits"
    DISPUTE_OPENED = "dispute_opened"
    BILLING_DRIFT = "billing_drift"
    BILLING_SILENT = "billing_silent"
    SPEND_UNUSUAL = "spend_unusual"
    DEMAND_UNUSUAL = "demand_unusual"
    FAILURES_UNUSUAL = "failures_unusual"
    WAIT_UNUSUAL = "wait_unusual"
    RETENTION_UNUSUAL = "retention_unusual"
    DAY_CLOSED = "day_closed"
    DELETION_LATE = "deletion_late"


NEWS = frozenset({AlertKind.DAY_CLOSED})
"""What is no trouble: it goes to the webhook alone, for whoever does the accounts."""


_GOOD_DAY = "If this is a good day: admin config set budget.dailyLimitMicros=$20. If not: admin costs --users."

TO_DO: Mapping[str, str] = {
    AlertKind.BATCH_ONLY: _GOOD_DAY,
    AlertKind.CLOSED: _GOOD_DAY,
    AlertKind.DRIFT: "Find out who wrote into budget/ by hand.",
    AlertKind.USAGE_UNREPORTED: "Once is nothing; daily, compare OpenAI's usage page with admin costs.",
    AlertKind.ESTIMATE_EXCEEDED: "Compare OpenAI's usage page with admin costs.",
    AlertKind.USAGE_ABSURD: "Look at OpenAI's usage page; docs/operations.md says how to reopen.",
    AlertKind.LIMIT_PASSED: "Compare OpenAI's usage page with admin costs.",
    AlertKind.QUEUE_OLD: "Run admin status: is submit_batches late or failing?",
    AlertKind.BATCH_STUCK: "Run admin status: is poll_batches late or failing?",
    AlertKind.CRON_LATE: "Run python -m scripts.schedules list, and look for cron_crashed in the log.",
    AlertKind.DEAD_LETTERS: "Run admin letters list.",
    AlertKind.DOCUMENT_DAMAGED: "Mend or remove what is named; admin repair UID makes a wallet anew.",
    AlertKind.CONFIG_INVALID: "Run admin config history, then admin config set or unset what is named.",
    AlertKind.PROVIDER_DOWN: "Look at the provider's status page, and at docs/operations.md. It goes on by itself.",
    AlertKind.BATCH_SLOW: "Look at OpenAI's status page. Nothing is lost: after 26 hours it is cancelled.",
    AlertKind.CONFIG_CHANGED: "If nobody of you did: admin operator UID --remove, then admin config set it back.",
    AlertKind.OPERATOR_CHANGED: "If nobody of you did: undo it with admin operator, and look who has access in IAM.",
    AlertKind.ROLLOUT_STOPPED: "Everybody is on the old path again. Find out why before you start it anew.",
    AlertKind.ROLLOUT_HELD: "Run admin rollout show: wait, or stop it. No stage begins by itself meanwhile.",
    AlertKind.FLAG_OVERDUE: "Finish the rollout, and take what it replaces out of the code.",
    AlertKind.CACHE_TIGHTENED: "Nothing needs to be done. admin config set cache.near=off ends all near hits.",
    AlertKind.PAYMENT_WAITS: "Somebody has paid and waits: docs/operations.md, payment_waits.",
    AlertKind.DISPUTE_OPENED: "Answer it at Stripe, within its days. Its tokens are taken back until it is won.",
    AlertKind.BILLING_DRIFT: "Run admin billing status --drift: it names the payers.",
    AlertKind.BILLING_SILENT: "Look at the webhooks' page at the provider: docs/operations.md, billing_silent.",
    AlertKind.SPEND_UNUSUAL: "If it is expected, say so on the page Alerts. If not: admin costs --users.",
    AlertKind.DEMAND_UNUSUAL: "If it is expected, say so on the page Alerts. If not: admin costs --users.",
    AlertKind.FAILURES_UNUSUAL: "Look at instant_failed in the log, and at the last deploy.",
    AlertKind.WAIT_UNUSUAL: "Run admin status: is a cron late, or does the provider keep batches?",
    AlertKind.RETENTION_UNUSUAL: "Look at what has changed for new users: the app's release, prices, answers.",
    AlertKind.DELETION_LATE: "Look for item_set_aside in the log of erase_accounts: it says what is in the way.",
    AlertKind.DAY_CLOSED: "Nothing needs to be done: its costs are final.",
    AlertKind.PROVIDER_REFUSES: "Pay, or correct what the code names: docs/operations.md, provider_refuses.",
    AlertKind.KEY_REFUSED: "Set a key that works (docs/operations.md, Keys). Photos wait 26 hours for it.",
}
"""What to do first, by kind. docs/operations.md has the rest."""


class Channel(StrEnum):
    """How an alert goes to operators, beside the log."""

    WEBHOOK = "webhook"
    PUSH = "push"


class Verdict(StrEnum):
    """What an operator says of an alert."""

    USEFUL = "useful"
    EXPECTED = "expected"


class Delivery(Kept):
    """How far one channel is with an alert: `due_at` is its next try, None if it is `done` or given up."""

    attempts: int = 0
    due_at: datetime | None = None
    done: bool = False


class Alert(Record):
    """An alert, once a day and kind, in `alerts/{kind}-{day}`; one for each change in `alerts/{kind}-{day}-{key}`,
    which also goes to the devices of `uids`, whoever else gets it by then.

    `due_at` is the next delivery, None once nothing is left to do; `channels` has each channel's progress; without
    `attempts` it is due by all. `open` as long as it holds, from `since` to `over_at`. One-time events are never open.
    `verdict` is an operator's. `data` is for programs at the webhook.
    """

    kind: Open[AlertKind]
    day: str
    text: str
    created_at: datetime
    due_at: datetime | None
    attempts: int = 0
    channels: dict[str, Delivery] = Field(default_factory=dict)
    expire_at: datetime
    open: bool = False
    since: datetime | None = None
    over_at: datetime | None = None
    key: str = ""
    uids: tuple[str, ...] = ()
    verdict: Open[Verdict] | None = None
    verdict_by: str = ""
    verdict_at: datetime | None = None
    data: dict[str, Any] = Field(default_factory=dict)

    @property
    def alert_id(self) -> str:
        """Return the document's id: the same for every guard that finds the same."""
        return f"{self.kind}-{self.day}" + (f"-{self.key}" if self.key else "")

    @property
    def told(self) -> str:
        """Return all that an operator is told: since when, what, and what to do; or that it is over."""
        since = clock_text(self.since or self.created_at)
        if self.over_at is not None:
            return f"Over since {clock_text(self.over_at)} (from {since}): {self.text}"
        return f"{since}: {self.text} {TO_DO.get(self.kind, '')}".rstrip()

    @property
    def delivered(self) -> bool:
        """Whether everybody has got it."""
        return self.due_at is None and all(each.done for each in self.channels.values())


def alert(kind: AlertKind, text: str, now: datetime) -> Alert:
    """Return a new alert of something that has happened, due at once."""
    return Alert(kind=kind, day=day_of(now), text=text, created_at=now, due_at=now, expire_at=now + ALERT_LIFETIME)


def opened(kind: AlertKind, text: str, now: datetime, since: datetime | None = None) -> Alert:
    """Return a new alert of something that holds, and has since then."""
    return alert(kind, text, now).model_copy(update={"open": True, "since": since or now})


def reopened(stored: Alert, new: Alert, now: datetime) -> Fields | None:
    """Return what changes if something that was told today, and was over, holds again. None if it never was over."""
    if stored.over_at is None:
        return None
    again = {"open": True, "overAt": None, "text": new.text}
    if now - stored.over_at < QUIET or stored.verdict == Verdict.EXPECTED:
        return again
    return {**again, "since": now, "dueAt": now, "attempts": 0}


def ended(found: Alert, held: Collection[AlertKind], now: datetime) -> Fields | None:
    """Return the fields that end an open alert while these hold; None if it goes on. It ends quietly if another one
    says more: the next day's, or both lanes' closing after one's."""
    if found.kind in held and found.day == day_of(now):
        return None
    over = {"open": False, "overAt": now}
    if found.kind in held or (found.kind is AlertKind.BATCH_ONLY and AlertKind.CLOSED in held):
        return over
    return {**over, "dueAt": now, "attempts": 0}
