"""`get_leaderboard`: the first hundred of a board, and the caller's own rank."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions.core.leaderboard.ranks import rank_of
from functions.core.shared.records import Request, TeamId
from functions.core.wallet.standing import Board, Ranked, period_of
from functions.core.wallet.team_wallet import require_member

if TYPE_CHECKING:
    from functions.core.leaderboard.ranks import Leaders
    from functions.core.wallet.ledger import Wallet
    from functions.core.wallet.standing import Standing
    from functions.wiring import Deps


class GetLeaderboard(Request):
    """Which board: that of users, or of `teams`, with the place of one `team` of the caller's."""

    board: Annotated[Board, Field(strict=False)] = Board.WEEK
    teams: bool = False
    team: TeamId | None = None


def get_leaderboard(request: GetLeaderboard, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the `board` and its `period` as they were at `updatedAt`: the `top`, each with `rank`, `displayName`,
    `points`, and whether it is `you`; and `you`, null for who takes no part: `displayName`, `points` and `rank` in that
    period. `exact` tells whether the rank is; else it is within 1 %. On the board of teams `you` are the team. Two
    reads. Raises TeamNotFound for a `team` that the caller is not in."""
    board, ranked = request.board, Ranked.TEAMS if request.teams or request.team else Ranked.USERS
    wallet, own = _own_wallet(request.team, uid, ranked, deps)
    leaders = deps.store.leaders(board, ranked)
    period = leaders.period or period_of(board, deps.clock())
    top = [
        {
            "rank": 1 + sum(other.points > row.points for other in leaders.top),
            "displayName": row.name or None,
            "points": row.points,
            "you": row.uid == own,
        }
        for row in leaders.top
    ]
    standing = wallet.standing if wallet else None
    return {
        "board": board.value,
        "period": period,
        "updatedAt": leaders.as_json(include={"at"})["at"],
        "top": top,
        "you": _own(own, standing, board, period, leaders) if standing else None,
    }


def _own_wallet(team_id: str | None, uid: str, ranked: Ranked, deps: Deps) -> tuple[Wallet | None, str]:
    """Return the wallet whose place is asked for, None if there is none, and the id that it has on a board."""
    if team_id:
        return require_member(deps.store.get_team(team_id), uid)[0], team_id
    return (deps.store.get_wallet(uid), uid) if ranked is Ranked.USERS else (None, "")


def _own(own: str, standing: Standing, board: Board, period: str, leaders: Leaders) -> dict[str, Any]:
    score = standing.score(board)
    points = score.points if score.period == period else 0
    rank = rank_of(own, points, leaders) if leaders.at else None
    return {
        "displayName": standing.name,
        "points": max(points, 0),
        "rank": rank.number if rank else None,
        "exact": rank.exact if rank else None,
    }
