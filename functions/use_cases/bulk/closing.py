"""The end of a bulk job: queued jobs of one that is cancelled, the count of what has come of the others, the report."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from functions.core.bulk.bulks import Bulk, BulkState, request_of
from functions.core.bulk.changes import Change, all_ended, counted, emptied, ended
from functions.core.bulk.report import NOT_TAKEN, UNKNOWN, header, lines
from functions.core.jobs.idempotency import job_id_for
from functions.core.wallet.profile import PushSummary
from functions.use_cases.shared.pushes import push

if TYPE_CHECKING:
    from collections import Counter

    from functions.core.jobs.jobs import Job
    from functions.wiring import Deps

PUSH_TIME = timedelta(minutes=1)

REPORT_PAGE = 100
"""Jobs that are read at once for a report."""


def cancel_queued(bulk: Bulk, deps: Deps, counts: Counter[str]) -> Bulk | None:
    """Cancel and refund a page of a bulk job's queued jobs. None if there are none, or the bulk job is gone."""
    now = deps.clock()
    changed = deps.store.empty_bulk(bulk, lambda wallet, found, jobs: emptied(wallet, found, jobs, now))
    if changed is None or changed.moves == bulk.moves:
        return None
    counts["cancelled"] += 1
    return changed


def look_at(bulk: Bulk, deps: Deps, counts: Counter[str]) -> None:
    """Count what has come of a bulk job's jobs; write the report and end it if none is open. Its user gets a push,
    unless it was cancelled."""
    of_jobs, now = deps.store.count_bulk(bulk), deps.clock()
    if not all_ended(counted(bulk, of_jobs, now), now):
        deps.store.change_bulk(bulk, lambda _, found: Change(counted(found, of_jobs, now)))
        return
    deps.files.put_report(bulk.uid, bulk.bulk_id, _report(bulk, deps))
    after = deps.store.change_bulk(
        bulk, lambda _, found: Change(found if found.ended else ended(counted(found, of_jobs, now), now))
    )
    counts["ended"] += 1
    if after is not None and after.state == BulkState.DONE:
        news = PushSummary(bulk.uid, done=after.done, failed=after.failed, bulk_id=bulk.bulk_id)
        push([news], deps.clock() + PUSH_TIME, deps)


def _report(bulk: Bulk, deps: Deps) -> str:
    paths, parts = deps.files.read_list(bulk.uid, bulk.bulk_id, bulk.listed), [header()]
    for start in range(0, len(paths), REPORT_PAGE):
        some = paths[start : start + REPORT_PAGE]
        ids = {path: job_id_for(bulk.uid, request_of(bulk.bulk_id, path)) for path in some}
        taken = some[: max(bulk.taken - start, 0)]
        jobs = deps.store.jobs_of_ids([ids[path] for path in taken])
        found: dict[str, Job | str] = {path: jobs.get(ids[path], UNKNOWN) for path in taken}
        parts.append(lines((path, found.get(path, NOT_TAKEN)) for path in some))
    return "".join(parts)
