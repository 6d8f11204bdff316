"""`list_jobs`: the caller's own jobs, newest first, in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from functions.core.jobs.jobs import job_view
from functions.core.shared.records import NO_CURSOR, Form, Request, TeamId
from functions.core.wallet.team_wallet import require_member
from functions.use_cases.jobs.pages import JOB_CURSOR, cursor_after, position

if TYPE_CHECKING:
    from functions.wiring import Deps

FieldName = Literal[
    "requestedMode",
    "mode",
    "status",
    "payer",
    "tokensCost",
    "createdAt",
    "estimatedCompletion",
    "attempts",
    "result",
    "error",
    "completedAt",
    "servedFrom",
    "dispute",
]
"""What can be asked for of each job, besides its `jobId`."""


class ListJobs(Request):
    """Which page, and which fields; all of them if none are named. `cursor` is the `nextCursor` of the page before.
    `team`: the jobs that this team pays for, of all its members."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, Form(JOB_CURSOR, NO_CURSOR)] | None = None
    fields: Annotated[list[FieldName], Field(min_length=1, max_length=20)] | None = None
    team: TeamId | None = None


def list_jobs(request: ListJobs, uid: str, deps: Deps) -> dict[str, Any]:
    """Return `jobs` as JSON, and `nextCursor`, which is null when there are no more. A team's jobs have a `uid`: whose
    each is. Raises TeamNotFound."""
    if request.team:
        require_member(deps.store.get_team(request.team), uid)
    found = deps.store.list_jobs(uid, position(request.cursor), request.limit, request.team)
    views = [{**job_view(stored.job), **({"uid": stored.job.uid} if request.team else {})} for stored in found]
    if request.fields is not None:
        names = {"jobId", "uid", *request.fields}
        views = [{name: value for name, value in view.items() if name in names} for view in views]
    more = len(found) + len(found.damaged) == request.limit
    return {"jobs": views, "nextCursor": cursor_after(found[-1].job) if more and found else None}
