"""Days gone through under a config: admission by the budget's rules, and no photo lost."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from functions.core.config.changes import proposed
from functions.core.insights.replay import Outcome, replayed
from functions.core.insights.usage_day import UsageDay
from tests.core.insights.days import usage_day

MOST = {"instant": 2_000, "batch": 1_000}
COSTS = {"instant": 500, "batch": 250}
WAIT = timedelta(minutes=90)


def outcomes(days: dict[str, UsageDay], **changes: Any) -> list[Outcome]:
    """Return what becomes of days under the defaults with these sections changed."""
    config = proposed({}, changes).config
    return list(replayed(days, config, dict.fromkeys(days, COSTS), MOST, WAIT).values())


def outcome(usage: UsageDay, **changes: Any) -> Outcome:
    """Return what becomes of one day."""
    (found,) = outcomes({"2026-11-02": usage}, **changes)
    return found


def test_every_photo_is_taken_while_there_is_room() -> None:
    """In its lane, at its cost and its price."""
    assert outcome(usage_day(instant=3, batch=4)) == Outcome(
        micros=2_500, instant=3, batch=4, moved=0, waiting=0, refunded=0, tokens=19
    )


def test_a_closed_instant_lane_moves_photos_to_the_cheaper_one() -> None:
    """Their users pay the batch lane's price."""
    found = outcome(usage_day(instant=3, batch=4), instant={"open": False})
    assert (found.instant, found.moved, found.batch) == (0, 3, 7)
    assert (found.micros, found.tokens) == (1_750, 7)


def test_the_instant_lane_closes_at_its_share_of_the_limit() -> None:
    """By what is used when a slot begins, as the guard sees it: open at 4,500 of 12,000, closed at 5,000."""
    usage = usage_day(instant=9, hours=(8, 9))
    budget = {"dailyLimitMicros": 12_000, "batchOnlyPercent": 40}
    assert outcome(usage, budget=budget).moved == 0
    later = outcome(usage_day(instant=10, hours=(8, 9)), budget=budget)
    assert (later.instant, later.moved, later.batch) == (10, 10, 10)


def test_a_call_needs_room_for_the_most_that_it_can_cost() -> None:
    """Four of 500 leave less than 2,000 of 3,999, though it would have been enough for three more."""
    found = outcome(usage_day(instant=9), budget={"dailyLimitMicros": 3_999, "batchOnlyPercent": 100})
    assert (found.instant, found.moved) == (4, 5)


def test_a_batch_photo_holds_its_upper_bound_until_it_is_collected() -> None:
    """Room for two at once; 90 minutes later they have cost less, and there is room again."""
    budget = {"dailyLimitMicros": 2_500}
    found = outcome(usage_day(batch=6, hours=(6,)), budget=budget)
    assert (found.batch, found.waiting, found.micros) == (6, 0, 1_500)
    late = outcome(usage_day(batch=6, hours=(23,)), budget=budget)
    assert (late.batch, late.waiting) == (2, 4)


def test_what_waits_is_sent_first_on_the_next_day_and_refunded_if_that_is_full_too() -> None:
    """A limit for one photo a day: of three that come late on the first, the second sends one, and gives one up."""
    days = {
        "2026-11-01": usage_day("2026-11-01", batch=3, hours=(23,)),
        "2026-11-02": usage_day(batch=1, hours=(23,)),
    }
    first, second = outcomes(days, budget={"dailyLimitMicros": 1_000})
    assert (first.batch, first.waiting, first.refunded, first.tokens) == (1, 2, 0, 3)
    assert (second.batch, second.waiting, second.refunded, second.tokens) == (1, 1, 1, 0)


def test_a_month_has_one_limit() -> None:
    """Its days use it up together, and the next month has its own."""
    days = {day: usage_day(day, batch=1) for day in ("2026-10-30", "2026-10-31", "2026-11-01")}
    found = outcomes(days, budget={"monthlyLimitMicros": 1_100})
    assert [day.micros for day in found] == [250, 0, 250]
    assert [day.waiting for day in found] == [0, 1, 1]


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.sets(st.integers(0, 23), min_size=1)), max_size=4),
    st.integers(0, 60_000),
    st.integers(1, 100),
)
def test_no_photo_is_lost_and_no_limit_passed(days: list[Any], limit: int, percent: int) -> None:
    """Whatever came: answered, waiting or refunded, each once; a day costs no more than its limit."""
    usage = {
        f"2026-11-0{number + 1}": usage_day(f"2026-11-0{number + 1}", instant=instant, batch=batch, hours=tuple(hours))
        for number, (instant, batch, hours) in enumerate(days)
    }
    budget = {"dailyLimitMicros": limit, "batchOnlyPercent": percent}
    waiting = 0
    for day, found in zip(usage, outcomes(usage, budget=budget), strict=True):
        came = sum(n for slot in usage[day].slots for n in slot.arrivals.values())
        assert found.instant + found.batch + found.waiting + found.refunded == came + waiting
        assert 0 <= found.micros <= limit
        assert min(found.instant, found.batch, found.moved, found.waiting, found.refunded) >= 0
        waiting = found.waiting
