"""Pages of a user's jobs: where one ends, as a text that comes back with the call for the next; all of them; and how
one is cancelled, or a bulk job."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from functions.core.bulk.bulks import BulkState
from functions.core.bulk.changes import given_back
from functions.core.jobs.cancelling import cancelling
from functions.core.shared.errors import JobNotCancellable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.adapters.firestore import Found, StoredJob
    from functions.core.bulk.bulks import Bulk
    from functions.core.jobs.jobs import Job
    from functions.wiring import Deps

PAGE = 100

JOB_CURSOR = r"[0-9]{1,16}-[0-9a-f]{32}"

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def cursor_after(job: Job) -> str:
    """Return a job's place in the list: its creation in microseconds, and its id where two are equal."""
    return f"{(job.created_at - EPOCH) // timedelta(microseconds=1)}-{job.job_id}"


def position(cursor: str | None) -> tuple[datetime, str] | None:
    """Return the place that a cursor names; None for the beginning."""
    if not cursor:
        return None
    micros, job_id = cursor.split("-")
    return EPOCH + timedelta(microseconds=int(micros)), job_id


def job_pages(uid: str, deps: Deps) -> Iterator[Found[StoredJob]]:
    """Yield all jobs of a user, newest first; the last page may have none that can be read. A read each, and one."""
    before = None
    while page := deps.store.list_jobs(uid, before, PAGE):
        before = page[-1].job.created_at, page[-1].job.job_id
        yield page
    yield page


def cancelled(stored: StoredJob, deps: Deps) -> StoredJob:
    """Cancel a queued job. Returns it as it is then: a submitter may have been faster."""
    job, runtime = stored.job, deps.runtime()
    try:
        return deps.store.settle_job(job.job_id, job.uid, cancelling(job.uid, runtime, deps.clock())) or stored
    except JobNotCancellable:
        return stored


def cancelled_bulk(bulk: Bulk, deps: Deps) -> Bulk | None:
    """Cancel a bulk job: what was not taken on is refunded, the rest is `run_bulk`'s. Returns it as it is then, None
    if it is gone."""
    now = deps.clock()
    return deps.store.change_bulk(bulk, lambda wallet, found: given_back(wallet, found, BulkState.CANCELLING, now))
