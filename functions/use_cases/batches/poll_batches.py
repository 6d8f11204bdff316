"""`poll_batches`: batches that have ended at their provider into results, requeues and refunds. One retrieve a batch,
never a call a job, and less often as the batch ages; then `functions.use_cases.batches.collector` ends its jobs."""

from __future__ import annotations

import traceback
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from functions import log
from functions.adapters.breaker import Breaker
from functions.core.batches.batches import (
    CANCELLED_WITHIN,
    FAILED_POLLS_MAX,
    FILES_AWAITED,
    LOST,
    OVERDUE,
    Batch,
    BatchState,
    next_poll,
)
from functions.core.batches.recovery import TERMS, Whose, looking_again, surely_anothers
from functions.core.batches.reports import ENDED, ProviderBatch, ProviderState
from functions.core.model.provider_errors import Trouble
from functions.core.model.refusals import ProviderDownError, ProviderRejectedError
from functions.core.shared.alerts import AlertKind, alert
from functions.core.shared.providers import LABELS
from functions.core.shared.time_limits import RUN_TIME
from functions.use_cases.batches.closing import cancel, close, completed, pause
from functions.use_cases.batches.collector import Collector
from functions.use_cases.batches.submission import give_up
from functions.use_cases.shared.pushes import push
from functions.use_cases.shared.set_aside import postpone_damaged

if TYPE_CHECKING:
    from functions.adapters.firestore import StoredBatch
    from functions.wiring import Deps

PUSH_TIME = timedelta(seconds=60)
"""How long after the run's own time users are still told of results."""


def poll_batches(deps: Deps) -> dict[str, int]:
    """Run once. Returns counts: batches `polled`, `collected`, `paused` (for the next run), `delayed` (the provider),
    `crashed`, and `damaged` as documents; jobs `done`, `requeued`, `failed` and `unended`; users `pushed`. Raises
    RuntimeError if every due batch crashed: it is not the batches' fault then."""
    counts: Counter[str] = Counter(polled=0, collected=0, paused=0, delayed=0, crashed=0, done=0, requeued=0, failed=0)
    open_states, until = [BatchState.SUBMITTED, BatchState.COLLECTING], deps.clock() + RUN_TIME
    breakers = {provider: Breaker(deps.clock) for provider in TERMS}
    due = deps.store.due_batches(open_states, deps.clock(), deps.runtime().batch.polls_per_run)
    counts["damaged"] += postpone_damaged(deps, due.damaged, "dueAt")
    for stored in due:
        breaker = breakers[stored.batch.provider]
        if deps.clock() > until:
            break
        if breaker.open:
            continue  # its provider is down: the next run asks again
        try:
            _advance(deps, stored, until, counts)
            breaker.note(failed=False)
        except (ProviderDownError, ProviderRejectedError) as problem:
            breaker.note(failed=isinstance(problem, ProviderDownError))
            counts["delayed"] += 1
            log.warning(log.Event.BATCH_DELAYED, batchId=stored.batch.batch_id, cause=str(problem))
            _postpone(deps, stored.batch, stored.version)
        except Exception:  # noqa: BLE001  (whatever it is, the next batch gets its turn)
            counts["crashed"] += 1
            log.error(log.Event.BATCH_CRASHED, batchId=stored.batch.batch_id, stack_trace=traceback.format_exc())
            _after_crash(deps, stored, counts)
    if counts["crashed"] and not counts["polled"]:
        raise RuntimeError("every batch that was due crashed the poller")
    return dict(counts)


def _advance(deps: Deps, stored: StoredBatch, until: datetime, counts: Counter[str]) -> None:
    batch, now = stored.batch, deps.clock()
    if batch.completed_at is not None:
        close(deps, batch, stored.version)  # a collector that was done died tidying up
        return
    if batch.provisional and _surely_anothers(deps, batch):
        _look_again(deps, batch, stored.version)
        return
    age = now - batch.created_at
    reported = _retrieve(deps, batch, age)
    counts["polled"] += 1
    awaited = age < LOST and now - (batch.ended_at or now) < FILES_AWAITED
    running = reported.state not in ENDED and not (age >= LOST and _is_past_cancelling(batch))
    if running or (reported.lacks_files and awaited):
        _wait(deps, stored, reported)
        return
    lease = timedelta(minutes=deps.runtime().batch.lease_minutes)
    taken = {"state": BatchState.COLLECTING, "dueAt": now + lease}
    version = deps.store.update_batch(batch.batch_id, stored.version, taken)
    batch = batch.model_copy(update={"due_at": now + lease})
    if version is None or not batch.holds_lease(deps.clock()):
        return  # another poller collects it
    collector = Collector(deps, batch, until)
    try:
        ours = _as_ours(deps, batch, version, collector, reported, counts) if batch.provisional else version
        complete = ours is not None and collector.collect(reported, give_up=not awaited)
    except Exception:
        _postpone(deps, batch, version)
        raise
    if ours is None:
        return
    version = ours
    if complete and not completed(deps, batch, version, reported, collector.ended):
        return  # another collector, after our lease, has ended the same jobs in the same way
    if not complete:
        pause(deps, batch, version, collector)
    counts["collected" if complete else "paused"] += 1
    counts.update({outcome: collector.ours[outcome] for outcome in ("done", "requeued", "failed")})
    counts["unended"] += collector.unended
    counts["pushed"] += push(list(collector.news.values()), until + PUSH_TIME, deps)


