"""`recover_jobs`: instant calls that never came back: their jobs are failed and refunded. So are jobs of a batch that
has given up refunding them; batches themselves are due again when a dead run's lease ends. What members had queued when
they were removed from a team is cancelled, if the call that removed them did not come to it."""

from __future__ import annotations

import traceback
from collections import Counter
from typing import TYPE_CHECKING

from functions import log
from functions.adapters.transient_errors import will_pass
from functions.core.jobs.endings import refunding
from functions.core.jobs.jobs import Failure, JobError
from functions.core.jobs.legs import at_most
from functions.core.shared.time_limits import RUN_TIME
from functions.use_cases.jobs.removed_members import NEXT_RUN, finish_removals
from functions.use_cases.shared.set_aside import LOOK_AGAIN, postpone_damaged

if TYPE_CHECKING:
    from functions.adapters.firestore import StoredJob
    from functions.wiring import Deps

PAGE = 100
"""Jobs read at a time."""


def recover_jobs(deps: Deps) -> dict[str, int]:
    """Run once. Returns counts: jobs `recovered`, `skipped` because they ended meanwhile, and `crashed`; documents that
    are `damaged`; photos of removed members `cancelled`, and removals `unfinished`. Raises RuntimeError if every job
    crashed: it is not the jobs' fault then."""
    counts: Counter[str] = Counter(recovered=0, skipped=0, crashed=0, damaged=0)
    until, more = deps.clock() + RUN_TIME, True
    while more:
        stale = deps.store.stale_leases(deps.clock(), PAGE)
        counts["damaged"] += postpone_damaged(deps, stale.damaged, "leaseUntil")
        for stored in stale:
            if deps.clock() <= until:
                counts[_outcome(deps, stored)] += 1
        # Whoever could not even be set aside comes first again, and would be read again and again.
        more = len(stale) + len(stale.damaged) == PAGE and not counts["stuck"] and deps.clock() <= until
    if counts["recovered"]:
        log.warning(log.Event.LEASES_RECOVERED, **counts)
    removals = finish_removals(until, deps)  # before the run may fail: a team's tokens wait for no other user's job
    if counts["crashed"] + counts["stuck"] and not counts["recovered"] + counts["skipped"]:
        raise RuntimeError("every job that was to be recovered crashed")
    return {**counts, **removals}


def _outcome(deps: Deps, stored: StoredJob) -> str:
    try:
        return "recovered" if _recover(deps, stored) else "skipped"
    except Exception as error:  # noqa: BLE001  (whatever it is, the next user gets their tokens back)
        log.error(log.Event.LEASE_CRASHED, jobId=stored.job.job_id, stack_trace=traceback.format_exc())
        return "crashed" if _set_aside(deps, stored, passing=will_pass(error)) else "stuck"


def _set_aside(deps: Deps, stored: StoredJob, *, passing: bool) -> bool:
    """Give way to others: until the next run after a passing error, else for an hour, with a dead letter. False if that
    fails."""
    job, now = stored.job, deps.clock()
    later = now + (NEXT_RUN if passing else LOOK_AGAIN)
    try:
        if not passing:
            deps.store.leave_letter("job", job.job_id, job.uid, "its lease is over, and it could not be refunded", now)
        (outcome,) = deps.store.update_jobs([(job.job_id, stored.version, {"leaseUntil": later})])
    except Exception:  # noqa: BLE001  (the error that counts is logged already)
        return False
    return not isinstance(outcome, Exception)


def _recover(deps: Deps, stored: StoredJob) -> bool:
    """Fail and refund a job whose lease has run out, if it is still under that lease."""
    job, lease = stored.job, stored.job.lease_until
    error = JobError(code=Failure.PROVIDER_UNAVAILABLE, message="the call was cut off before its answer came")
    if job.batch_id is not None and job.error is not None:
        error = job.error  # its batch could not refund it, and has left the reason
    # What the provider may have charged for is not known here: what was held for it is booked as spent.
    held, cost = job.hold.micros if job.hold else 0, job.cost_micros
    legs = at_most(job.hold) if job.hold and held else ()
    decision = refunding(lambda current: current.lease_until == lease, error, cost + held, deps.clock(), tried=legs)
    settled = deps.store.settle_job(job.job_id, job.uid, decision)
    return settled is not None and settled.version != stored.version
