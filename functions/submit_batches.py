"""`submit_batches`: queued jobs into OpenAI batches.

    record the batch with its hold on the budget (building) ► claim jobs ► input file and list of jobs to Storage
    ► upload ► record (uploaded) ► create at OpenAI, carrying our id ► record (submitted)

A run that dies leaves a batch whose lease runs out, and the next run takes it up: one that was never uploaded gives its
jobs back to the queue; one that was uploaded is looked for at OpenAI by our id before it is created.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from functions import log
from functions.adapters.openai import ProviderDownError, ProviderError
from functions.core.batches import BATCH_LIFETIME, JOB_LEASE, Batch, BatchMember, BatchState
from functions.core.budget import Mode, NoRoomError, trimmed
from functions.core.jobs import QUEUE_SHARDS
from functions.core.runtime import FUNCTION_TIMEOUT
from functions.core.settlement import giving_up
from functions.core.transitions import waited_too_long
from functions.steps.batch_files import LeaseOverError, write_files
from functions.steps.handover import create, give_back, record, withdraw
from functions.steps.set_aside import postpone_damaged
from functions.steps.spending import SHARD_TRIES, hold_for_batch, mode

if TYPE_CHECKING:
    from datetime import datetime

    from functions.adapters.firestore import StoredJob
    from functions.wiring import Deps

QUEUE_COUNTED_MAX = 100_000
"""Counting further would cost more reads and change no price."""

ABANDONED_MAX = 20
"""Half-built batches that one run takes up."""

RUN_TIME = FUNCTION_TIMEOUT - timedelta(seconds=180)
"""After this a run begins no further batch; the margin is for the one that it is at."""

OVERDUE_PAGE = 500
"""While the budget is closed nothing is sent, but whoever has waited too long gets their tokens back."""

TRIES_A_BATCH = 3
"""A run that meets others at the same jobs looks elsewhere, so often for each batch that it may send."""

SHARD_GROUPS = 4
LONG_QUEUE_BATCHES = 16
"""A queue of this many batches is taken by quarters, each run beginning at another one, so that runs that overlap do
not reach for the same jobs. A shorter one is taken as a whole, which makes fuller batches."""


def submit_batches(deps: Deps) -> dict[str, int]:
    """Run once. Returns counts: `batches`, `jobs`, `refused`, `released`, `adopted`, and how many were `queued`."""
    counts: Counter[str] = Counter(batches=0, jobs=0, refused=0, released=0, adopted=0)
    queued = 0
    try:
        try:
            _take_up_abandoned(deps, counts)
        finally:
            queued = deps.store.count_queued(QUEUE_COUNTED_MAX)  # what was given back just now is there again
        if queued and mode(deps) is Mode.CLOSED:
            _without_overdue(deps, _queued(deps, OVERDUE_PAGE, range(QUEUE_SHARDS), counts), counts)
        elif queued:
            _submit_queue(deps, queued, counts)
    except ProviderDownError as problem:
        # Everything that could not be sent is back in the queue or under a lease; the next tick goes on.
        log.warning(log.Event.BATCH_DELAYED, cause=str(problem))
    closed = {"closed_at": deps.clock()} if queued and mode(deps) is Mode.CLOSED else {}
    deps.store.write_queue_stats(queued=max(queued - counts["jobs"] - counts["refused"], 0), **closed)
    return {**counts, "queued": queued}


def _submit_queue(deps: Deps, queued: int, counts: Counter[str]) -> None:
    rules, until = deps.runtime().batch, deps.clock() + RUN_TIME
    groups = _shard_groups(queued, rules.jobs_per_batch, first=int(deps.new_id(), 16))
    for _ in range(TRIES_A_BATCH * rules.batches_per_run):
        if not groups or counts["batches"] >= rules.batches_per_run or deps.clock() > until:
            return
        jobs, sent_before = _queued(deps, rules.jobs_per_batch, groups[0], counts), counts["jobs"]
        if jobs and not _submit(deps, jobs, counts):
            return  # there is no budget left: what is queued waits
        if len(jobs) < rules.jobs_per_batch:
            groups = groups[1:]  # this one is empty now
        elif counts["jobs"] - sent_before < len(jobs):
            groups = [*groups[1:], groups[0]]  # another run is at this one: make way


def _queued(deps: Deps, limit: int, shards: Sequence[int], counts: Counter[str]) -> list[StoredJob]:
    """Read the jobs whose turn it is; those that cannot be read leave the head of the queue."""
    found = deps.store.queued_jobs(deps.clock(), limit, shards)
    counts["damaged"] += postpone_damaged(deps, found.damaged, "queuedAt")
    return found


def _shard_groups(queued: int, jobs_per_batch: int, first: int) -> list[Sequence[int]]:
    """Return the shards to take together: all of them while that makes full batches, else a quarter at a time."""
    if queued < LONG_QUEUE_BATCHES * jobs_per_batch:
        return [range(QUEUE_SHARDS)]
    return [range((first + n) % SHARD_GROUPS, QUEUE_SHARDS, SHARD_GROUPS) for n in range(SHARD_GROUPS)]


def _submit(deps: Deps, queued: Sequence[StoredJob], counts: Counter[str]) -> bool:
    """Send these jobs, or as many of them as the budget has room for. False if it has no room at all."""
    queued = _without_overdue(deps, queued, counts)
    if not queued:
        return True
    opened = _open_batch(deps, len(queued))
    if opened is None:
        return False
    batch, version, lines = opened
    wanted = queued[:lines] if batch.is_ours(deps.clock()) else []
    members = deps.store.claim_jobs(batch.batch_id, wanted, deps.clock() + JOB_LEASE)
    if not members:
        deps.store.delete_batch(batch, version)
        return True
    sent = _write(deps, batch, version, members, counts)
    if not sent:
        return True
    try:
        with deps.files.read_input(batch.batch_id) as file:
            file_id = deps.provider.upload_input(f"{batch.batch_id}.jsonl", file)
    except ProviderError as problem:
        give_back(deps, batch, version, str(problem), counts)
        raise problem.as_down() from problem
    uploaded = {"state": BatchState.UPLOADED, "inputFileId": file_id, "jobCount": sent}
    hold = trimmed(batch.hold, sent) if batch.hold else None
    uploaded_version = deps.store.settle_batch(batch, version, uploaded, hold)
    if uploaded_version is None:
        withdraw(deps, batch, counts)
        return True
    if create(deps, batch.model_copy(update={"input_file_id": file_id, "hold": hold}), uploaded_version, counts):
        counts["batches"] += 1
        counts["jobs"] += sent
    return True


def _write(deps: Deps, batch: Batch, version: datetime, members: Sequence[BatchMember], counts: Counter[str]) -> int:
    """Write a batch's files. Returns how many jobs are in them; if that is none, the batch is undone."""
    try:
        sent = write_files(deps, batch, members, counts)
    except LeaseOverError:
        withdraw(deps, batch, counts)
        return 0
    if not sent:
        give_back(deps, batch, version, "none of its photos could be sent", counts)
    return sent


