"""`run_bulk`: bulk jobs worked off in turn, a step each.

    lease ► taking: a page of photos read ► jobs, in one transaction with the bulk job     while there is room
          ► cancelling: a page of queued jobs cancelled and refunded, in one transaction   until there are none
          ► else: what has come of the jobs counted ► with the last one the report to Storage ► ended

A run that dies leaves a lease, after which another goes on where the bulk job says.
"""

from __future__ import annotations

from collections import Counter, deque
from datetime import timedelta
from typing import TYPE_CHECKING

from functions.core.bulk.bulks import LEASE, Bulk, BulkState
from functions.core.shared.time_limits import RUN_TIME
from functions.use_cases.bulk.closing import cancel_queued, look_at
from functions.use_cases.bulk.taking import Taking
from functions.use_cases.shared.set_aside import Items, postpone_damaged

if TYPE_CHECKING:
    from functions.adapters.firestore import StoredBulk
    from functions.wiring import Deps

BULKS_PER_RUN = 20


def run_bulk(deps: Deps) -> dict[str, int]:
    """Run once. Returns counts: bulk jobs `looked` at, those that `ended` or `failed`, and those whose documents are
    `damaged`; photos `taken` on; `cancelled` pages of jobs. Raises RuntimeError if everything failed."""
    counts: Counter[str] = Counter(looked=0, taken=0, cancelled=0, ended=0, failed=0, damaged=0)
    until, items, taking = deps.clock() + RUN_TIME, Items(deps.clock), Taking(deps, counts)
    due = deps.store.due_bulks(deps.clock(), BULKS_PER_RUN)
    counts["damaged"] += postpone_damaged(deps, due.damaged, "dueAt")
    waiting = deque(bulk for stored in due if (bulk := _leased(stored, deps)) is not None)
    while waiting:
        bulk = waiting.popleft()
        try:
            again = _step(bulk, taking, deps, counts) if deps.clock() <= until else None
            if again is None and deps.clock() > until:
                taking.put_off(bulk, bulk.waiting, timedelta(0))  # the next run goes on
            items.succeeded()
        except Exception as error:  # noqa: BLE001  (whatever it is, the next bulk job gets its turn)
            counts["failed"] += 1  # it is looked at again after its lease
            items.failed(error, bulkId=bulk.bulk_id)
            continue
        if again is not None:
            waiting.append(again)
        else:
            counts["looked"] += 1
    if counts["failed"] and not counts["looked"]:
        raise RuntimeError("every bulk job that was looked at crashed")
    return dict(counts)


def _leased(stored: StoredBulk, deps: Deps) -> Bulk | None:
    """Have a bulk job for this run; None if another run was faster, or its user has just cancelled it."""
    leased = deps.store.guard_bulk(stored, {"dueAt": deps.clock() + LEASE})
    return leased.bulk if leased else None


def _step(bulk: Bulk, taking: Taking, deps: Deps, counts: Counter[str]) -> Bulk | None:
    """Do the next thing for a bulk job. Returns it if there is more to do in this run."""
    if bulk.state == BulkState.TAKING:
        return taking.take_on(bulk)
    if bulk.state == BulkState.CANCELLING and (changed := cancel_queued(bulk, deps, counts)) is not None:
        return changed
    look_at(bulk, deps, counts)
    return None
