"""A row for each day: sums of its slots, its rows, and whose return can be told."""

from functions.core.insights.day_rows import DayRow, complete, day_rows
from functions.core.insights.usage_day import PlanRows, UsageDay
from tests.core.insights.days import usage_day


def test_a_row_is_the_sum_of_its_day() -> None:
    """Photos by lane, cost, tokens by reason, users by age; and how many there were who could come back."""
    new = {"0": 4, "all": 9}
    days = {
        "2026-11-01": usage_day("2026-11-01", visits={"0": 3, "all": 3}),
        "2026-11-02": usage_day(
            instant=2, batch=5, hours=(3, 9), visits={"0": 1, "1": 2, "7": 1}, tokens={"charge": -30}
        ),
    }
    plans = {"plus": PlanRows(photos=3, tokens=9, users=2, again=1)}
    rows = days["2026-11-02"].rows
    assert rows is not None
    days["2026-11-02"] = days["2026-11-02"].model_copy(update={"rows": rows.model_copy(update={"plans": plans})})
    earlier = {"2026-10-26": usage_day("2026-10-26", visits=new), "2026-10-05": usage_day("2026-10-05")}
    assert day_rows(days, earlier)[1] == DayRow(
        day="2026-11-02",
        asked={"instant": 4, "batch": 10},
        micros=4 * 200 + 10 * 100,
        tokens={"charge": -30},
        visits={"0": 1, "1": 2, "7": 1},
        cohorts={"1": 3, "7": 4},
        plans=plans,
    )


def test_a_day_whose_rows_nobody_counted_says_nothing_of_users() -> None:
    """Its photos and cost are there."""
    (row,) = day_rows({"2026-11-02": usage_day(batch=1)}, {})
    assert (row.asked, row.micros) == ({"instant": 0, "batch": 1}, 100)
    assert (row.tokens, row.visits, row.cohorts, row.plans) == ({}, {}, {}, {})


def test_a_day_that_was_not_noted_to_its_end_is_left_out() -> None:
    """Half a day looks like a bad one. Days come in order, oldest first."""
    whole = usage_day()
    half = whole.model_copy(update={"slots": whole.slots[:12]})
    earlier = usage_day("2026-11-01")
    assert list(complete({"2026-11-03": UsageDay(), "2026-11-02": whole, "2026-11-01": earlier})) == [
        "2026-11-01",
        "2026-11-02",
    ]
    assert complete({"2026-11-02": half}) == {}
