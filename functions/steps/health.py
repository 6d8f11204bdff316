"""Looking at everything that can go wrong without a call noticing. Shared by `guard_budget` and `admin_stats`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.alerts import alert
from functions.core.batches import BatchState
from functions.core.breaker import Breaker
from functions.core.health import BATCH_OVERDUE_MAX, CronRun, Figures, complaints
from functions.core.jobs import QUEUE_SHARDS
from functions.steps.spending import mode

if TYPE_CHECKING:
    from functions.wiring import Deps

OPEN_STATES = (BatchState.BUILDING, BatchState.UPLOADED, BatchState.SUBMITTED, BatchState.COLLECTING)

COUNTED_MAX = 10_000
"""Of jobs, batches and dead letters. One read counts a thousand; more say no more than that something is badly
wrong."""

OVERDUE_SHOWN = 5


def figures(deps: Deps, stored: dict[str, dict[str, Any]]) -> Figures:
    """Read everything that is looked at beside the stored figures. About ten reads, and one for every further thousand
    that is counted."""
    now = deps.clock()
    # The first with priority and the first without: one of them has waited longest, or nearly so.
    first = deps.store.queued_jobs(now, 2, range(QUEUE_SHARDS))
    overdue = deps.store.due_batches(OPEN_STATES, now - BATCH_OVERDUE_MAX, OVERDUE_SHOWN)
    return Figures(
        queued=deps.store.count_queued(COUNTED_MAX),
        oldest_queued_at=min((each.job.queued_at for each in first if each.job.queued_at), default=None),
        batches=deps.store.count_batches(OPEN_STATES, COUNTED_MAX),
        overdue_batches=tuple(each.batch.batch_id for each in overdue),
        crons={name: CronRun.model_validate(run) for name, run in stored["crons"].get("runs", {}).items()},
        breaker=Breaker.model_validate(stored["refreshBreaker"]),
        dead_letters=deps.store.count_dead_letters(COUNTED_MAX),
    )


def raise_alerts(deps: Deps) -> int:
    """Tell operators what is not as it should be, once a day and kind. Returns how many alerts are new."""
    told = complaints(figures(deps, deps.store.operator_stats()), mode(deps), deps.clock())
    return sum(deps.store.create_alert(alert(kind, text, deps.clock())) for kind, text in told.items())
