"""Looking at everything that can go wrong without a call noticing. Shared by `guard_budget` and `admin_stats`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from functions.core.batches.batches import SLOW, BatchState
from functions.core.jobs.jobs import QUEUE_SHARDS
from functions.core.jobs.queue_stats import QueueStats
from functions.core.model.provider_outage import SUBMITTING, standing
from functions.core.operations.health import BATCH_OVERDUE_MAX, Figures, complaints
from functions.core.rollouts.stops import held_because
from functions.core.shared.alerts import AlertKind, ended, opened
from functions.core.shared.providers import LABELS
from functions.core.shared.utc_days import clock_text, day_of
from functions.use_cases.budget.spending import mode
from functions.use_cases.insights.unusual import OF_THE_HOUR
from functions.use_cases.shared.set_aside import report_damaged

if TYPE_CHECKING:
    from functions.adapters.firestore.operations import OperatorStats
    from functions.core.insights.unusual import Finding
    from functions.wiring import Deps

OPEN_STATES = (BatchState.BUILDING, BatchState.UPLOADED, BatchState.SUBMITTED, BatchState.COLLECTING)

COUNTED_MAX = 10_000
"""Of jobs, batches and dead letters. One read counts a thousand; more only say that something is badly wrong."""

OVERDUE_SHOWN = 5

UNKNOWN_SHOWN = 5
"""Jobs, and batches, in a state that only a newer release knows."""

OF_MODE = frozenset({AlertKind.BATCH_ONLY, AlertKind.CLOSED})
"""What is told of the mode."""

WAITING_SAMPLED = 100
"""Jobs whose users are counted while nothing can be sent: how many are touched at least."""

FAR = timedelta(days=3_650)
OPEN_ALERTS_MAX = 50


def figures(deps: Deps, stored: OperatorStats) -> Figures:
    """Read everything beside the stored figures: about ten reads, and one a further thousand counted; while nothing can
    be sent to the provider, one for each of the first hundred waiting jobs."""
    now, queue = deps.clock(), stored.queue
    cut_off = not standing(queue.provider, now).keys().isdisjoint(SUBMITTING.values())
    waiting = deps.store.queued_jobs(now + FAR, WAITING_SAMPLED, range(QUEUE_SHARDS)) if cut_off else []
    overdue = deps.store.due_batches(OPEN_STATES, now - BATCH_OVERDUE_MAX, OVERDUE_SHOWN)
    return Figures(
        queued=deps.store.count_queued(COUNTED_MAX),
        oldest_asked_at=deps.store.oldest_queued(),
        closed_at=queue.closed_at,
        outages=queue.provider,
        waiting_users=len({each.job.uid for each in waiting}),
        batches=deps.store.count_batches(OPEN_STATES, COUNTED_MAX),
        overdue_batches=tuple(each.batch.batch_id for each in overdue),
        slow_batches=_slow_batches(deps, queue, now),
        crons=dict(stored.crons),
        dead_letters=deps.store.count_dead_letters(COUNTED_MAX),
        config_problems=deps.current.problems,
        held_flags={flag: why for flag, state in stored.flags.items() if (why := held_because(state))},
        damaged=(*stored.damaged, *overdue.damaged, *deps.store.unknown_states(UNKNOWN_SHOWN)),
    )


def _slow_batches(deps: Deps, queue: QueueStats, now: datetime) -> tuple[str, ...]:
    slow = max(SLOW, 2 * timedelta(minutes=queue.batch_minutes or 0))
    found = [each.batch for each in deps.store.batches_made_before(BatchState.SUBMITTED, now - slow, OVERDUE_SHOWN)]
    return tuple(
        f"{each.batch_id} at {LABELS[each.provider]} since {clock_text(each.created_at)} "
        f"({each.provider_state or 'not looked at'}, {each.answered} of {each.job_count} photos answered)"
        for each in found
    )


def raise_alerts(
    deps: Deps, of_mode: Mapping[AlertKind, str] | None, of_hour: Mapping[AlertKind, Finding] | None
) -> int:
    """Alert operators to what is wrong beside the mode, once a day and kind, and to what is over. Returns how many
    alerts are new, or open again. `of_mode` is None if the mode is unknown, `of_hour` if the last hour is: then their
    alerts stay open."""
    now = deps.clock()
    found = figures(deps, deps.store.operator_stats())
    report_damaged(deps, found.damaged)
    known = deps.store.open_alerts(OPEN_ALERTS_MAX)
    open_kinds = {each.kind for each, _ in known}
    strange = {kind: of.text for kind, of in (of_hour or {}).items() if of.begins or kind in open_kinds}
    held = {**(of_mode or {}), **strange, **complaints(found, mode(deps), now)}
    unknown = (OF_MODE if of_mode is None else frozenset()) | (OF_THE_HOUR if of_hour is None else frozenset())
    since = {each.kind: each.since for each, _ in known}
    today = {each.kind for each, _ in known if each.day == day_of(now)}
    raised = [
        deps.store.open_alert(opened(kind, text, now, since.get(kind)))
        for kind, text in held.items()
        if kind not in today
    ]
    for each, version in known:
        changes = None if each.kind in unknown else ended(each, held, now)
        if changes is not None:
            deps.store.update_alert(each, version, changes)
    return sum(raised)
