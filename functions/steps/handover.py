"""Handing a batch over to OpenAI, or its jobs back to the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions import log
from functions.adapters.firestore.writes import BULK_WRITES_MAX
from functions.adapters.openai import ProviderRejectedError
from functions.core.batches import POLL_FIRST, Batch, BatchState
from functions.core.budget import settled
from functions.core.jobs import Failure, JobError
from functions.core.transitions import requeued

if TYPE_CHECKING:
    from collections import Counter
    from datetime import datetime

    from functions.adapters.firestore import StoredJob
    from functions.core.batch_reports import ProviderBatch
    from functions.wiring import Deps


def create(deps: Deps, batch: Batch, version: datetime, counts: Counter[str]) -> bool:
    """Create an uploaded batch at OpenAI and record it. If the reply is lost, the lease decides when to look for it.

    False, and nothing is done, if the lease is as good as over: the next run looks first whether it is there.

    Raises:
        ProviderDownError: OpenAI does not take it; if it says so, the jobs are back in the queue.
    """
    if not batch.is_ours(deps.clock()):
        return False
    try:
        created = deps.provider.create_batch(batch.batch_id, batch.input_file_id or "")
    except ProviderRejectedError as problem:
        give_back(deps, batch, version, str(problem), counts)
        raise problem.as_down() from problem
    record(deps, batch, version, created)
    return True


def record(deps: Deps, batch: Batch, version: datetime, created: ProviderBatch) -> None:
    """Record that OpenAI has the batch, and under which id."""
    fields = {
        "state": BatchState.SUBMITTED,
        "openaiBatchId": created.openai_batch_id,
        "dueAt": deps.clock() + POLL_FIRST,
    }
    deps.store.update_batch(batch.batch_id, version, fields)
    log.info(log.Event.BATCH_SUBMITTED, batchId=batch.batch_id, openaiBatchId=created.openai_batch_id)


def give_back(deps: Deps, batch: Batch, version: datetime, reason: str, counts: Counter[str]) -> None:
    """Close a batch that OpenAI never had: its jobs go back to the queue, its hold is released, its files are gone."""
    _release_jobs(deps, batch.batch_id, counts)
    deps.files.delete_batch_files(batch.batch_id)  # before it is closed: nobody looks for those of a closed batch
    hold = settled(batch.hold, 0) if batch.hold else None
    deps.store.settle_batch(batch, version, {"state": BatchState.FAILED, "error": reason}, hold)
    log.warning(log.Event.BATCH_RELEASED, batchId=batch.batch_id, cause=reason)


def withdraw(deps: Deps, batch: Batch, counts: Counter[str]) -> None:
    """Undo what a run has done to its batch after its lease had run out, and another run had begun to close it.

    If the batch has got further all the same, its record's reply was lost: then it is found by its lease.
    """
    stored = deps.store.get_batch(batch.batch_id)
    if stored is None or stored.batch.state in {BatchState.BUILDING, BatchState.FAILED}:
        _release_jobs(deps, batch.batch_id, counts)
        deps.files.delete_batch_files(batch.batch_id)


def _release_jobs(deps: Deps, batch_id: str, counts: Counter[str]) -> None:
    """Give every job that a batch has claimed and not sent back to the queue. This was no attempt at them.

    A job refuses if it was changed since it was read, also by this write, if its reply was lost: the next look tells.
    """
    error = JobError(code=Failure.PROVIDER_UNAVAILABLE, message="not sent yet")
    before: list[StoredJob] = []
    released: set[str] = set()
    while held := deps.store.held_jobs(batch_id, BULK_WRITES_MAX):
        if held == before:
            raise RuntimeError(f"batch {batch_id} holds jobs that cannot be given back")
        now = deps.clock()
        deps.store.update_jobs(
            [(s.job.job_id, s.version, requeued(error, attempts=s.job.attempts - 1, at=now)) for s in held]
        )
        released |= {stored.job.job_id for stored in held}
        before = held
    counts["released"] += len(released)
