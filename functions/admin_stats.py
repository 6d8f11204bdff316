"""`admin_stats`: what operators see of the crons: the queue, the refresh and its breaker, and what was given up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.breaker import Admission, Breaker
from functions.core.records import Record, Request

if TYPE_CHECKING:
    from functions.wiring import Deps


LETTERS_COUNTED_MAX = 1_000
"""One read counts as many; more say no more than that something is badly wrong."""


class AdminStats(Request):
    """No parameters."""


class _Refresh(Record):
    breaker: Admission
    workers: dict[str, Any]


class _Stats(Record):
    queue: dict[str, Any]
    refresh: _Refresh
    dead_letters: int


def admin_stats(_request: AdminStats, _uid: str, deps: Deps) -> dict[str, Any]:
    """Return, as JSON with times as ISO 8601 text in UTC:

    - `queue`: the batch queue as the last submitter measured it
    - `refresh`: `workers`, the figures of each one's last run by its name (`2-of-3`), see `refresh_credits`; `breaker`,
      what the next run may do (`free`, `probe` or `shut`)
    - `deadLetters`: how many there are, up to 1,000
    """
    stored = deps.store.operator_stats()
    breaker = Breaker.model_validate(stored["refreshBreaker"])
    stats = _Stats(
        queue=stored["queue"],
        refresh=_Refresh(breaker=breaker.admits(deps.clock()), workers=stored["refresh"].get("workers", {})),
        dead_letters=deps.store.count_dead_letters(LETTERS_COUNTED_MAX),
    )
    return stats.model_dump(by_alias=True, mode="json")
