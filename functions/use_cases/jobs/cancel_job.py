"""`cancel_job`: a queued job that is not wanted any more; its price comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.jobs.cancelling import cancelling
from functions.core.jobs.endings import require_owner
from functions.core.jobs.jobs import Status, job_view
from functions.core.shared.records import JobId, Request

if TYPE_CHECKING:
    from functions.wiring import Deps


class CancelJob(Request):
    """Which job."""

    job_id: JobId


def cancel_job(request: CancelJob, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the job as JSON. Cancelling it again is fine. Raises JobNotFound for none, and for somebody else's;
    JobNotCancellable if it has left the queue."""
    stored = deps.store.settle_job(
        request.job_id,
        uid,
        cancelling(uid, deps.runtime(), deps.clock()),
        took_effect=lambda job: job.status is Status.CANCELLED,
    )
    return job_view(require_owner(stored.job if stored else None, uid))
