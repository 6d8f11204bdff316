"""Standings: points of the week, the month and ever, moved by each entry."""

from datetime import UTC, datetime, timedelta

import pytest

from functions.core.wallet.ledger import Reason
from functions.core.wallet.standing import Board, Standing, joined, period_of, scored
from tests.builders import account

SUNDAY = datetime(2026, 11, 29, 23, 59, 59, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def points(standing: Standing) -> tuple[int, int, int]:
    """Return the points of the week, the month and ever."""
    return standing.week.points, standing.month.points, standing.ever.points


@pytest.mark.parametrize(
    ("board", "at", "period"),
    [
        (Board.WEEK, SUNDAY, "2026-11-23"),
        (Board.WEEK, SUNDAY + SECOND, "2026-11-30"),
        (Board.WEEK, datetime(2027, 1, 1, tzinfo=UTC), "2026-12-28"),
        (Board.MONTH, SUNDAY + SECOND, "2026-11"),
        (Board.MONTH, SUNDAY + 2 * timedelta(days=1), "2026-12"),
        (Board.EVER, SUNDAY, "ever"),
        (Board.WEEK, datetime.fromisoformat("2026-11-30T01:00:00+05:30"), "2026-11-23"),
    ],
)
def test_periods_begin_at_midnight_utc(board: Board, at: datetime, period: str) -> None:
    """Weeks on Monday."""
    assert period_of(board, at) == period


def test_points_begin_anew_with_their_period() -> None:
    """Ever goes on, also from before the user joined."""
    standing = scored(joined("Ana", 100, SUNDAY), 10, SUNDAY)
    assert points(standing) == (10, 10, 110)
    assert points(scored(standing, 5, SUNDAY + SECOND)) == (5, 15, 115)
    assert points(scored(standing, 5, SUNDAY + timedelta(days=2))) == (5, 5, 115)
    assert points(scored(standing, -30, SUNDAY)) == (-20, -20, 80)


def test_a_clock_that_goes_back_begins_no_period() -> None:
    """Points of a call that began on Sunday, and was written after one of Monday, count on Monday."""
    monday = scored(joined("Ana", 0, SUNDAY), 10, SUNDAY + SECOND)
    late = scored(monday, 5, SUNDAY)
    assert (late.week.period, points(late)) == ("2026-11-30", (15, 15, 15))


def test_an_entry_moves_the_standing_in_its_write() -> None:
    """Whoever takes no part has none, and an entry without points leaves it alone."""
    there = account().with_fields(standing=joined("Ana", 0, SUNDAY))
    assert there.post(1, Reason.MANUAL, "one", SUNDAY, points=10).wallet.standing == scored(
        joined("Ana", 0, SUNDAY), 10, SUNDAY
    )
    assert there.post(1, Reason.GRANT, "one", SUNDAY + SECOND).wallet.standing == there.wallet.standing
    assert account().post(1, Reason.MANUAL, "one", SUNDAY, points=10).wallet.standing is None
