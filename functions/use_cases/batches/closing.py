"""Closing a batch whose jobs have ended: its hold on the budget is settled, its files go, the wait is measured."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from functions import log
from functions.core.batches.batches import FAILED_POLLS_MAX, POLL_FIRST, Batch, BatchState, next_poll
from functions.core.batches.manifest import outcomes_and_tally
from functions.core.batches.recovery import TERMS
from functions.core.batches.reports import ENDED, ProviderBatch, ProviderState
from functions.core.budget.holds import Hold, settled
from functions.core.jobs.queue_stats import measured
from functions.core.model.refusals import ProviderDownError, ProviderRejectedError
from functions.core.shared.records import Fields

if TYPE_CHECKING:
    from collections import Counter
    from datetime import datetime

    from functions.use_cases.batches.collector import Collector
    from functions.wiring import Deps


FORGET_WITHIN = timedelta(days=1)
"""How long a provider is asked to delete what it keeps of a batch; and more than FAILED_POLLS_MAX times, for runs may
have stood still that long."""


def pause(deps: Deps, batch: Batch, version: datetime, collector: Collector) -> None:
    """Make a batch due at once; a little later if jobs of it could not be ended. If another run has closed it after our
    lease, the list of jobs that we have just stored is removed."""
    log.info(log.Event.BATCH_PAUSED, batchId=batch.batch_id, **outcomes_and_tally(collector.ended)[0])
    now, fields = deps.clock(), dict[str, Any]()
    if collector.unended:
        fields["unendedPolls"] = batch.unended_polls + 1
    fields["dueAt"] = now + POLL_FIRST * fields.get("unendedPolls", 0)
    if deps.store.update_batch(batch.batch_id, version, fields) is None:
        stored = deps.store.get_batch(batch.batch_id)
        if stored is None or stored.batch.completed_at is not None:
            deps.files.delete_batch_files(batch.batch_id)


def completed(deps: Deps, batch: Batch, version: datetime, reported: ProviderBatch, ended: Counter[str]) -> bool:
    """Close a batch whose jobs have all ended. False if somebody else was faster."""
    hold = _settled_hold(batch, reported, ended["costMicros"])
    age, fields = deps.clock() - batch.created_at, _completing_fields(reported, ended, deps.clock())
    outcomes, count = outcomes_and_tally(ended)
    settled_at = deps.store.settle_batch(batch, version, fields, hold, count)
    if settled_at is None:
        return False
    close(deps, batch.model_copy(update={"failed_polls": 0}), settled_at)
    log.info(log.Event.BATCH_COLLECTED, batchId=batch.batch_id, state=reported.state, **outcomes)
    if reported.state is ProviderState.COMPLETED:
        deps.store.write_queue_stats(batch_minutes=measured(deps.queue(), age / timedelta(minutes=1)))
    return True


def close(deps: Deps, batch: Batch, version: datetime) -> None:
    """Tidy up after a batch whose jobs have all ended. Its files go first: nobody looks for those of a closed one. What
    its provider would keep is deleted there; while that fails, the batch stays as it is, for a day and four tries."""
    deps.files.delete_batch_files(batch.batch_id)
    now, ended_at = deps.clock(), batch.completed_at or deps.clock()
    forgotten = not TERMS[batch.provider].keeps_results or _forget(deps, batch)
    if forgotten or (now - ended_at > FORGET_WITHIN and batch.failed_polls >= FAILED_POLLS_MAX):
        deps.store.update_batch(batch.batch_id, version, {"state": BatchState.DONE})
    else:
        again = {"dueAt": next_poll(ended_at, now), "failedPolls": batch.failed_polls + 1}
        deps.store.update_batch(batch.batch_id, version, again)


def cancel(deps: Deps, batch: Batch) -> None:
    """Ask its provider to stop a batch. One that cannot be stopped has ended, or will be given up."""
    try:
        deps.batches_at(batch.model).cancel_batch(batch.provider_batch_id or "")
    except ProviderRejectedError as problem:
        log.warning(log.Event.BATCH_DELAYED, batchId=batch.batch_id, cause=f"not cancelled: {problem}")


def _forget(deps: Deps, batch: Batch) -> bool:
    """Have a batch deleted where it was: Anthropic would keep photos and results for 29 days. False if it may still be
    there."""
    try:
        return _deleted(deps, batch)
    except ProviderDownError as problem:
        log.warning(log.Event.BATCH_KEPT, batchId=batch.batch_id, cause=str(problem))
        return False


def _deleted(deps: Deps, batch: Batch) -> bool:
    """Delete a batch, or find it gone. One that was given up, and still runs there, has to be cancelled before."""
    there, provider_batch_id = deps.at_anthropic(), batch.provider_batch_id or ""
    with suppress(ProviderRejectedError):
        there.delete_batch(provider_batch_id)
        return True
    try:
        reported = there.retrieve_batch(provider_batch_id)
    except ProviderRejectedError:
        return True
    if reported.state not in ENDED:
        cancel(deps, batch)
    return False


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
        "failedPolls": 0,
        "provisional": False,
    }
