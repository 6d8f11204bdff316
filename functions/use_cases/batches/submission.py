"""Handing a batch over to its provider, or its jobs back to the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions import log
from functions.adapters.firestore.writes import BULK_WRITES_MAX
from functions.core.batches.batches import POLL_FIRST, RELEASE_PAUSE, Batch, BatchState
from functions.core.batches.recovery import TERMS
from functions.core.budget.holds import settled
from functions.core.jobs.jobs import Failure, JobError
from functions.core.jobs.transitions import requeued, unclaimed
from functions.core.model.refusals import ProviderDownError, ProviderRejectedError
from functions.core.shared.providers import Provider
from functions.use_cases.shared.set_aside import LOOK_AGAIN, set_damaged_aside

if TYPE_CHECKING:
    from collections import Counter
    from datetime import datetime, timedelta

    from functions.core.batches.reports import ProviderBatch
    from functions.core.jobs.jobs import Job
    from functions.core.model.refusals import ProviderError
    from functions.core.shared.records import Fields
    from functions.wiring import Deps


def create(deps: Deps, batch: Batch, version: datetime, counts: Counter[str]) -> bool:
    """Create an uploaded batch at its provider and record it. If the reply is lost, the lease decides when to look for
    it. False, and nothing is done, if the lease is nearly over: the next run looks for the batch first. Raises
    ProviderDownError if the provider does not take it; if it says so, the jobs are back in the queue."""
    if not batch.holds_lease(deps.clock()):
        return False
    try:
        created = _created(deps, batch)
    except ProviderRejectedError as problem:
        _withdraw(deps, batch, version, problem, counts, RELEASE_PAUSE)
        raise problem.as_down() from problem
    except ProviderDownError as problem:
        # Looking for it by elimination can take a day: what is surely not there need not be looked for.
        if problem.surely_undone and not TERMS[batch.provider].carries_our_id:
            _withdraw(deps, batch, version, problem, counts)
        raise
    if created is None:
        return False
    record(deps, batch, version, {"openaiBatchId": created.provider_batch_id})
    return True


def _withdraw(
    deps: Deps,
    batch: Batch,
    version: datetime,
    problem: ProviderError,
    counts: Counter[str],
    pause: timedelta | None = None,
) -> None:
    """Close a batch that its provider has refused. It is `uploaded` no more before its jobs are in the queue again:
    else whoever takes it up after a crash would create it while they are on their way elsewhere."""
    unsent = deps.store.update_batch(batch.batch_id, version, {"state": BatchState.BUILDING})
    if unsent is not None:
        release_batch(deps, batch, unsent, str(problem), counts, pause=pause)


def _created(deps: Deps, batch: Batch) -> ProviderBatch | None:
    """Create it; None, and nothing is done, if opening its file has taken what was left of the lease."""
    if batch.provider is Provider.ANTHROPIC:
        with deps.files.read_input(batch.batch_id) as file:
            return deps.at_anthropic().create_batch(file) if batch.holds_lease(deps.clock()) else None
    return deps.provider.create_batch(batch.batch_id, batch.input_file_id or "")


def record(deps: Deps, batch: Batch, version: datetime, found: Fields) -> None:
    """Record that the provider has the batch, and under which id."""
    fields = {"state": BatchState.SUBMITTED, "dueAt": deps.clock() + POLL_FIRST, "failedPolls": 0, **found}
    deps.store.update_batch(batch.batch_id, version, fields)
    log.info(log.Event.BATCH_SUBMITTED, batchId=batch.batch_id, providerBatchId=found["openaiBatchId"])


def release_batch(
    deps: Deps,
    batch: Batch,
    version: datetime,
    reason: str,
    counts: Counter[str],
    *,
    pause: timedelta | None = None,
    spent: bool = False,
) -> None:
    """Close a batch that its provider never had: requeue its jobs, release its hold, remove its files. With `pause` the
    jobs let others go first; with `spent` the provider may have had it after all, and may bill for it."""
    counts["released"] += release_jobs(deps, batch.batch_id, pause)
    deps.files.delete_batch_files(batch.batch_id)  # before it is closed: nobody looks for those of a closed batch
    hold = settled(batch.hold, batch.hold.micros if spent else 0) if batch.hold else None
    deps.store.settle_batch(batch, version, {"state": BatchState.FAILED, "error": reason}, hold)
    log.warning(log.Event.BATCH_RELEASED, batchId=batch.batch_id, cause=reason)


def give_up(deps: Deps, batch: Batch, version: datetime, reason: str, counts: Counter[str]) -> None:
    """Close a hopeless batch. Its jobs are requeued, or refunded there if they have waited too long; its hold counts as
    spent, and a dead letter is left."""
    deps.store.leave_letter("batch", batch.batch_id, "", reason, deps.clock())
    release_batch(deps, batch, version, reason, counts, spent=True)


def undo_submission(deps: Deps, batch: Batch, counts: Counter[str]) -> None:
    """Undo what a run did to its batch after its lease, while another run closed it. If the batch has got further all
    the same, its record's reply was lost: its lease will find it."""
    stored = deps.store.get_batch(batch.batch_id)
    if stored is None or stored.batch.state in {BatchState.BUILDING, BatchState.FAILED}:
        counts["released"] += release_jobs(deps, batch.batch_id)
        deps.files.delete_batch_files(batch.batch_id)


def release_jobs(deps: Deps, batch_id: str, pause: timedelta | None = None) -> int:
    """Requeue a batch's claimed jobs that have not ended, at their age, or after a `pause`, without an attempt. Returns
    their number. A job changed since it was read refuses, also after this write's lost reply: the next look tells. One
    that cannot be requeued at all is left to `recover_jobs`, with a dead letter."""
    error = JobError(code=Failure.PROVIDER_UNAVAILABLE, message="not sent yet")
    before: tuple[object, object] = (None, None)
    released: set[str] = set()
    held = deps.store.held_jobs(batch_id, BULK_WRITES_MAX)
    while held or held.damaged:
        if (held, held.damaged) == before:
            for stored in held:
                log.error(log.Event.ITEM_SET_ASIDE, jobId=stored.job.job_id, batchId=batch_id)
                deps.store.leave_letter("job", stored.job.job_id, stored.job.uid, "not given back", deps.clock())
            break
        now = deps.clock()
        deps.store.update_jobs([(s.job.job_id, s.version, _released(s.job, error, now, pause)) for s in held])
        set_damaged_aside(deps, held.damaged, unclaimed(now + LOOK_AGAIN))
        released |= {stored.job.job_id for stored in held}
        before = (held, held.damaged)
        held = deps.store.held_jobs(batch_id, BULK_WRITES_MAX)
    return len(released - {stored.job.job_id for stored in held})


def _released(job: Job, error: JobError, now: datetime, pause: timedelta | None) -> Fields:
    return requeued(error, attempts=job.attempts - 1, at=now + pause if pause else job.created_at)
