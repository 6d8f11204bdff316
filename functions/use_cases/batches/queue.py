"""The queue: whose turn it is, and who has waited for too long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.core.config.runtime import CacheMode
from functions.core.jobs.endings import giving_up
from functions.core.jobs.jobs import QUEUE_SHARDS
from functions.core.jobs.transitions import waited_too_long
from functions.use_cases.shared.set_aside import LOOK_AGAIN, Items, postpone_damaged

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from functions.adapters.firestore import StoredJob
    from functions.wiring import Deps


SHARD_GROUPS = 4
LONG_QUEUE_BATCHES = 16
"""A queue of this many batches is taken by quarters, each run beginning at another one, so that overlapping runs do not
reach for the same jobs. A shorter one is taken whole, for fuller batches."""


def shard_groups(queued: int, jobs_per_batch: int, first: int) -> list[Sequence[int]]:
    """Return the shards to take together: all of them while that makes full batches, else a quarter at a time; none of
    an empty queue, after which the checks come all the same."""
    if not queued:
        return [()]
    if queued < LONG_QUEUE_BATCHES * jobs_per_batch:
        return [range(QUEUE_SHARDS)]
    return [range((first + n) % SHARD_GROUPS, QUEUE_SHARDS, SHARD_GROUPS) for n in range(SHARD_GROUPS)]


def queued_jobs(deps: Deps, limit: int, shards: Sequence[int], counts: Counter[str]) -> list[StoredJob]:
    """Read the jobs whose turn it is; those that cannot be read leave the head of the queue."""
    if not shards:
        return []
    found = deps.store.queued_jobs(deps.clock(), limit, shards)
    counts["damaged"] += postpone_damaged(deps, found.damaged, "queuedAt")
    return found


def checks_to_send(deps: Deps, limit: int, counts: Counter[str]) -> list[StoredJob]:
    """Read so many checks of the cache, for the places that no user's photo takes. One read while there are none, none
    while the cache answers nothing."""
    if limit <= 0 or CacheMode.ON not in deps.runtime().cache.modes:
        return []
    found = deps.store.queued_checks(deps.clock(), limit)
    counts["damaged"] += postpone_damaged(deps, found.damaged, "queuedAt")
    counts["checks"] += len(found)
    return found


def without_overdue(deps: Deps, queued: Sequence[StoredJob], counts: Counter[str]) -> list[StoredJob]:
    """Fail and refund the jobs that have waited for too long, and return the others."""
    now, items = deps.clock(), Items(deps.clock)
    for stored in queued:
        job = stored.job
        if not waited_too_long(job.created_at, now):
            continue
        try:
            deps.store.settle_job(job.job_id, job.uid, giving_up(now))
            counts["refused"] += 1
            items.succeeded()
        except Exception as error:  # noqa: BLE001  (whatever it is, the next user gets their tokens back)
            items.failed(error, jobId=job.job_id)
            deps.store.leave_letter("job", job.job_id, job.uid, "waited too long, and could not be refunded", now)
            deps.store.update_jobs([(job.job_id, stored.version, {"queuedAt": now + LOOK_AGAIN})])
    return [stored for stored in queued if not waited_too_long(stored.job.created_at, now)]