def _open_batch(deps: Deps, lines: int) -> tuple[Batch, datetime, int] | None:
    """Record a batch with its hold, for as many lines as there is room for. None if that is none."""
    now = deps.clock()
    for _ in range(SHARD_TRIES):
        hold, affordable = hold_for_batch(lines, deps)
        if not affordable:
            break
        batch = Batch(
            batch_id=deps.new_id(),
            state=BatchState.BUILDING,
            created_at=now,
            due_at=now + _lease(deps),
            model=deps.settings.openai_model,
            hold=hold,
            expire_at=now + BATCH_LIFETIME,
        )
        try:
            return batch, deps.store.create_batch(batch), affordable
        except NoRoomError:
            continue  # somebody else has taken that room: look again
    log.warning(log.Event.BUDGET_REFUSED, lines=lines)
    return None


def _without_overdue(deps: Deps, queued: Sequence[StoredJob], counts: Counter[str]) -> list[StoredJob]:
    """Fail and refund the jobs that have waited for too long, and return the others."""
    now = deps.clock()
    overdue = [stored.job for stored in queued if waited_too_long(stored.job.created_at, now)]
    for job in overdue:
        deps.store.settle_job(job.job_id, job.uid, giving_up(now))
    counts["refused"] += len(overdue)
    return [stored for stored in queued if not waited_too_long(stored.job.created_at, now)]


def _take_up_abandoned(deps: Deps, counts: Counter[str]) -> None:
    """Finish what runs that died have left half done."""
    abandoned = deps.store.due_batches([BatchState.BUILDING, BatchState.UPLOADED], deps.clock(), ABANDONED_MAX)
    counts["damaged"] += postpone_damaged(deps, abandoned.damaged, "dueAt")
    for stored in abandoned:
        batch = stored.batch
        due_at = deps.clock() + _lease(deps)
        version = deps.store.update_batch(batch.batch_id, stored.version, {"dueAt": due_at})
        if version is None:
            continue  # another run was faster
        if batch.state is BatchState.BUILDING:
            give_back(deps, batch, version, "its submitter died while building it", counts)
            continue
        found = deps.provider.find_batch(batch.batch_id, batch.created_at)
        if found is None:
            create(deps, batch.model_copy(update={"due_at": due_at}), version, counts)
            continue
        log.info(log.Event.BATCH_ADOPTED, batchId=batch.batch_id, openaiBatchId=found.openai_batch_id)
        record(deps, batch, version, found)
        counts["adopted"] += 1


def _lease(deps: Deps) -> timedelta:
    return timedelta(minutes=deps.runtime().batch.lease_minutes)
