"""`submit_batches`: queued jobs into batches, and at last the photos of a trial.

    record the batch with its hold on the budget (building) ► claim jobs ► input file and list of jobs to Storage
    ► upload to OpenAI ► record (uploaded) ► create, at OpenAI carrying our id ► record (submitted)

A batch keeps its provider for life. A run that dies leaves a batch whose lease runs out, and the next run takes it up:
one that was never uploaded gives its jobs back to the queue; one that was uploaded is looked for at its provider before
it is created, by our id or by elimination (`core.batches.recovery`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from functions import log
from functions.core.budget.holds import Mode
from functions.core.config.runtime import CacheMode
from functions.core.jobs.checks import is_check
from functions.core.jobs.jobs import QUEUE_SHARDS
from functions.core.model.refusals import ProviderDownError
from functions.core.shared.providers import split
from functions.core.shared.time_limits import FUNCTION_TIMEOUT, RUN_TIME
from functions.use_cases.batches.abandoned import take_up_abandoned
from functions.use_cases.batches.batch_files import StorageDownError
from functions.use_cases.batches.building import lease, send_batch
from functions.use_cases.batches.lanes import Lanes
from functions.use_cases.batches.queue import checks_to_send, queued_jobs, shard_groups, without_overdue
from functions.use_cases.batches.trials import trial_to_send
from functions.use_cases.budget.spending import mode
from functions.use_cases.cache.labels import asks_alike
from functions.use_cases.jobs.failover import tell_of_no_key
from functions.use_cases.rollouts.serving import Served, served_in_batch
from functions.use_cases.shared.set_aside import Items, report_item

if TYPE_CHECKING:
    from datetime import datetime

    from functions.adapters.firestore import StoredJob
    from functions.core.jobs.jobs import Job
    from functions.wiring import Deps

QUEUE_COUNTED_MAX = 100_000
"""Counting further would cost more reads and change no price."""

PREPARE_TIME = FUNCTION_TIMEOUT - timedelta(seconds=150)
"""After this a run reads no further photo. The rest is for photos under way, the upload, and requeuing unsent jobs."""

OVERDUE_PAGE = 500
"""While the budget is closed nothing is sent, but whoever has waited too long gets their tokens back."""

TRIES_A_BATCH = 3
"""A run that meets others at the same jobs looks elsewhere, so often for each batch that it may send."""


def submit_batches(deps: Deps) -> dict[str, int]:
    """Run once. Returns counts: `batches` and `jobs` that were sent; jobs `refused`, `released` to the queue,
    `unreadable` for now, `damaged` as documents; batches `adopted` and `crashed`; `checks` of the cache and of
    trials among these jobs, and how many jobs were `queued`. Raises RuntimeError if everything that the run began
    failed: it is not the jobs' fault then."""
    counts: Counter[str] = Counter(batches=0, jobs=0, checks=0, refused=0, released=0, adopted=0)
    started = deps.clock()
    lanes = Lanes(deps)
    tell_of_no_key(deps.runtime().providers.batch_order, deps)
    take_up_abandoned(deps, lease(deps), started + RUN_TIME, counts, lanes)
    queued = deps.store.count_queued(QUEUE_COUNTED_MAX)
    caching = CacheMode.ON in deps.runtime().cache.modes
    if lanes.some_open and mode(deps) is not Mode.CLOSED:
        if queued or caching:
            _submit_queue(deps, queued, started, counts, lanes)
        _submit_trial(deps, started + PREPARE_TIME, counts, lanes)
    elif queued:
        without_overdue(deps, queued_jobs(deps, OVERDUE_PAGE, range(QUEUE_SHARDS), counts), counts)
    closed = {"closed_at": deps.clock()} if queued and mode(deps) is Mode.CLOSED else {}
    sent = max(counts["jobs"] - counts["checks"], 0) + counts["refused"]
    deps.store.write_queue_stats(queued=max(queued - sent, 0), **closed)
    if counts["crashed"] and not counts["batches"] + counts["adopted"]:
        raise RuntimeError("every batch that was begun crashed")
    return {**counts, "queued": queued}


