"""Counting what the cache has come to, for operators: `stats/cacheReport`, which their page listens to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.core.budget.tally import answers
from functions.core.cache.report import CacheReport, report, with_day

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.core.budget.tally import Tally
    from functions.core.cache.report import ByAnswer
    from functions.core.cache.state import CacheState
    from functions.wiring import Deps

DAYS_COUNTED = 2
"""The latest: what comes before midnight is seen after it."""


def note_cache(tallies: Mapping[str, Tally], state: CacheState, deps: Deps) -> None:
    """Count the latest of these days, and store the report anew. Twelve reads for each, two and a write."""
    counted = {day: deps.store.count_cached(day) for day in sorted(tallies)[-DAYS_COUNTED:]}

    def change(stored: CacheReport, disputed: ByAnswer) -> CacheReport:
        days = stored.days
        for day, found in counted.items():
            days = with_day(days, day, found, answers(tallies[day]), disputed, state)
        return stored.model_copy(update={"days": days, "report": report(days, state, deps.clock()).as_json()})

    deps.store.change_cache_report(change)
