"""Handing a batch over to OpenAI, or its jobs back to the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions import log
from functions.adapters.firestore.writes import BULK_WRITES_MAX
from functions.adapters.openai import ProviderDownError, ProviderRejectedError
from functions.core.batch_reports import ProviderBatch
from functions.core.batches import POLL_FIRST, Batch, BatchState
from functions.core.budget import settled
from functions.core.jobs import Failure, JobError
from functions.core.transitions import requeued

if TYPE_CHECKING:
    from datetime import datetime

    from functions.wiring import Deps


def create(deps: Deps, batch: Batch, version: datetime) -> None:
    """Create an uploaded batch at OpenAI and record it. If the reply is lost, the lease decides when to look for it."""
    try:
        created = deps.provider.create_batch(batch.batch_id, batch.input_file_id or "")
    except ProviderRejectedError as problem:
        release(deps, batch.batch_id)
        close_unsent(deps, batch, version, str(problem))
        raise ProviderDownError(str(problem)) from problem
    record(deps, batch, version, created)


def record(deps: Deps, batch: Batch, version: datetime, created: ProviderBatch) -> None:
    """Record that OpenAI has the batch, and under which id."""
    fields = {
        "state": BatchState.SUBMITTED,
        "openaiBatchId": created.openai_batch_id,
        "dueAt": deps.clock() + POLL_FIRST,
    }
    deps.store.update_batch(batch.batch_id, version, fields)
    log.info(log.Event.BATCH_SUBMITTED, batchId=batch.batch_id, openaiBatchId=created.openai_batch_id)


def close_unsent(deps: Deps, batch: Batch, version: datetime, reason: str) -> None:
    """Close a batch that OpenAI never had and that holds no job any more, and release its hold."""
    deps.files.delete_batch_files(batch.batch_id)  # first: nobody looks for those of a closed batch
    hold = settled(batch.hold, 0) if batch.hold else None
    deps.store.settle_batch(batch, version, {"state": BatchState.FAILED, "error": reason}, hold)
    log.warning(log.Event.BATCH_RELEASED, batchId=batch.batch_id, cause=reason)


def release(deps: Deps, batch_id: str) -> int:
    """Give every job that a batch has claimed and not sent back to the queue. This was no attempt at them."""
    error = JobError(code=Failure.PROVIDER_UNAVAILABLE, message="not sent yet")
    released = 0
    while held := deps.store.held_jobs(batch_id, BULK_WRITES_MAX):
        now = deps.clock()
        changes = [(s.job.job_id, s.version, requeued(error, attempts=s.job.attempts - 1, at=now)) for s in held]
        given_back = sum(version is not None for version in deps.store.update_jobs(changes))
        if not given_back:
            raise RuntimeError(f"batch {batch_id} holds jobs that cannot be given back")
        released += given_back
    return released
