"""The operator's table of costs."""

from functions.core.costs import COLUMNS, cost_rows
from functions.core.guard import DayBook


def test_a_row_for_each_day_lane_and_model() -> None:
    """In order of days, lanes and models; a day without costs has no row."""
    books = {
        "2026-11-02": DayBook(spent=9, costs={"instant": {"b": 2, "a": 3}, "batch": {"a": 4}}),
        "2026-11-01": DayBook(spent=1, costs={"batch": {"a": 1}}),
        "2026-11-03": DayBook(),
    }
    rows = [tuple(row[column] for column in COLUMNS) for row in cost_rows(books)]
    assert rows == [
        ("2026-11-01", "batch", "a", 1),
        ("2026-11-02", "batch", "a", 4),
        ("2026-11-02", "instant", "a", 3),
        ("2026-11-02", "instant", "b", 2),
    ]