def _submit_queue(deps: Deps, queued: int, started: datetime, counts: Counter[str], lanes: Lanes) -> None:
    """Send what is queued, and in the places that are left the checks of the cache."""
    rules, items = deps.runtime().batch, Items(deps.clock)
    groups = shard_groups(queued, rules.jobs_per_batch, first=int(deps.new_id(), 16))
    for _ in range(TRIES_A_BATCH * rules.batches_per_run):
        if not groups or counts["batches"] >= rules.batches_per_run or deps.clock() > started + PREPARE_TIME:
            return
        wanted = 1 if lanes.probing else rules.jobs_per_batch
        jobs, sent_before = queued_jobs(deps, wanted, groups[0], counts), counts["jobs"]
        closed_before = set(lanes.closed)
        if len(groups) == 1:
            jobs += checks_to_send(deps, wanted - len(jobs), counts)
        try:
            if jobs and not _submit(deps, jobs, started + PREPARE_TIME, counts, lanes):
                return  # what is queued waits
        except StorageDownError as problem:
            counts["crashed"] += 1
            log.warning(log.Event.BATCH_DELAYED, cause=f"no photo could be read: {problem.__cause__}")
            return
        except Exception as error:  # noqa: BLE001  (whatever it is, the next batch gets its turn)
            counts["crashed"] += 1
            items.failed(error, batchId="building")
        if lanes.closed != closed_before:
            continue  # what it did not take is in the queue again, for another one
        if len(jobs) < wanted:
            groups = groups[1:]  # this one is empty now
        elif counts["jobs"] - sent_before < len(jobs):
            groups = [*groups[1:], groups[0]]  # another run is at this one: make way


def _asks_as_wanted(job: Job, path: Served, deps: Deps) -> bool:
    """Whether this way can answer a job. A check waits for the way that its hit is from."""
    return not is_check(job.job_id) or asks_alike(job.cache, path, deps)


def _submit(deps: Deps, queued: Sequence[StoredJob], until: datetime, counts: Counter[str], lanes: Lanes) -> bool:
    """Send these jobs, or as many of them as the budget has room for, a batch for each way that they go: one provider,
    and one model. False if it has no room at all, or nobody takes any of them."""
    ways: dict[tuple[str, ...], tuple[Served, list[StoredJob]]] = {}
    due = without_overdue(deps, queued, counts)
    for stored in due:
        path = served_in_batch(stored.job.uid, stored.job.region, lanes.closed, deps)
        if path is not None and _asks_as_wanted(stored.job, path, deps):
            way = (path.model, *(f"{key} {arm}" for key, arm in sorted(path.arms.items())))
            ways.setdefault(way, (path, []))[1].append(stored)
    for path, jobs in ways.values():
        if counts["batches"] >= deps.runtime().batch.batches_per_run:
            return True
        if not _send(deps, jobs, path, until, counts, lanes):
            return False
    return lanes.some_open and (bool(ways) or not due)


def _send(
    deps: Deps, jobs: Sequence[StoredJob], path: Served, until: datetime, counts: Counter[str], lanes: Lanes
) -> bool:
    """Send these jobs this way. False if the budget has no room at all."""
    provider, sent_before = split(path.model)[0], counts["batches"]
    try:
        if not send_batch(deps, jobs, path, until, counts):
            return False
    except ProviderDownError as problem:
        lanes.failed(provider, problem)
    if counts["batches"] > sent_before:
        lanes.took(provider)
    return True


def _submit_trial(deps: Deps, until: datetime, counts: Counter[str], lanes: Lanes) -> None:
    """Send the photos of a trial, if this run may send another batch, and nobody has to be tried first."""
    if lanes.probing or counts["batches"] >= deps.runtime().batch.batches_per_run:
        return
    found = trial_to_send(deps, counts)
    if found is None or split(found[0].model)[0] in lanes.closed:
        return
    try:
        _send(deps, found[1], found[0], until, counts, lanes)
    except Exception as error:  # noqa: BLE001  (whatever it is, users' photos are sent by now)
        counts["crashed"] += 1
        report_item(error, batchId="building")
