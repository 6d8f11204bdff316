"""`admin_stats`: what operators see: budget, queue, batches, crons, the refresh, alerts, costs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from functions.core.budget.cost_report import cost_rows, user_rows
from functions.core.budget.day_review import BudgetDay
from functions.core.budget.holds import Mode
from functions.core.budget.state import overridden_until
from functions.core.operations.health import complaints, cron_rows
from functions.core.shared.alerts import NEWS, Alert
from functions.core.shared.damage import DamagedDocument
from functions.core.shared.records import Record, Request, Uid
from functions.core.shared.utc_days import day_of
from functions.use_cases.budget.spending import mode, reopens_at
from functions.use_cases.operations.health import figures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.wiring import Deps


ALERTS_SHOWN = 10

COST_DAYS = 31
"""Days whose costs are shown, today included. Older ones stay in the books."""


class AdminStats(Request):
    """Whose costs to add up, if anybody's."""

    costs_of: Uid | None = None


class _Stats(Record):
    budget: dict[str, Any]
    queue: dict[str, Any]
    batches: dict[str, Any]
    crons: dict[str, Any]
    refresh: dict[str, Any]
    dead_letters: int
    alerts: list[dict[str, Any]]
    costs: dict[str, Any]
    wrong: dict[str, str]
    damaged: list[dict[str, str]]


def admin_stats(request: AdminStats, _uid: str, deps: Deps) -> dict[str, Any]:
    """Return, as JSON with times as ISO 8601 text in UTC, at about 60 reads, half of them for the days of `costs`:

    - `wrong`: what is not as it should be at this moment, by the kind of alert that the next guard makes of it
    - `budget`: `mode` in force and `because`; `reopensAt`, if it is not normal; in micro-dollars `monthUsed`, what this
      month's days have spent or hold, `month`, what that can come to with all of today's limit, and its `monthLimit`;
      the operator's `override` with `until`
    - `queue`: the batch queue as the last submitter measured it; how many `waiting` there are now, up to 10,000, and
      since when the oldest (`oldestAt`)
    - `batches`: how many are `open`, by state; ids of those that nobody has looked at for an hour too long (`overdue`)
    - `crons`: of each scheduled function its last runs and `state`: `ok`, `late`, `failing` or `never`
    - `alerts`: the newest ten, each `since` when, `overAt` when it was over, `open` as long as it holds; `delivered`
      tells whether somebody has got it
    - `refresh`: `workers`, the figures of each one's last run by its name (`2-of-3`), see `refresh_credits`
    - `deadLetters`: how many there are, up to 10,000
    - `costs`: `rows` of the last 31 days by day, lane and model, in micro-dollars, as of the guard's last look;
      `users`, the same by day and user for those who cost most, at most an hour old; `today` with `limit`, `reserved`,
      `spent` and `excess`; the `mode` in force; and for `costsOf` its `user`
    - `damaged`: documents that were met and cannot be read in full, as `{path, field, problem}`, and what is wrong with
      the config; whatever else there is to see is shown
    """
    stored, now = deps.store.operator_stats(), deps.clock()
    found = figures(deps, stored)
    alerts = deps.store.recent_alerts(ALERTS_SHOWN)
    costs, damaged_books = _costs(request.costs_of, deps)
    damaged = [*found.damaged, *alerts.damaged, *damaged_books]
    damaged += [DamagedDocument("the config", *problem.partition(": ")[::2]) for problem in found.config_problems]
    measured = stored.queue.model_dump(by_alias=True, exclude_unset=True)
    stats = _Stats(
        budget=_budget(costs["today"], deps),
        queue={**measured, "waiting": found.queued, "oldestAt": found.oldest_asked_at},
        batches={"open": found.batches, "overdue": found.overdue_batches},
        crons=cron_rows(found.crons, now),
        refresh={"workers": dict(stored.workers)},
        dead_letters=found.dead_letters,
        alerts=[_shown(each) for each in alerts if each.kind not in NEWS],
        costs=costs,
        wrong=complaints(found, mode(deps), now),
        damaged=[{"path": each.path, "field": each.field, "problem": each.problem} for each in damaged],
    )
    return stats.as_json()


def _budget(today: Mapping[str, int], deps: Deps) -> dict[str, Any]:
    now, rules, state = deps.clock(), deps.runtime().budget, deps.budget()
    in_force = mode(deps)
    overridden = overridden_until(rules, now) is not None
    if overridden:
        because = "an operator's override"
    elif state.closed_by_doubt(rules, now):
        because = f"{state.absurd} answers today reported an implausible cost"
    elif state.day != day_of(now):
        because = "no guard has looked at this day yet"
    else:
        because = {
            Mode.NORMAL: f"less than {rules.batch_only_percent} % of today's limit is used",
            Mode.BATCH_ONLY: f"{rules.batch_only_percent} % of today's limit is used",
            Mode.CLOSED: "today's limit has no room for another photo",
        }[in_force]
    month = state.month_of(day_of(now))
    used = today["reserved"] + today["spent"] + today["excess"]
    return {
        "mode": in_force,
        "because": because,
        "reopensAt": None if in_force is Mode.NORMAL else reopens_at(deps),
        "monthUsed": sum(month.values()) - month.get(day_of(now), 0) + used,
        "month": sum(month.values()) - month.get(day_of(now), 0) + max(month.get(day_of(now), 0), used),
        "monthLimit": rules.monthly_limit_micros,
        "override": {"mode": rules.override_mode, "until": rules.override_until} if overridden else None,
    }


def _shown(alert: Alert) -> dict[str, Any]:
    told = {"kind", "day", "text", "created_at", "attempts", "open", "over_at"}
    shown = alert.model_copy(update={"since": alert.since or alert.created_at})
    return {
        **shown.as_json(include={*told, "since"}),
        "delivered": alert.delivered,
    }


def _costs(uid: str | None, deps: Deps) -> tuple[dict[str, Any], Sequence[DamagedDocument]]:
    today = deps.clock().date()
    since = today - timedelta(days=COST_DAYS - 1)
    books = deps.store.budget_days(since.isoformat(), today.isoformat())
    midnight = datetime.combine(since, time(), UTC)
    shown = {
        "mode": mode(deps),
        "today": books.get(today.isoformat(), BudgetDay()).model_dump(include={"limit", "reserved", "spent", "excess"}),
        "rows": cost_rows(books),
        "users": user_rows(books),
        "user": {"uid": uid, "micros": deps.store.user_micros(uid, midnight, deps.clock())} if uid else None,
    }
    return shown, books.damaged
