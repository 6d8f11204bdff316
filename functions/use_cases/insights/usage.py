"""Noting a day's usage, after a review of its book."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.core.config.plans import Plan
from functions.core.insights.usage_day import VISIT_AGES, DayRows, noted
from functions.core.jobs.jobs import Status
from functions.core.shared.lanes import Lane
from functions.core.wallet.ledger import Reason

if TYPE_CHECKING:
    from functions.core.budget.day_review import BudgetDay
    from functions.core.insights.usage_day import PlanRows, UsageDay
    from functions.wiring import Deps


def note_usage(day: str, book: BudgetDay, deps: Deps, *, rows_due: bool) -> UsageDay:
    """Write into `usage/{day}` what its book shows beyond the slots before; and, when they are due, the sums of the
    day's rows. Returns the day. Three reads and a write, and with the rows some 35 reads, or one for every thousand
    rows."""
    store, now = deps.store, deps.clock()
    arrivals = {lane.value: store.count_jobs(day, "requestedMode", lane) for lane in Lane}
    rows = None
    if rows_due:
        visits = {str(age): store.count_visits(day, age) for age in VISIT_AGES}
        rows = DayRows(
            counted_at=now,
            jobs={status.value: store.count_jobs(day, "status", status) for status in Status},
            visits={"all": store.count_visits(day), **visits},
            tokens={reason.value: store.sum_tokens(day, reason) for reason in Reason},
            plans=_by_plan(day, deps) if any(arrivals.values()) else {},
        )
    return store.change_usage(day, lambda usage: noted(usage, day, book, arrivals, rows, now))


def _by_plan(day: str, deps: Deps) -> dict[str, PlanRows]:
    return {plan.value: of for plan in Plan if (of := deps.store.of_plan(day, plan)) is not None}
