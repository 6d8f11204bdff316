"""Which days the guard reviews: today always, the last three while something may change, and none for nothing."""

from datetime import UTC, datetime, timedelta

from functions.core.budget.day_review import BudgetDay
from functions.core.budget.days_due import REVIEWED_DAYS_MAX, days_due, days_in_flight
from functions.core.budget.state import BudgetState
from tests.builders import NOW

DAY, YESTERDAY = "2026-11-21", "2026-11-20"
STATE = BudgetState(day=DAY)


def test_days_in_flight_and_those_a_guard_has_missed_are_reviewed() -> None:
    """Three days back, or since the last review; a month at the most; a state from the future changes nothing."""
    assert days_in_flight(STATE, NOW) == ["2026-11-18", "2026-11-19", YESTERDAY, DAY]
    assert days_in_flight(BudgetState(day="2026-11-15"), NOW)[0] == "2026-11-15"
    assert len(days_in_flight(BudgetState(), NOW)) == REVIEWED_DAYS_MAX + 1
    assert days_in_flight(BudgetState(day="2026-11-22"), NOW)[-1] == DAY


def test_a_new_project_reviews_the_days_that_exist() -> None:
    """Before the state knows any there may be none but today."""
    assert days_due(BudgetState(), {}, NOW) == [DAY]
    assert days_due(BudgetState(), {"2026-11-02": BudgetDay()}, NOW) == ["2026-11-02", DAY]


def test_a_settled_day_is_reviewed_by_the_first_run_of_an_hour() -> None:
    """One that still holds something, or whose book is lost, with each run; today always."""
    hour = datetime(2026, 11, 21, 12, tzinfo=UTC)
    for at, due in ((hour - timedelta(seconds=1), True), (hour, False), (hour + timedelta(minutes=30), False)):
        books = {YESTERDAY: BudgetDay(reviewed_at=at, spent=9), DAY: BudgetDay(reviewed_at=at)}
        found = days_due(STATE, books, hour + timedelta(minutes=45))
        assert found == ["2026-11-18", "2026-11-19", *([YESTERDAY] if due else []), DAY]
        held = {YESTERDAY: BudgetDay(reviewed_at=at, reserved=1)}
        assert days_due(STATE, held, hour + timedelta(minutes=45))[-2:] == [YESTERDAY, DAY]
    assert YESTERDAY in days_due(STATE, {YESTERDAY: BudgetDay()}, NOW)
