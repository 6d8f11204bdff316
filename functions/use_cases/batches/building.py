"""One batch from jobs in the queue to its provider: recorded with its hold, filled, and handed over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from functions import log
from functions.core.batches.batches import BATCH_LIFETIME, JOB_LEASE, RELEASE_PAUSE, Batch, BatchState
from functions.core.batches.manifest import BatchMember
from functions.core.batches.recovery import TERMS
from functions.core.budget.holds import NoRoom, trimmed
from functions.core.model.refusals import ProviderError, ProviderRejectedError
from functions.use_cases.batches.batch_files import LeaseOverError, StorageDownError, write_files
from functions.use_cases.batches.submission import create, release_batch, undo_submission
from functions.use_cases.budget.spending import SHARD_TRIES, hold_for_batch

if TYPE_CHECKING:
    from datetime import datetime

    from functions.adapters.firestore import StoredJob
    from functions.use_cases.rollouts.serving import Served
    from functions.wiring import Deps


def send_batch(deps: Deps, queued: Sequence[StoredJob], path: Served, until: datetime, counts: Counter[str]) -> bool:
    """Send these jobs in one batch, or as many of them as the budget has room for; photos are read `until` then. False
    if it has no room at all. Raises ProviderDownError if its provider takes none, and StorageDownError if no photo
    could be read: the jobs are back in the queue, or under a lease."""
    if deps.clock() > until:
        return True  # a run that stood still: no photo would be read, and its way may have been stopped since
    opened = _open_batch(deps, len(queued), path)
    if opened is None:
        return False
    batch, version, lines = opened
    wanted = queued[:lines] if batch.holds_lease(deps.clock()) else []
    members = deps.store.claim_jobs(batch.batch_id, wanted, deps.clock() + JOB_LEASE)
    if not members:
        deps.store.delete_batch(batch, version)
        return True
    sent = _write(deps, batch, version, members, until, counts)
    if not sent:
        return True
    file_id = _upload(deps, batch, version, counts) if TERMS[batch.provider].uploads else None
    now = deps.clock()
    due_at = now + lease(deps)  # who looks for it comes when every list has it
    uploaded = {
        "state": BatchState.UPLOADED,
        "inputFileId": file_id,
        "createStartedAt": now,
        "dueAt": due_at,
        "jobCount": sent,
    }
    hold = trimmed(batch.hold, sent) if batch.hold else None
    uploaded_version = deps.store.settle_batch(batch, version, uploaded, hold)
    if uploaded_version is None:
        undo_submission(deps, batch, counts)
        return True
    batch = batch.model_copy(update={"input_file_id": file_id, "hold": hold, "due_at": due_at})
    if create(deps, batch, uploaded_version, counts):
        counts["batches"] += 1
        counts["jobs"] += sent
    return True


def _upload(deps: Deps, batch: Batch, version: datetime, counts: Counter[str]) -> str:
    """Return the id of a batch's input file at OpenAI. Raises ProviderDownError, and the jobs are back in the queue."""
    try:
        with deps.files.read_input(batch.batch_id) as file:
            return deps.provider.upload_input(f"{batch.batch_id}.jsonl", file)
    except ProviderError as problem:
        pause = RELEASE_PAUSE if isinstance(problem, ProviderRejectedError) else None
        release_batch(deps, batch, version, str(problem), counts, pause=pause)
        raise problem.as_down() from problem


def _write(
    deps: Deps, batch: Batch, version: datetime, members: Sequence[BatchMember], until: datetime, counts: Counter[str]
) -> int:
    """Write a batch's files. Returns how many jobs are in them; if that is none, the batch is undone."""
    try:
        sent = write_files(deps, batch, members, until, counts)
    except LeaseOverError:
        undo_submission(deps, batch, counts)
        return 0
    except StorageDownError as problem:
        release_batch(
            deps, batch, version, f"no photo could be read ({problem.__cause__!r})", counts, pause=RELEASE_PAUSE
        )
        raise
    if not sent:
        release_batch(deps, batch, version, "none of its photos could be sent", counts)
    return sent


def _open_batch(deps: Deps, lines: int, path: Served) -> tuple[Batch, datetime, int] | None:
    """Record a batch with its hold, for as many lines as there is room for. None if that is none."""
    now = deps.clock()
    for _ in range(SHARD_TRIES):
        hold, affordable = hold_for_batch(lines, path, deps)
        if not affordable:
            break
        batch = Batch(
            batch_id=deps.new_id(),
            state=BatchState.BUILDING,
            created_at=now,
            due_at=now + lease(deps),
            model=path.model,
            prompt_version=path.prompt,
            arms=path.arms,
            side_max=path.side_max,
            hold=hold,
            expire_at=now + BATCH_LIFETIME,
        )
        version = deps.store.create_batch(batch)
        if not isinstance(version, NoRoom):
            return batch, version, affordable
        # Somebody else has taken that room: look again.
    log.warning(log.Event.BUDGET_REFUSED, lines=lines)
    return None


def lease(deps: Deps) -> timedelta:
    """Return how long a run has a batch for itself."""
    return timedelta(minutes=deps.runtime().batch.lease_minutes)
