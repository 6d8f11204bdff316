"""`poll_batches`: OpenAI batches that have ended into results, requeues and refunds.

One retrieve a batch, never a call a job, and less often as the batch grows older. When it has ended,
`functions.steps.collector` ends each of its jobs.
"""

from __future__ import annotations

import traceback
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from functions import log
from functions.adapters.openai import ProviderDownError, ProviderRejectedError
from functions.core.batch_reports import ENDED, ProviderBatch, ProviderState
from functions.core.batches import (
    LOST,
    OVERDUE,
    POLL_FIRST,
    Batch,
    BatchState,
    next_poll,
)
from functions.core.budget import Hold, settled
from functions.core.pricing import measured
from functions.core.records import Fields
from functions.core.runtime import FUNCTION_TIMEOUT
from functions.steps.collector import Collector
from functions.steps.pushes import push
from functions.steps.set_aside import postpone_damaged

if TYPE_CHECKING:
    from functions.adapters.firestore import StoredBatch
    from functions.wiring import Deps

RUN_TIME = FUNCTION_TIMEOUT - timedelta(seconds=180)
"""After this a run looks at no further batch, and ends no further job of the one that it is at; the margin is for
storing how far it has come."""


def poll_batches(deps: Deps) -> dict[str, int]:
    """Run once. Returns counts: batches `polled`, `collected`, `paused` (for the next run), `delayed` (the provider)
    and `crashed`; jobs `done`, `requeued` and `failed`; users `pushed`.

    Raises:
        RuntimeError: every batch that was due crashed: something is wrong that is not the batches'.
    """
    counts: Counter[str] = Counter(polled=0, collected=0, paused=0, delayed=0, crashed=0, done=0, requeued=0, failed=0)
    open_states, until = [BatchState.SUBMITTED, BatchState.COLLECTING], deps.clock() + RUN_TIME
    due = deps.store.due_batches(open_states, deps.clock(), deps.runtime().batch.polls_per_run)
    counts["damaged"] += postpone_damaged(deps, due.damaged, "dueAt")
    for stored in due:
        if deps.clock() > until:
            break
        try:
            _advance(deps, stored, until, counts)
        except (ProviderDownError, ProviderRejectedError) as problem:
            counts["delayed"] += 1
            log.warning(log.Event.BATCH_DELAYED, batchId=stored.batch.batch_id, cause=str(problem))
        except Exception:  # noqa: BLE001  (whatever it is, the next batch gets its turn)
            # One batch must not hold up the others. It stays due, and is tried again when its lease has run out.
            counts["crashed"] += 1
            log.error(log.Event.BATCH_CRASHED, batchId=stored.batch.batch_id, stack_trace=traceback.format_exc())
    if counts["crashed"] and not counts["polled"]:
        raise RuntimeError("every batch that was due crashed the poller")
    return dict(counts)


def _advance(deps: Deps, stored: StoredBatch, until: datetime, counts: Counter[str]) -> None:
    batch, now = stored.batch, deps.clock()
    if batch.completed_at is not None:
        _close(deps, batch, stored.version)  # a collector that was done died tidying up
        return
    age = now - batch.created_at
    reported = _retrieve(deps, batch, age)
    counts["polled"] += 1
    if reported.state not in ENDED and age < LOST:
        fields: dict[str, Any] = {"dueAt": next_poll(batch.created_at, now), "polls": batch.polls + 1}
        fields |= {"providerState": str(reported.state), "answered": reported.answered}
        if age > OVERDUE and not batch.cancel_requested:
            _cancel(deps, batch)
            fields |= {"cancelRequested": True, "dueAt": now + POLL_FIRST}
        deps.store.update_batch(batch.batch_id, stored.version, fields)
        return
    lease = timedelta(minutes=deps.runtime().batch.lease_minutes)
    taken = {"state": BatchState.COLLECTING, "dueAt": now + lease}
    version = deps.store.update_batch(batch.batch_id, stored.version, taken)
    batch = batch.model_copy(update={"due_at": now + lease})
    if version is None or not batch.is_ours(deps.clock()):
        return  # another poller collects it
    collector = Collector(deps, batch, until)
    try:
        complete = collector.collect(reported, give_up=age >= LOST)
    except (ProviderDownError, ProviderRejectedError):
        deps.store.update_batch(batch.batch_id, version, {"dueAt": now + POLL_FIRST})
        raise
    if complete and not _completed(deps, batch, version, reported, collector.ended):
        return  # another collector, after our lease, has ended the same jobs in the same way
    if not complete:
        _pause(deps, batch, version, collector.ended)
    counts["collected" if complete else "paused"] += 1
    counts.update({outcome: collector.ours[outcome] for outcome in ("done", "requeued", "failed")})
    counts["pushed"] += push(collector.news.values(), deps)


