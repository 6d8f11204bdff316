"""Finishing what submitters that died have left half done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions import log
from functions.core.batches.batches import FAILED_POLLS_MAX, LOST, OVERDUE, BatchState
from functions.core.batches.recovery import STRANGERS_MAX, TERMS, chosen, fitting, listed_since
from functions.core.model.refusals import ProviderDownError, ProviderError
from functions.use_cases.batches.submission import create, give_up, record, release_batch
from functions.use_cases.shared.set_aside import Items, postpone_damaged

if TYPE_CHECKING:
    from collections import Counter
    from datetime import datetime, timedelta

    from functions.adapters.firestore import StoredBatch
    from functions.core.batches.batches import Batch
    from functions.core.shared.records import Fields
    from functions.use_cases.batches.lanes import Lanes
    from functions.wiring import Deps

ABANDONED_MAX = 20
"""Half-built batches that one run takes up."""


def take_up_abandoned(deps: Deps, lease: timedelta, until: datetime, counts: Counter[str], lanes: Lanes) -> None:
    """Release batches that were never uploaded; look for uploaded ones at their provider before creating them, unless
    it is not asked now. A failed look is retried after the lease; after 28 hours and three of them the batch is given
    up."""
    states = [BatchState.BUILDING, BatchState.UPLOADED] if lanes.some_open else [BatchState.BUILDING]
    found = deps.store.due_batches(states, deps.clock(), ABANDONED_MAX)
    counts["damaged"] += postpone_damaged(deps, found.damaged, "dueAt")
    items = Items(deps.clock)
    for stored in sorted(found, key=lambda each: each.batch.state is BatchState.UPLOADED):
        if deps.clock() > until:
            return
        if stored.batch.state is BatchState.UPLOADED and stored.batch.provider in lanes.closed:
            continue
        try:
            _take_up(deps, stored, lease, counts)
            items.succeeded()
        except ProviderDownError as problem:
            lanes.failed(stored.batch.provider, problem)
        except Exception as error:  # noqa: BLE001  (whatever it is, the next batch gets its turn)
            counts["crashed"] += 1
            items.failed(error, batchId=stored.batch.batch_id)


def _take_up(deps: Deps, stored: StoredBatch, lease: timedelta, counts: Counter[str]) -> None:
    batch, due_at = stored.batch, deps.clock() + lease
    age = deps.clock() - batch.created_at
    version = deps.store.update_batch(batch.batch_id, stored.version, {"dueAt": due_at})
    if version is None:
        return  # another run was faster
    if batch.state is BatchState.BUILDING:
        release_batch(deps, batch, version, "its submitter died while building it", counts)
        return
    try:
        found = _look(deps, batch)
    except ProviderError as problem:
        # One refused look proves nothing: the batch may be there, answered and paid for. Without an end its jobs would
        # wait for a provider that never answers.
        if age < LOST or batch.failed_polls < FAILED_POLLS_MAX:
            deps.store.update_batch(batch.batch_id, version, {"failedPolls": batch.failed_polls + 1})
            raise
        give_up(deps, batch, version, f"nobody can tell whether it is at its provider: {problem}", counts)
        return
    if found is not None:
        log.info(log.Event.BATCH_ADOPTED, batchId=batch.batch_id, providerBatchId=found["openaiBatchId"])
        record(deps, batch, version, found)
        counts["adopted"] += 1
    elif len(batch.strangers) >= STRANGERS_MAX:
        give_up(deps, batch, version, "nobody can tell whether it is at its provider: too many batches there", counts)
    elif age < OVERDUE:
        create(deps, batch.model_copy(update={"due_at": due_at}), version, counts)
    else:
        release_batch(deps, batch, version, "its photos have waited too long", counts)


def _look(deps: Deps, batch: Batch) -> Fields | None:
    """Look for a batch at its provider. Returns the fields that record it, None if it is not there: by our id, or by
    elimination, which makes it a provisional one. Raises ProviderError."""
    if TERMS[batch.provider].carries_our_id:
        known = deps.provider.find_batch(batch.batch_id, batch.created_at)
        return None if known is None else {"openaiBatchId": known.provider_batch_id}
    fit = fitting(batch, deps.at_anthropic().list_batches(listed_since(batch)))
    found = chosen(batch, fit, deps.store.batches_at_provider(fit))
    return None if found is None else {"openaiBatchId": found, "provisional": True}
