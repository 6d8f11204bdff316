"""`recover_jobs`: instant calls that never came back: their jobs are failed and refunded.

What a dead submitter or collector left behind is not looked for here: its lease makes it due again, and the next run of
`submit_batches` or `poll_batches` takes it up.
"""

from __future__ import annotations

import traceback
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from functions import log
from functions.core.jobs import Failure, JobError
from functions.core.runtime import FUNCTION_TIMEOUT
from functions.core.settlement import refunding
from functions.steps.set_aside import postpone_damaged

if TYPE_CHECKING:
    from functions.adapters.firestore import StoredJob
    from functions.wiring import Deps

PAGE = 100
"""Jobs read at a time."""

RUN_TIME = FUNCTION_TIMEOUT - timedelta(seconds=120)
"""After this a run begins with no further job."""


def recover_jobs(deps: Deps) -> dict[str, int]:
    """Run once. Returns counts: jobs `recovered`, `skipped` because they ended meanwhile, and `crashed`; documents
    that are `damaged`.

    Raises:
        RuntimeError: every job crashed: something is wrong that is not the jobs'.
    """
    counts: Counter[str] = Counter(recovered=0, skipped=0, crashed=0, damaged=0)
    until, more = deps.clock() + RUN_TIME, True
    while more:
        stale = deps.store.stale_leases(deps.clock(), PAGE)
        counts["damaged"] += postpone_damaged(deps, stale.damaged, "leaseUntil")
        for stored in stale:
            if deps.clock() <= until:
                counts[_outcome(deps, stored)] += 1
        # Whoever crashed comes first again, and would be read again and again.
        more = len(stale) + len(stale.damaged) == PAGE and not counts["crashed"] and deps.clock() <= until
    if counts["recovered"]:
        log.warning(log.Event.LEASES_RECOVERED, **counts)
    if counts["crashed"] and not counts["recovered"] + counts["skipped"]:
        raise RuntimeError("every job that was to be recovered crashed")
    return dict(counts)


def _outcome(deps: Deps, stored: StoredJob) -> str:
    try:
        return "recovered" if _recover(deps, stored) else "skipped"
    except Exception:  # noqa: BLE001  (whatever it is, the next user gets their tokens back)
        log.error(log.Event.LEASE_CRASHED, jobId=stored.job.job_id, stack_trace=traceback.format_exc())
        return "crashed"


def _recover(deps: Deps, stored: StoredJob) -> bool:
    """Fail and refund a job whose lease has run out, if it is still under that lease."""
    lease = stored.job.lease_until
    error = JobError(code=Failure.PROVIDER_UNAVAILABLE, message="the call was cut off before its answer came")
    # What the provider may have charged for is not known here: what was held for it is booked as spent.
    held = stored.job.hold.micros if stored.job.hold else 0
    spent = stored.job.cost_micros + held
    decision = refunding(lambda job: job.lease_until == lease, error, spent, deps.clock())
    settled = deps.store.settle_job(stored.job.job_id, stored.job.uid, decision)
    return settled is not None and settled.version != stored.version
