"""`get_job`: one of the caller's own jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.jobs.endings import require_owner
from functions.core.jobs.jobs import job_view
from functions.core.shared.records import JobId, Request

if TYPE_CHECKING:
    from functions.wiring import Deps


class GetJob(Request):
    """Which job."""

    job_id: JobId


def get_job(request: GetJob, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the job as JSON, see `core.jobs.jobs.job_view`. Raises JobNotFound for none, and for somebody else's."""
    stored = deps.store.get_job(request.job_id)
    return job_view(require_owner(stored.job if stored else None, uid))
