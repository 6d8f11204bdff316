"""What is wrong: work that waits, runs that did not come. For the guard and for operators.

A threshold is the longest justified wait: submitters and pollers run every five minutes, and leases end in two hours.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from functions.core.batches.batches import BatchState
from functions.core.budget.holds import Mode
from functions.core.model.provider_outage import OURS, SUBMITTING, Outage, described, standing
from functions.core.rollouts.flags import ABOUT
from functions.core.shared.alerts import AlertKind
from functions.core.shared.damage import DamagedDocument
from functions.core.shared.records import Record
from functions.core.shared.time_limits import CRON_MINUTES, FUNCTION_TIMEOUT
from functions.core.shared.utc_days import clock_text

QUEUE_AGE_MAX = timedelta(hours=2)
"""Alert when the oldest sendable job is older: about 24 submit runs have passed it over."""

BATCH_OVERDUE_MAX = timedelta(hours=1)
"""A batch that was to be looked at so long ago: pollers do not come, or do not get to it."""


CONFIG_PROBLEMS_TOLD = 5


class CronRun(Record):
    """A scheduled function's last runs. Stored in `stats/crons` by its name. `finished_at` and what follows is of the
    last run that succeeded, `failed_at` of the last that did not."""

    finished_at: datetime | None = None
    duration_ms: int = Field(default=0, ge=0)
    failed_at: datetime | None = None

    @property
    def failing(self) -> bool:
        """Whether the last run failed."""
        return self.failed_at is not None and (self.finished_at is None or self.failed_at > self.finished_at)


class Figures(Record):
    """What is looked at: `queued` jobs and the oldest's request time, which no release changes; when both lanes were
    last closed; batches by state, overdue or slow; outages and the users whose photos wait; the crons' runs; the number
    of dead letters; faults of the config; flags on hold, each with the reason; and damaged documents."""

    queued: int = 0
    oldest_asked_at: datetime | None = None
    closed_at: datetime | None = None
    outages: dict[str, Outage] = Field(default_factory=dict)
    waiting_users: int = 0
    batches: dict[str, int] = Field(default_factory=dict)
    overdue_batches: tuple[str, ...] = ()
    slow_batches: tuple[str, ...] = ()
    crons: dict[str, CronRun] = Field(default_factory=dict)
    dead_letters: int = 0
    config_problems: tuple[str, ...] = ()
    held_flags: dict[str, str] = Field(default_factory=dict)
    damaged: tuple[DamagedDocument, ...] = ()


def late(function: str, run: CronRun, now: datetime) -> bool:
    """Tell whether a function has missed two of its times, plus its longest run. One that never ran is not set up: not
    late."""
    if run.finished_at is None:
        return run.failed_at is not None
    return now - run.finished_at > 2 * timedelta(minutes=CRON_MINUTES[function]) + FUNCTION_TIMEOUT


def complaints(figures: Figures, mode: Mode, now: datetime) -> dict[AlertKind, str]:
    """Return what an operator has to be told, by kind. A queue that waits for the budget is no complaint."""
    told = _provider_held(figures, now)
    oldest, first = figures.oldest_asked_at, _could_be_sent_since(figures)
    known_cause = mode is Mode.CLOSED or not standing(figures.outages, now).keys().isdisjoint(SUBMITTING.values())
    if oldest is not None and first is not None and now - first > QUEUE_AGE_MAX and not known_cause:
        told[AlertKind.QUEUE_OLD] = f"Photos waiting: {figures.queued}, the oldest since {clock_text(oldest)}."
    if figures.overdue_batches:
        names = ", ".join(figures.overdue_batches)
        told[AlertKind.BATCH_STUCK] = f"Nobody has looked at these batches for over an hour: {names}."
    if figures.slow_batches:
        told[AlertKind.BATCH_SLOW] = f"These batches take long: {', '.join(figures.slow_batches)}."
    missing = [name for name, run in sorted(figures.crons.items()) if name in CRON_MINUTES and late(name, run, now)]
    if missing:
        told[AlertKind.CRON_LATE] = f"These have not succeeded when they should have: {', '.join(missing)}."
    if figures.dead_letters:
        told[AlertKind.DEAD_LETTERS] = (
            f"Users, jobs, batches or documents given up or set aside: {figures.dead_letters}."
        )
    if figures.config_problems:
        problems = "; ".join(figures.config_problems[:CONFIG_PROBLEMS_TOLD])
        told[AlertKind.CONFIG_INVALID] = f"The config cannot be read in full; last good values stay: {problems}."
    if figures.held_flags:
        reasons = "; ".join(f"{flag}: {why}" for flag, why in sorted(figures.held_flags.items()))
        told[AlertKind.ROLLOUT_HELD] = f"On hold: {reasons}."
    overdue = [flag for flag, about in ABOUT.items() if about.until < now.date()]
    if overdue:
        told[AlertKind.FLAG_OVERDUE] = f"Flags that were to be gone by now: {', '.join(overdue)}."
    return told


def _provider_held(figures: Figures, now: datetime) -> dict[AlertKind, str]:
    outages = standing(figures.outages, now)
    touched = {
        "waiting": figures.queued,
        "users": figures.waiting_users,
        "at_provider": figures.batches.get(BatchState.SUBMITTED, 0),
    }
    told, theirs = {}, AlertKind.PROVIDER_DOWN
    for kind in (AlertKind.KEY_REFUSED, AlertKind.PROVIDER_REFUSES, theirs):
        found = {door: each for door, each in outages.items() if OURS.get(each.trouble, theirs) is kind}
        if found:
            told[kind] = described(found, touched)
    return told


def _could_be_sent_since(figures: Figures) -> datetime | None:
    """Return since when the oldest job could have been sent: since it was asked for, or both lanes were opened."""
    if figures.oldest_asked_at is None or figures.closed_at is None:
        return figures.oldest_asked_at
    return max(figures.oldest_asked_at, figures.closed_at)


def cron_rows(crons: Mapping[str, CronRun], now: datetime) -> dict[str, dict[str, Any]]:
    """Return each cron's last runs as JSON, times as ISO 8601 text; `state` is `ok`, `late`, `failing`, or `never` (run
    yet)."""
    rows = {}
    for name, minutes in CRON_MINUTES.items():
        run = crons.get(name, CronRun())
        never = run.finished_at is None and run.failed_at is None
        state = "never" if never else "failing" if run.failing else "late" if late(name, run, now) else "ok"
        rows[name] = {**run.as_json(), "everyMinutes": minutes, "state": state}
    return rows
