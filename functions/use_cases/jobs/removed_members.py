"""Cancelling what members had queued when they were removed from a team, and their bulk jobs; the refunds go to the
team. The call that removes somebody begins with it, and `recover_jobs` finishes what that did not come to. What a bulk
job has queued is `run_bulk`'s as well, a hundred at a time: whoever comes first cancels it."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from functions.adapters.firestore import DamagedDocumentError
from functions.adapters.transient_errors import will_pass
from functions.core.jobs.jobs import Status
from functions.core.teams.teams import without_user
from functions.use_cases.jobs.pages import PAGE, cancelled, cancelled_bulk
from functions.use_cases.shared.set_aside import LOOK_AGAIN, Items, postpone_damaged, report_damaged

if TYPE_CHECKING:
    from datetime import datetime

    from functions.core.teams.removals import Removal
    from functions.wiring import Deps

REMOVALS_PER_RUN = 50

NEXT_RUN = timedelta(minutes=5)
"""Less than the time between two runs of `recover_jobs`."""


def finish_removals(until: datetime, deps: Deps) -> dict[str, int]:
    """Cancel what is left of all removals, as far as there is time. Returns counts: photos `cancelled`, removals
    `unfinished`."""
    counts, items = {"cancelled": 0, "unfinished": 0}, Items(deps.clock)
    due = deps.store.due_removals(deps.clock(), REMOVALS_PER_RUN)
    postpone_damaged(deps, due.damaged, "nextAt")
    for removal in due:
        if deps.clock() > until:
            break
        try:
            if removal.leaves:
                deps.store.leave_team(removal, partial(without_user, uid=removal.uid, now=deps.clock()))
            counts["cancelled"] += cancel_queued(removal, until, deps)
            items.succeeded()
        except DamagedDocumentError as error:
            counts["unfinished"] += 1
            deps.store.put_off_removal(removal, deps.clock() + LOOK_AGAIN)
            report_damaged(deps, [error.damaged])
        except Exception as error:  # noqa: BLE001  (whatever it is, the next team gets its tokens back)
            counts["unfinished"] += 1
            deps.store.put_off_removal(removal, deps.clock() + (NEXT_RUN if will_pass(error) else LOOK_AGAIN))
            items.failed(error, team=removal.team_id)
    return counts


def cancel_queued(removal: Removal, until: datetime, deps: Deps) -> int:
    """Cancel a removed member's bulk jobs and queued photos, as far as there is time, and forget the removal after the
    last one. Returns how many photos were cancelled here."""
    count, goes_on = 0, _bulks_cancelled(removal, until, deps)
    while goes_on and deps.clock() <= until:
        page = deps.store.queued_of_member(removal.team_id, removal.uid, removal.at, PAGE)
        report_damaged(deps, page.damaged)
        after = [cancelled(each, deps) for each in page]
        count += sum(each.job.status is Status.CANCELLED for each in after)
        if len(page) + len(page.damaged) < PAGE:
            deps.store.end_removal(removal)
            break
    return count


def _bulks_cancelled(removal: Removal, until: datetime, deps: Deps) -> bool:
    """Cancel what a removed member has in bulk. False if there was no time for all."""
    while deps.clock() <= until:
        page = deps.store.unfinished_of_member(removal.team_id, removal.uid, removal.at, PAGE)
        report_damaged(deps, page.damaged)
        for stored in page:
            cancelled_bulk(stored.bulk, deps)
        if len(page) + len(page.damaged) < PAGE:
            return True
    return False
