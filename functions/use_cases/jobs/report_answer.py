"""`report_answer`: a user says that an answer is wrong. It is not given again, and a cached one's price comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions.core.config.runtime import CacheMode
from functions.core.jobs.disputes import DisputeReason, disputing
from functions.core.jobs.endings import require_owner
from functions.core.jobs.jobs import job_view
from functions.core.shared.records import JobId, Request

if TYPE_CHECKING:
    from functions.wiring import Deps


class ReportAnswer(Request):
    """Whose answer is wrong, and what about it."""

    job_id: JobId
    reason: Annotated[DisputeReason, Field(strict=False)]


def report_answer(request: ReportAnswer, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the job as JSON, with its `dispute`. Reporting it again changes nothing. Raises JobNotFound for none, and
    for somebody else's; InvalidRequest if the job has no answer."""
    cached = deps.runtime().cache.modes != {CacheMode.OFF}
    decision = disputing(uid, request.reason, deps.clock())
    stored = deps.store.dispute_job(request.job_id, uid, decision, forget=cached)
    return job_view(require_owner(stored.job if stored else None, uid))
