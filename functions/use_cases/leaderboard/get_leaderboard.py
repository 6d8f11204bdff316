"""`get_leaderboard`: the first hundred of a board, and the caller's own rank."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions.core.leaderboard.ranks import rank_of
from functions.core.shared.records import Request
from functions.core.wallet.standing import Board, period_of

if TYPE_CHECKING:
    from functions.core.leaderboard.ranks import Leaders
    from functions.core.wallet.standing import Standing
    from functions.wiring import Deps


class GetLeaderboard(Request):
    """Which board."""

    board: Annotated[Board, Field(strict=False)] = Board.WEEK


def get_leaderboard(request: GetLeaderboard, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the `board` and its `period` as they were at `updatedAt`: the `top`, each with `rank`, `displayName`,
    `points`, and whether it is `you`; and `you`, null for who takes no part: `displayName`, `points` and `rank` in that
    period. `exact` tells whether the rank is; else it is within 1 %. Two reads."""
    board, wallet = request.board, deps.store.get_wallet(uid)
    leaders = deps.store.leaders(board)
    period = leaders.period or period_of(board, deps.clock())
    top = [
        {
            "rank": 1 + sum(other.points > row.points for other in leaders.top),
            "displayName": row.name or None,
            "points": row.points,
            "you": row.uid == uid,
        }
        for row in leaders.top
    ]
    standing = wallet.standing if wallet else None
    return {
        "board": board.value,
        "period": period,
        "updatedAt": leaders.as_json(include={"at"})["at"],
        "top": top,
        "you": _own(uid, standing, board, period, leaders) if standing else None,
    }


def _own(uid: str, standing: Standing, board: Board, period: str, leaders: Leaders) -> dict[str, Any]:
    score = standing.score(board)
    points = score.points if score.period == period else 0
    rank = rank_of(uid, points, leaders) if leaders.at else None
    return {
        "displayName": standing.name,
        "points": max(points, 0),
        "rank": rank.number if rank else None,
        "exact": rank.exact if rank else None,
    }