def _is_past_cancelling(batch: Batch) -> bool:
    """Whether all has been done to have a batch end: nobody may have looked at it before it was lost."""
    return batch.cancel_requested or batch.provisional or batch.failed_polls >= FAILED_POLLS_MAX


def _as_ours(
    deps: Deps, batch: Batch, version: datetime, collector: Collector, reported: ProviderBatch, counts: Counter[str]
) -> datetime | None:
    """Tell by its lines whether a batch that was found by elimination is this one, and record it. None if it is not:
    then it is looked for again, or given up if no line tells for too long."""
    match collector.whose(reported):
        case Whose.OURS:
            return deps.store.update_batch(batch.batch_id, version, {"provisional": False})
        case Whose.STRANGERS:
            _look_again(deps, batch, version)
        case Whose.UNKNOWN if deps.clock() - batch.created_at >= LOST:
            give_up(deps, batch, version, "nobody can tell whether it is at its provider: no line says so", counts)
        case Whose.UNKNOWN:
            raise ProviderRejectedError("no line says whose it is", Trouble.UNREACHABLE)
    return None


def _surely_anothers(deps: Deps, batch: Batch) -> bool:
    """Whether what was found for this batch by elimination has turned out to be another one of ours."""
    wanted = batch.provider_batch_id or ""
    return surely_anothers(batch, wanted, deps.store.batches_at_provider([wanted]))


def _look_again(deps: Deps, batch: Batch, version: datetime) -> None:
    log.info(log.Event.BATCH_ANOTHERS, batchId=batch.batch_id, providerBatchId=batch.provider_batch_id)
    deps.store.update_batch(batch.batch_id, version, looking_again(batch, deps.clock()))


def _wait(deps: Deps, stored: StoredBatch, reported: ProviderBatch) -> None:
    """Look again later at a batch that has not ended, or has ended without its files; cancel one that is overdue."""
    batch, now = stored.batch, deps.clock()
    fields: dict[str, Any] = {
        "dueAt": next_poll(batch.created_at, now),
        "polls": batch.polls + 1,
        "failedPolls": 0,
        "providerState": reported.status,
        "answered": reported.answered,
    }
    if reported.state in ENDED:
        ended_at = batch.ended_at or now
        fields |= {"endedAt": ended_at, "dueAt": next_poll(ended_at, now)}
        log.warning(log.Event.BATCH_DELAYED, batchId=batch.batch_id, cause="it has ended, and its files are not there")
    elif now - batch.created_at > OVERDUE and not (batch.cancel_requested or batch.provisional):
        cancel(deps, batch)
        fields |= {"cancelRequested": True, "dueAt": now + CANCELLED_WITHIN}
    if reported.state is ProviderState.UNKNOWN:
        log.warning(log.Event.BATCH_DELAYED, batchId=batch.batch_id, cause=f"unknown state {reported.status}")
        company = LABELS[batch.provider]
        text = (
            f"{company} says that batch {batch.batch_id} is {reported.status!r}, which is not known here. It is waited"
        )
        deps.store.create_alert(alert(AlertKind.BATCH_STUCK, f"{text} for as for any.", now))
    deps.store.update_batch(batch.batch_id, stored.version, fields)


def _postpone(deps: Deps, batch: Batch, version: datetime) -> None:
    """Make a batch whose poll failed due later, so that others get their turn; unless somebody has moved it on."""
    now = deps.clock()
    fields: dict[str, Any] = {"failedPolls": batch.failed_polls + 1}
    if batch.due_at > now:  # it was to be collected
        fields["endedAt"] = batch.ended_at or now
    fields["dueAt"] = next_poll(fields.get("endedAt", batch.created_at), now)
    deps.store.update_batch(batch.batch_id, version, fields)


def _after_crash(deps: Deps, stored: StoredBatch, counts: Counter[str]) -> None:
    """Look again later at a batch that has crashed a poll; give it up when nobody waits for it any more."""
    batch, now = stored.batch, deps.clock()
    lost = now - batch.created_at >= LOST and batch.failed_polls >= FAILED_POLLS_MAX
    if not lost:
        _postpone(deps, batch, stored.version)
    elif batch.completed_at is not None:  # its files go with the bucket's lifecycle
        deps.store.update_batch(batch.batch_id, stored.version, {"state": BatchState.DONE})
    elif (current := deps.store.get_batch(batch.batch_id)) is not None:
        give_up(deps, current.batch, current.version, "it has crashed every poll", counts)


def _retrieve(deps: Deps, batch: Batch, age: timedelta) -> ProviderBatch:
    """Ask its provider about a batch. One that it no longer knows, or has not answered about for too long, is given up
    as lost."""
    provider_batch_id = batch.provider_batch_id or ""
    try:
        return deps.batches_at(batch.model).retrieve_batch(provider_batch_id)
    except (ProviderDownError, ProviderRejectedError) as problem:
        down = isinstance(problem, ProviderDownError) and batch.failed_polls < FAILED_POLLS_MAX
        if age < LOST or down:
            raise
        return ProviderBatch(provider_batch_id, ProviderState.EXPIRED, problem=str(problem), forgotten=True)
