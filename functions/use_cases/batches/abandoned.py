"""Finishing what submitters that died have left half done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions import log
from functions.core.batches.batches import FAILED_POLLS_MAX, LOST, OVERDUE, BatchState
from functions.core.model.refusals import ProviderDownError, ProviderError
from functions.use_cases.batches.submission import create, give_up, record, release_batch
from functions.use_cases.shared.set_aside import Items, postpone_damaged

if TYPE_CHECKING:
    from collections import Counter
    from datetime import datetime, timedelta

    from functions.adapters.firestore import StoredBatch
    from functions.wiring import Deps

ABANDONED_MAX = 20
"""Half-built batches that one run takes up."""


def take_up_abandoned(
    deps: Deps, lease: timedelta, until: datetime, counts: Counter[str], *, asking: bool = True
) -> None:
    """Release batches that were never uploaded; look at OpenAI for uploaded ones before creating them, unless OpenAI is
    not asked now. A failed look is retried after the lease; after 28 hours and three of them the batch is given up.

    Raises ProviderDownError if OpenAI takes nothing now; batches that were never uploaded are released all the same.
    """
    states = [BatchState.BUILDING, BatchState.UPLOADED] if asking else [BatchState.BUILDING]
    found = deps.store.due_batches(states, deps.clock(), ABANDONED_MAX)
    counts["damaged"] += postpone_damaged(deps, found.damaged, "dueAt")
    items = Items(deps.clock)
    for stored in sorted(found, key=lambda each: each.batch.state is BatchState.UPLOADED):
        if deps.clock() > until:
            return
        try:
            _take_up(deps, stored, lease, counts)
            items.succeeded()
        except ProviderDownError:
            raise
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
        found = deps.provider.find_batch(batch.batch_id, batch.created_at)
    except ProviderError as problem:
        # One refused look proves nothing: the batch may be there, answered and paid for. Without an end its jobs would
        # wait for a provider that never answers.
        if age < LOST or batch.failed_polls < FAILED_POLLS_MAX:
            deps.store.update_batch(batch.batch_id, version, {"failedPolls": batch.failed_polls + 1})
            raise
        give_up(deps, batch, version, f"nobody can tell whether OpenAI has it: {problem}", counts)
        return
    if found is not None:
        log.info(log.Event.BATCH_ADOPTED, batchId=batch.batch_id, openaiBatchId=found.openai_batch_id)
        record(deps, batch, version, found)
        counts["adopted"] += 1
    elif age < OVERDUE:
        create(deps, batch.model_copy(update={"due_at": due_at}), version, counts)
    else:
        release_batch(deps, batch, version, "its photos have waited too long", counts)
