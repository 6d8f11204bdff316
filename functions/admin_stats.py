"""`admin_stats`: what operators see: the queue, the refresh and its breaker, what was given up, and costs."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import StringConstraints

from functions.core.breaker import Admission, Breaker
from functions.core.costs import cost_rows
from functions.core.guard import DayBook
from functions.core.records import Record, Request
from functions.spending import mode

if TYPE_CHECKING:
    from functions.wiring import Deps


LETTERS_COUNTED_MAX = 1_000
"""One read counts as many; more say no more than that something is badly wrong."""


COST_DAYS = 31
"""Days whose costs are shown, today included. Older ones stay in the books."""


class AdminStats(Request):
    """Whose costs to add up, if anybody's."""

    costs_of: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^/]+$")] | None = None


class _Refresh(Record):
    breaker: Admission
    workers: dict[str, Any]


class _Stats(Record):
    queue: dict[str, Any]
    refresh: _Refresh
    dead_letters: int
    costs: dict[str, Any]


def admin_stats(request: AdminStats, _uid: str, deps: Deps) -> dict[str, Any]:
    """Return, as JSON with times as ISO 8601 text in UTC:

    - `queue`: the batch queue as the last submitter measured it
    - `refresh`: `workers`, the figures of each one's last run by its name (`2-of-3`), see `refresh_credits`; `breaker`,
      what the next run may do (`free`, `probe` or `shut`)
    - `deadLetters`: how many there are, up to 1,000
    - `costs`: `rows` of the last 31 days by day, lane and model, in micro-dollars, as of the guard's last look; `today`
      with `limit`, `reserved` and `spent`; the `mode` in force; and for `costsOf` its `user`
    """
    stored = deps.store.operator_stats()
    breaker = Breaker.model_validate(stored["refreshBreaker"])
    stats = _Stats(
        queue=stored["queue"],
        refresh=_Refresh(breaker=breaker.admits(deps.clock()), workers=stored["refresh"].get("workers", {})),
        dead_letters=deps.store.count_dead_letters(LETTERS_COUNTED_MAX),
        costs=_costs(request.costs_of, deps),
    )
    return stats.model_dump(by_alias=True, mode="json")


def _costs(uid: str | None, deps: Deps) -> dict[str, Any]:
    today = deps.clock().date()
    since = today - timedelta(days=COST_DAYS - 1)
    books = deps.store.day_books(since.isoformat(), today.isoformat())
    midnight = datetime.combine(since, time(), UTC)
    return {
        "mode": mode(deps),
        "today": books.get(today.isoformat(), DayBook()).model_dump(include={"limit", "reserved", "spent"}),
        "rows": cost_rows(books),
        "user": {"uid": uid, "micros": deps.store.user_micros(uid, midnight)} if uid else None,
    }
