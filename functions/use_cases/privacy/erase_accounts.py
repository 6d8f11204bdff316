"""`erase_accounts`: removes what is left of the users who have deleted their accounts.

Each step finds by itself what there is, so a run that dies costs nothing but its time. An account is looked at until
nothing is left and nothing more can come; see `core.privacy.deletion`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from functions import log
from functions.adapters.firestore import DamagedDocumentError
from functions.core.jobs.jobs import FINAL, Status
from functions.core.privacy.deletion import LATE, Deletion, ends, erased, tried, with_days
from functions.core.shared.alerts import AlertKind, alert
from functions.core.shared.time_limits import RUN_TIME
from functions.use_cases.jobs.pages import PAGE, cancelled, cancelled_bulk, job_pages
from functions.use_cases.shared.set_aside import Items, postpone_damaged, report_damaged

if TYPE_CHECKING:
    from functions.wiring import Deps

ACCOUNTS_PER_RUN = 50
PHOTOS_PER_RUN = 500
"""Of one account: a minute's work. The next run goes on."""


def erase_accounts(deps: Deps) -> dict[str, int]:
    """Run once. Returns counts: accounts `erased`, `waiting` to be looked at again, and `failed`; documents that are
    `damaged`."""
    counts: Counter[str] = Counter(erased=0, waiting=0, failed=0, damaged=0)
    until, items = deps.clock() + RUN_TIME, Items(deps.clock)
    due = deps.store.due_deletions(deps.clock(), ACCOUNTS_PER_RUN)
    counts["damaged"] += postpone_damaged(deps, due.damaged, "nextAt")
    for uid, deletion in due:
        if deps.clock() > until:
            break
        try:
            outcome = _look_at(uid, deletion, deps)
            items.succeeded()
        except Exception as error:  # noqa: BLE001  (whatever it is, the next user is erased)
            outcome = "failed"
            _look_again(uid, deletion, deps, failed=True)
            items.failed(error, requested=deletion.requested_at.isoformat())
        counts[outcome] += 1
    return dict(counts)


def _look_at(uid: str, deletion: Deletion, deps: Deps) -> str:
    over = deps.clock() >= ends(deletion)  # by the time before the look: what comes during it can be missed
    deps.delete_sign_in(uid)
    bulks = _remove_bulks(uid, deps)  # first: no run takes photos of one that is gone on
    photos = deps.files.delete_uploads(uid, PHOTOS_PER_RUN) + deps.files.delete_bulk_files(uid)
    checks = deps.store.delete_checks(uid, PAGE)
    jobs, deletion = _empty_jobs(uid, deletion, deps)
    if bulks or photos or checks or jobs or not over:
        _look_again(uid, deletion, deps, failed=False)
        return "waiting"
    _remove_words(uid, deps)
    deps.store.forget_costs(uid, deletion.days)
    deps.store.end_deletion(uid)
    log.info(log.Event.ACCOUNT_ERASED)
    return "erased"


def _remove_bulks(uid: str, deps: Deps) -> int:
    """Remove a page of a user's bulk jobs, after what a team has paid for their photos in vain has gone back to it.
    Returns how many there were. If a team's wallet is damaged they stay until it is repaired, and only they."""
    while taking := deps.store.bulks_taking(uid, PAGE):
        try:
            for stored in taking:
                cancelled_bulk(stored.bulk, deps)
        except DamagedDocumentError as error:
            report_damaged(deps, [error.damaged])
            return len(taking)
    return deps.store.delete_bulks(uid, PAGE)


def _look_again(uid: str, deletion: Deletion, deps: Deps, *, failed: bool) -> None:
    now = deps.clock()
    again = tried(deletion, now, failed=failed)
    deps.store.change_deletion(uid, {"nextAt": again.next_at, "failures": again.failures})
    if now - deletion.requested_at > LATE:
        text = (
            f"The account deleted on {deletion.requested_at:%Y-%m-%d} at {deletion.requested_at:%H:%M} is not erased."
        )
        deps.store.create_alert(alert(AlertKind.DELETION_LATE, text, now))


def _empty_jobs(uid: str, deletion: Deletion, deps: Deps) -> tuple[int, Deletion]:
    """Cancel a user's queued jobs, and take the person out of those that have ended. Returns how many there were, and
    the deletion with their days, which it has stored before: no job says any more whose it was."""
    found = 0
    for page in job_pages(uid, deps):
        found += len(page) + report_damaged(deps, page.damaged)
        now_are = [cancelled(each, deps) if each.job.status is Status.QUEUED else each for each in page]
        ended = [each for each in now_are if each.job.status in FINAL]
        if (noted := with_days(deletion, [each.job for each in ended])) != deletion:
            deps.store.change_deletion(uid, {"days": noted.days})
            deletion = noted
        deps.store.update_jobs([(each.job.job_id, each.version, erased(each.job)) for each in ended])
    return found, deletion


def _remove_words(uid: str, deps: Deps) -> None:
    before: int | None = None
    while entries := deps.store.list_entries(uid, before, PAGE):
        deps.store.remove_words(uid, [each for each in entries if each.detail is not None])
        before = entries[-1].seq
