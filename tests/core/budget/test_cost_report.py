"""The operator's table of costs."""

from datetime import UTC, datetime

import pytest

from functions.core.budget.cost_report import (
    COLUMNS,
    USER_COLUMNS,
    USERS_MAX,
    cost_rows,
    most_frequent,
    user_rows,
    users_due,
)
from functions.core.budget.day_review import BudgetDay


def test_a_row_for_each_day_lane_and_model() -> None:
    """In order of days, lanes and models; a day without costs has no row."""
    books = {
        "2026-11-02": BudgetDay(spent=9, costs={"instant": {"b": 2, "a": 3}, "batch": {"a": 4}}),
        "2026-11-01": BudgetDay(spent=1, costs={"batch": {"a": 1}}),
        "2026-11-03": BudgetDay(),
    }
    rows = [tuple(row[column] for column in COLUMNS) for row in cost_rows(books)]
    assert rows == [
        ("2026-11-01", "batch", "a", 1),
        ("2026-11-02", "batch", "a", 4),
        ("2026-11-02", "instant", "a", 3),
        ("2026-11-02", "instant", "b", 2),
    ]


def test_a_row_for_each_day_and_dear_user() -> None:
    """In order of days, then dearest first; ties by name."""
    books = {
        "2026-11-02": BudgetDay(users={"bob": 5, "ann": 5, "cy": 9}),
        "2026-11-01": BudgetDay(users={"ann": 1}),
        "2026-11-03": BudgetDay(costs={"batch": {"a": 4}}),
    }
    rows = [tuple(row[column] for column in USER_COLUMNS) for row in user_rows(books)]
    assert rows == [
        ("2026-11-01", "ann", 1),
        ("2026-11-02", "cy", 9),
        ("2026-11-02", "ann", 5),
        ("2026-11-02", "bob", 5),
    ]


DAY = "2026-11-21"


@pytest.mark.parametrize(
    ("added_up", "now", "due"),
    [
        (None, "21T00:15", True),  # never yet
        ("21T12:00", "21T12:45", False),
        ("21T12:00", "21T13:00", True),  # an hour later
        ("21T23:45", "22T00:00", True),  # the day is over
        ("22T00:00", "22T05:45", False),
        ("22T00:00", "22T06:00", True),  # some of its batches may have ended
        ("21T09:00", "24T05:00", True),  # no guard ran for days
        ("24T00:00", "24T05:45", False),
    ],
)
def test_a_day_is_added_up_hourly_and_then_now_and_then(added_up: str | None, now: str, due: bool) -> None:
    """What it costs to know is bounded, and what is kept for good has its last batches in it."""
    at = None if added_up is None else datetime.fromisoformat(f"2026-11-{added_up}").replace(tzinfo=UTC)
    assert users_due(DAY, at, datetime.fromisoformat(f"2026-11-{now}").replace(tzinfo=UTC)) is due


def test_the_most_frequent_of_a_sample_and_no_more_than_are_kept() -> None:
    """Those with most jobs, however many have one."""
    sample = [f"user-{number}" for number in range(200)] + ["ann"] * 3 + ["bob"] * 2
    found = most_frequent(sample)
    assert found[:2] == ["ann", "bob"]
    assert len(found) == USERS_MAX
