"""`get_job`: one of the caller's own jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import StringConstraints

from functions.core.errors import JobNotFound
from functions.core.jobs import job_view
from functions.core.records import Request

if TYPE_CHECKING:
    from functions.wiring import Deps


class GetJob(Request):
    """Which job."""

    job_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


def get_job(request: GetJob, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the job as JSON: see `core.jobs.job_view`.

    Raises:
        JobNotFound: there is no such job, or it is somebody else's.
    """
    stored = deps.store.get_job(request.job_id)
    if stored is None or stored.job.uid != uid:
        raise JobNotFound("You have no job with this jobId.")
    return job_view(stored.job)
