"""`guard_budget`: what has been spent, held against what may be; and everybody told who has to know.

    deliver the alerts that are due
    ► for each day that is due, today last: add up what its calls and batches hold and have cost ► review the day in one
    ► fold what was seen of the cache into what is believed of it; choose the hits that are asked again
    ► store what has come of a trial whose photos have ended; apply a recommendation that may apply itself
    ► look at everything else that waits or fails silently
    ► deliver the alerts that are new

Alerts come first and each check fails alone: what one of them stumbles over keeps nobody from hearing of the others.

The holds alone keep the bill within its limit, with or without this function. It opens the day, moves what is left
between the shards, follows a changed limit, mends what somebody has broken by hand, and sets the mode that saves calls
from finding out one by one that there is nothing left. It may die anywhere and run twice at once: a day is reviewed in
one transaction, a repair is made only if nobody else has reviewed the day since it was measured, and an alert is
created once and delivered by whoever takes its lease.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from functions import log
from functions.adapters.transient_errors import will_pass
from functions.core.budget.cost_report import JOBS_SAMPLED_MAX, most_frequent, users_due
from functions.core.budget.day_review import Books, Review, excess_alerts, mode_held
from functions.core.budget.days_due import days_due, days_in_flight
from functions.core.budget.shards import Drift
from functions.core.shared.alerts import AlertKind, alert
from functions.core.shared.time_limits import RUN_TIME
from functions.core.shared.utc_days import day_bounds, day_of
from functions.use_cases.budget.days import open_day, reviewer
from functions.use_cases.cache.counts import note_cache
from functions.use_cases.cache.labels import fold_labels
from functions.use_cases.insights.trials import end_trial
from functions.use_cases.insights.unusual import unusual_now
from functions.use_cases.insights.usage import note_usage
from functions.use_cases.operations.automatic import apply_automatically
from functions.use_cases.operations.delivery import deliver_due
from functions.use_cases.operations.health import raise_alerts
from functions.use_cases.shared.set_aside import report_damaged

if TYPE_CHECKING:
    from functions.core.budget.tally import Tally
    from functions.core.insights.unusual import Finding
    from functions.wiring import Deps

T = TypeVar("T")

OPEN_AHEAD = timedelta(minutes=30)
"""Two runs. The first call of a day would open it just as well, but with many others waiting for it."""


def guard_budget(deps: Deps) -> dict[str, int]:
    """Run once. Returns counts: `days` reviewed and `repaired`, documents that are `damaged`, alerts `raised` and
    `delivered`, checks that `failed`, `labels` of the cache and hits that it `checks`, and today's `limitMicros`,
    `reservedMicros` and `spentMicros`. Raises RuntimeError if nothing succeeded."""
    run, today, until = _Run(deps), day_of(deps.clock()), deps.clock() + RUN_TIME
    counts = run.counts
    counts["delivered"] += run.alone("delivery", lambda: deliver_due(deps, until)) or 0
    of_mode: dict[AlertKind, str] | None = None
    of_hour: Mapping[AlertKind, Finding] | None = None
    tallies: dict[str, Tally] = {}
    for day in run.alone("days", lambda: _days(deps)) or [today]:
        review = run.alone(day, partial(_review, day, deps, counts))
        if review is None:
            continue
        tallies[day] = review.book.tally
        rows_due = users_due(day, review.book.users_at, deps.clock())
        usage = run.alone(f"usage of {day}", partial(note_usage, day, review.book, deps, rows_due=rows_due))
        if rows_due:
            run.alone(f"users of {day}", partial(_sum_users, day, deps))
        if day == today:
            of_mode = mode_held(review)
            of_hour = run.alone("the last hour", partial(unusual_now, usage, deps))
            run.alone("excess", partial(_report, review, deps, counts))
    if day_of(deps.clock() + OPEN_AHEAD) != today:
        run.alone("tomorrow", lambda: open_day(day_of(deps.clock() + OPEN_AHEAD), deps))
    if folded := run.alone("cache", lambda: fold_labels(deps)):
        counts.update(labels=folded.labels, checks=folded.checks)
        run.alone("cache report", lambda: note_cache(tallies, folded.after, deps))
    run.alone("trial", lambda: end_trial(deps))
    run.alone("savings", lambda: apply_automatically(deps))
    counts["raised"] += run.alone("health", lambda: raise_alerts(deps, of_mode, of_hour)) or 0
    counts["delivered"] += run.alone("delivery of what is new", lambda: deliver_due(deps, until)) or 0
    if not run.succeeded:
        raise RuntimeError("every check failed")
    return dict(counts)


class _Run:
    """One run: its counts, and its checks, each of which fails alone."""

    def __init__(self, deps: Deps) -> None:
        self._deps, self.succeeded = deps, False
        names = ("days", "repaired", "damaged", "raised", "delivered", "failed", "labels", "checks")
        self.counts: Counter[str] = Counter(dict.fromkeys(names, 0))

    def alone(self, check: str, do: Callable[[], T]) -> T | None:
        """Return a check's result, None if it failed. The first one asks the store: if that is down, its error ends the
        run, since every other check would wait as long."""
        try:
            result = do()
        except Exception as error:
            if not self.succeeded and will_pass(error):
                raise
            self.counts["failed"] += 1
            log.error(log.Event.GUARD_CHECK_FAILED, check=check, stack_trace=traceback.format_exc())
            return None
        self.succeeded = True
        return result


def _report(review: Review, deps: Deps, counts: Counter[str]) -> None:
    """Tell what today's review has come to."""
    book = review.book
    counts.update(limitMicros=book.limit, reservedMicros=book.reserved, spentMicros=book.spent)
    log.info(log.Event.BUDGET_REVIEWED, day=day_of(deps.clock()), mode=review.state.mode, costs=book.costs)
    counts["raised"] += sum(deps.store.create_alert(raised) for raised in excess_alerts(review, deps.clock()))


def _days(deps: Deps) -> list[str]:
    """Return the days to review. A read for each day in flight."""
    state, now = deps.budget(), deps.clock()
    days = days_in_flight(state, now)
    return days_due(state, deps.store.budget_days(days[0], days[-1]), now)


def _review(day: str, deps: Deps, counts: Counter[str]) -> Review | None:
    """Review a day, with its repair if its shards are not what its calls say. None for a past day that never was."""
    measured = deps.store.measure_day(day)
    review_books = reviewer(deps)
    found: list[tuple[Drift, Books]] = []

    def decide(document: dict[str, Any] | None, books: Books) -> Review | None:
        found.clear()  # this runs again when the transaction does
        if not books.shards and day < day_of(deps.clock()):
            return None
        ours = measured.drift if books.book.version == measured.version else None
        found.append((ours or Drift(), books))
        return review_books(document, books, ours)

    review = deps.store.review_day(day, decide, measured)
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
