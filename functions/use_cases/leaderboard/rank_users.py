"""`rank_users`: every hour the first hundred of each board, of users and of teams, and at times how many have how many
points.

It may die anywhere and run twice: each board is stored by itself, and the next run writes it anew.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

from functions.core.leaderboard.names import says_what_it_must_not
from functions.core.leaderboard.ranks import TOP, Counts, Leaders, Range, counted
from functions.core.shared.time_limits import RUN_TIME
from functions.core.wallet.standing import Board, Ranked, period_of
from functions.use_cases.shared.set_aside import Items

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.wiring import Deps

COUNTED_EVERY = {Board.WEEK: timedelta(hours=1), Board.MONTH: timedelta(hours=6), Board.EVER: timedelta(days=1)}
"""How old the counts may be: what changes faster is counted more often."""

_EARLY = timedelta(minutes=10)
"""A run that comes a little early counts too, or its board would wait for the one after it."""


def rank_users(deps: Deps) -> dict[str, int]:
    """Run once. Returns counts: users and teams `listed` on the boards, boards `counted` and that `failed`, and
    `queries`. A read for each who is listed; to count, a read for every thousand and one for each of up to some 600
    steps."""
    counts: Counter[str] = Counter(listed=0, counted=0, failed=0, queries=0)
    now, items, words = deps.clock(), Items(deps.clock), deps.runtime().leaderboard.words
    for ranked, board in product(Ranked, Board):
        try:
            period = period_of(board, now)
            shown = partial(_may_be_shown, words=words)
            leaders = deps.store.write_top(board, ranked, period, shown, now)
            counts["listed"] += len(leaders.top)
            if len(leaders.top) == TOP and _is_due(board, leaders, now):
                counts["queries"] += _count(board, ranked, leaders, now, deps)
                counts["counted"] += 1
            items.succeeded()
        except Exception as error:  # noqa: BLE001  (whatever it is, the next board is written)
            counts["failed"] += 1
            items.failed(error, board=f"{ranked}, {board}")
    if counts["failed"] == len(Ranked) * len(Board):
        raise RuntimeError("no board could be written")
    return dict(counts)


def _may_be_shown(name: str, words: Sequence[str]) -> bool:
    return not says_what_it_must_not(name, words)


def _is_due(board: Board, leaders: Leaders, now: datetime) -> bool:
    counts = leaders.counts
    return counts is None or counts.period != leaders.period or now - counts.at >= COUNTED_EVERY[board] - _EARLY


def _count(board: Board, ranked: Ranked, leaders: Leaders, now: datetime, deps: Deps) -> int:
    """Count who is on a board by the steps of its last counts, divide those that are too wide now, and store all.
    Returns the number of queries. Out of time it stores what it has: steps that are wider."""
    before, queries = leaders.counts, 0

    def count(points: Range) -> int:
        nonlocal queries
        queries += 1
        return deps.store.count_ranked(board, ranked, leaders.period, points)

    known = before.floors if before and before.period == leaders.period else ()
    floors, reaching = counted(
        sorted({*known, leaders.top[-1].points, 1}, reverse=True), count, lambda: deps.clock() <= now + RUN_TIME
    )
    deps.store.write_counts(board, ranked, Counts(period=leaders.period, at=now, floors=floors, reaching=reaching))
    return queries
