"""A user's place on the leaderboard, in the wallet: the name, and the points of this week, this month and ever.

Only who takes part has one, so only those wallets are in its indexes. Points move with their entry, in the same write.
A week begins on Monday, 00:00 UTC. Week and month count from when the user joined; ever counts all points.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from pydantic import AwareDatetime

from functions.core.shared.records import Kept
from functions.core.shared.utc_days import day_of


class Board(StrEnum):
    """Over which time points are counted."""

    WEEK = "week"
    MONTH = "month"
    EVER = "ever"


class Ranked(StrEnum):
    """Who is on a board. Each kind has standings in a field of its own, so that neither is in the other's indexes."""

    USERS = "user"
    TEAMS = "team"


class Score(Kept):
    """Points of one period: of the week that begins on this Monday, of this month, or of all time."""

    period: str
    points: int


class Standing(Kept):
    """What others see of the user, and by which they are ranked."""

    name: str
    joined_at: AwareDatetime
    week: Score
    month: Score
    ever: Score

    def score(self, board: Board) -> Score:
        """Return the score of a board."""
        scores = {Board.WEEK: self.week, Board.MONTH: self.month, Board.EVER: self.ever}
        return scores[board]


def period_of(board: Board, now: datetime) -> str:
    """Return the period of a board that is in force. Later ones compare greater."""
    if board is Board.EVER:
        return "ever"
    if board is Board.MONTH:
        return day_of(now)[:7]
    return day_of(now - timedelta(days=now.astimezone(UTC).weekday()))


def joined(name: str, points: int, now: datetime) -> Standing:
    """Return the standing of a user with these lifetime points who takes part from now on."""
    scores = {board.value: Score(period=period_of(board, now), points=0) for board in Board}
    return Standing(**{**scores, "ever": Score(period="ever", points=points)}, name=name, joined_at=now)


def scored(standing: Standing, points: int, now: datetime) -> Standing:
    """Return it with these points more; of a new period, with these alone. A clock that goes back begins none."""
    scores = {board.value: _added(standing.score(board), period_of(board, now), points) for board in Board}
    return standing.model_copy(update=scores)


def _added(score: Score, period: str, points: int) -> Score:
    before = score.points if period <= score.period else 0
    return score.model_copy(update={"period": max(period, score.period), "points": before + points})
