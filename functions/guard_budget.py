"""`guard_budget`: what has been spent, held against what may be; and everybody told who has to know.

    for each day in flight, today last: add up what its calls and batches hold and have cost ► review the day in one
    transaction (repair its shards, set their limits, the mode)  ► who has cost most that day, now and then
    ► look at everything else that waits or fails silently
    ► deliver the alerts that are due

The holds alone keep the bill within its limit, with or without this function. It opens the day, moves what is left
between the shards, follows a changed limit, mends what somebody has broken by hand, and sets the mode that saves calls
from finding out one by one that there is nothing left. It may die anywhere and run twice at once: a day is reviewed in
one transaction, a repair is made only if nobody else has reviewed the day since it was measured, and an alert is
created once and delivered by whoever takes its lease.
"""

from __future__ import annotations

import traceback
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from functions import log
from functions.core.alerts import Alert, AlertKind, alert
from functions.core.budget_state import BudgetState
from functions.core.costs import JOBS_SAMPLED_MAX, most_frequent, users_due
from functions.core.guard import Books, Drift, Review, days_to_review, excess_alerts, mode_held
from functions.core.moments import day_bounds, day_of
from functions.core.runtime import FUNCTION_TIMEOUT
from functions.steps.health import raise_alerts
from functions.steps.set_aside import report_damaged
from functions.steps.spending import reviewer

if TYPE_CHECKING:
    from datetime import datetime

    from functions.wiring import Deps

ALERTS_PER_RUN = 20
DELIVERY_LEASE = timedelta(minutes=10)
"""When an alert is tried again whose delivery failed, or died."""

RUN_TIME = FUNCTION_TIMEOUT - timedelta(seconds=120)
"""After this a run begins to deliver no further alert: one whose receiver does not answer takes a minute."""

DELIVERIES_MAX = 100
"""Then nobody is listening: about a day of tries."""


def guard_budget(deps: Deps) -> dict[str, int]:
    """Run once. Returns counts: `days` reviewed and `repaired`, alerts `raised` and
    `delivered`, and today's `limitMicros`, `reservedMicros` and `spentMicros`."""
    counts: Counter[str] = Counter(days=0, repaired=0, raised=0, delivered=0)
    today, until = day_of(deps.clock()), deps.clock() + RUN_TIME
    of_mode: dict[AlertKind, str] = {}
    for day in _days(deps):
        review = _review(day, deps, counts)
        if review is None:
            continue
        if users_due(day, review.book.users_at, deps.clock()):
            _sum_users(day, deps)
        if day != today:
            continue
        of_mode = mode_held(review)
        for raised in excess_alerts(review, deps.clock()):
            counts["raised"] += deps.store.create_alert(raised)
        book = review.book
        counts.update(limitMicros=book.limit, reservedMicros=book.reserved, spentMicros=book.spent)
        log.info(log.Event.BUDGET_REVIEWED, day=day, mode=review.state.mode, costs=book.costs)
    counts["raised"] += raise_alerts(deps, of_mode)
    for due, version in deps.store.due_alerts(deps.clock(), ALERTS_PER_RUN):
        if deps.clock() <= until:
            counts["delivered"] += _deliver(due, version, deps)
    return dict(counts)


def _days(deps: Deps) -> list[str]:
    """Return the days to review. Of those before the state knows any, only the ones that there are: on a new project
    none."""
    days = days_to_review(deps.budget(), deps.clock())
    if deps.budget() != BudgetState():
        return days
    opened = deps.store.day_books(days[0], days[-1])
    return [day for day in days if day in opened or day == days[-1]]


def _review(day: str, deps: Deps, counts: Counter[str]) -> Review | None:
    """Review a day, with its repair if its shards are not what its calls say. None for a past day that never was."""
    drift, reviews = deps.store.budget_drift(day)
    review_books = reviewer(deps)
    found: list[tuple[Drift, Books]] = []

    def decide(document: dict[str, Any] | None, books: Books) -> Review | None:
        found.clear()  # this runs again when the transaction does
        if not books.shards and day < day_of(deps.clock()):
            return None
        ours = drift if books.book.reviews == reviews else None
        found.append((ours or Drift(), books))
        return review_books(document, books, ours)

    review = deps.store.review_day(day, decide)
    counts["days"] += review is not None
    if review is None:
        return None
    made, books = found[0]
    counts["damaged"] += report_damaged(deps, books.damaged, "It was written anew from what calls hold and have cost.")
    if made != Drift():
        counts["repaired"] += 1
        text = f"The shards of {day} were off by {made.reserved} reserved and {made.spent} spent micro-dollars."
        counts["raised"] += deps.store.create_alert(alert(AlertKind.DRIFT, text, deps.clock()))
    return review


def _sum_users(day: str, deps: Deps) -> None:
    """Write into a day's book whose photos have cost most: candidates from a sample, their costs exactly."""
    since, until = day_bounds(day)
    likely = most_frequent(deps.store.sampled_users(day, JOBS_SAMPLED_MAX))
    costs = {uid: deps.store.user_micros(uid, since, until) for uid in likely}
    deps.store.write_user_costs(day, {uid: micros for uid, micros in costs.items() if micros}, deps.clock())


def _deliver(due: Alert, version: datetime, deps: Deps) -> bool:
    """Deliver an alert by every way there is: log, webhook, push. False if it has to be tried again."""
    again = deps.clock() + DELIVERY_LEASE if due.attempts + 1 < DELIVERIES_MAX else None
    taken = deps.store.update_alert(due, version, {"dueAt": again, "attempts": due.attempts + 1})
    if taken is None:
        return False  # another guard delivers it
    if due.attempts == 0 and due.over_at is None:
        log.alert(log.Event.OPERATOR_ALERT, kind=due.kind, day=due.day, text=due.told)
    elif due.attempts == 0:
        log.info(log.Event.OPERATOR_ALERT_OVER, kind=due.kind, day=due.day, text=due.told)
    try:
        deps.alerting.send(due)
        _push(due, deps)
    except Exception:  # noqa: BLE001  (whatever it is, it is tried again, and the next alert gets its turn)
        log.error(log.Event.ALERT_UNDELIVERED, kind=due.kind, day=due.day, stack_trace=traceback.format_exc())
        return False
    deps.store.update_alert(due, taken, {"dueAt": None})
    return True


def _push(due: Alert, deps: Deps) -> None:
    tokens = [token for uid in deps.runtime().budget.alert_uids for token in deps.store.push_tokens_of(uid)]
    if tokens:
        deps.messaging.alert(tokens, str(due.kind), due.day, due.told)