def _pause(deps: Deps, batch: Batch, version: datetime, ended: Counter[str]) -> None:
    """Have a batch taken on at once by the next run. If another one has closed it, after our lease, the list of jobs
    that we have just stored is nobody's."""
    log.info(log.Event.BATCH_PAUSED, batchId=batch.batch_id, **ended)
    if deps.store.update_batch(batch.batch_id, version, {"dueAt": deps.clock()}) is None:
        stored = deps.store.get_batch(batch.batch_id)
        if stored is None or stored.batch.completed_at is not None:
            deps.files.delete_batch_files(batch.batch_id)


def _completed(deps: Deps, batch: Batch, version: datetime, reported: ProviderBatch, ended: Counter[str]) -> bool:
    """Close a batch whose jobs have all ended. False if somebody else was faster."""
    hold = _settled_hold(batch, reported, ended["costMicros"])
    age, fields = deps.clock() - batch.created_at, _completing_fields(reported, ended, deps.clock())
    settled_at = deps.store.settle_batch(batch, version, fields, hold)
    if settled_at is None:
        return False
    _close(deps, batch, settled_at)
    log.info(log.Event.BATCH_COLLECTED, batchId=batch.batch_id, state=reported.state, **ended)
    if reported.state is ProviderState.COMPLETED:
        deps.store.write_queue_stats(batch_minutes=measured(deps.queue(), age / timedelta(minutes=1)))
    return True


def _retrieve(deps: Deps, batch: Batch, age: timedelta) -> ProviderBatch:
    """Ask OpenAI how far a batch has come. One that OpenAI does not know any more is given up as a lost one is."""
    openai_batch_id = batch.openai_batch_id or ""
    try:
        return deps.provider.retrieve_batch(openai_batch_id)
    except ProviderRejectedError as problem:
        if age < LOST:
            raise
        return ProviderBatch(openai_batch_id, ProviderState.EXPIRED, problem=str(problem), forgotten=True)


def _cancel(deps: Deps, batch: Batch) -> None:
    """Ask OpenAI to stop an overdue batch. One that cannot be stopped has ended, or will be given up."""
    try:
        deps.provider.cancel_batch(batch.openai_batch_id or "")
    except ProviderRejectedError as problem:
        log.warning(log.Event.BATCH_DELAYED, batchId=batch.batch_id, cause=f"not cancelled: {problem}")


def _close(deps: Deps, batch: Batch, version: datetime) -> None:
    """Tidy up after a batch whose jobs have all ended. Its files go first: nobody looks for those of a closed one."""
    deps.files.delete_batch_files(batch.batch_id)
    deps.store.update_batch(batch.batch_id, version, {"state": BatchState.DONE})


def _settled_hold(batch: Batch, reported: ProviderBatch, cost_micros: int) -> Hold | None:
    """Settle what was held for a batch. One that never ended may be billed all the same: all of it counts as spent."""
    if batch.hold is None:
        return None
    return settled(batch.hold, cost_micros if reported.state in ENDED else max(cost_micros, batch.hold.micros))


def _completing_fields(reported: ProviderBatch, ended: Counter[str], now: datetime) -> Fields:
    return {
        "doneCount": ended["done"],
        "requeuedCount": ended["requeued"],
        "failedCount": ended["failed"],
        "costMicros": ended["costMicros"],
        "error": reported.problem,
        "completedAt": now,
    }
