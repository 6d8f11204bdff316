"""The day's books: limits of days, months and shards, modes, repairs and alerts."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.core.budget import day_review
from functions.core.budget.day_review import FENCE, Books, BudgetDay
from functions.core.budget.holds import Mode
from functions.core.budget.shards import Drift, Shard
from functions.core.budget.state import BudgetState
from functions.core.config.runtime import BudgetRules
from functions.core.shared.alerts import AlertKind
from tests.builders import NOW

DAY = "2026-11-21"
RULES = BudgetRules(daily_limit_micros=8_000, monthly_limit_micros=50_000)


def books(*used: tuple[int, int], state: BudgetState | None = None, day: str = DAY) -> Books:
    """Return a day whose first shards have reserved and spent this much, with a limit of 1,000 each."""
    shards = {str(n): Shard(limit=1_000, reserved=reserved, spent=spent) for n, (reserved, spent) in enumerate(used)}
    return Books(day, state or BudgetState(), shards)


def look(
    found: Books, rules: BudgetRules = RULES, now: datetime = NOW, drift: Drift | None = None
) -> day_review.Review:
    """Review a day; the cheapest call costs 10, the dearest 20."""
    return day_review.review(found, rules, now, line_micros=10, call_micros=20, drift=drift)


def test_a_new_day_has_its_limit_in_equal_shards() -> None:
    """Opened with nothing used, in normal mode, and committed to the month in full."""
    opened = look(books())
    assert {name: shard.limit for name, shard in opened.shards.items()} == {str(n): 1_000 for n in range(8)}
    assert (opened.state.day, opened.state.mode, opened.state.committed) == (DAY, Mode.NORMAL, {DAY: 8_000})


def test_the_month_leaves_less_than_the_day_would_have() -> None:
    """What earlier days used, or can still use, is gone; another month's days are not counted and forgotten."""
    state = BudgetState(committed={"2026-10-31": 49_000, "2026-11-01": 40_000, "2026-11-20": 6_000})
    opened = look(books(state=state))
    assert opened.book.limit == 4_000
    assert opened.state.committed == {"2026-11-01": 40_000, "2026-11-20": 6_000, DAY: 4_000}


def test_a_month_that_is_used_up_leaves_nothing_until_the_next() -> None:
    """Closed from the start, and reopened on the first of the next month."""
    opened = look(books(state=BudgetState(committed={"2026-11-20": 60_000})))
    assert (opened.book.limit, opened.state.mode) == (0, Mode.CLOSED)
    assert opened.state.reopens_at == datetime(2026, 12, 1, tzinfo=UTC)


def test_what_is_left_is_spread_anew() -> None:
    """A shard that ran dry gets its part of what the others have left; nothing is added."""
    again = look(books((500, 500), *[(0, 0)] * 7))
    assert again.shards["0"].room == again.shards["7"].room == 875
    assert sum(shard.limit for shard in again.shards.values()) == 8_000


@pytest.mark.parametrize(
    ("used", "mode"), [(0, Mode.NORMAL), (6_399, Mode.NORMAL), (6_400, Mode.BATCH_ONLY), (7_990, Mode.BATCH_ONLY)]
)
def test_the_mode_follows_what_is_used(used: int, mode: Mode) -> None:
    """At 80 percent the batch lane alone, reserved and spent counted alike."""
    found = look(books((used // 2, used - used // 2), *[(0, 0)] * 7))
    assert found.state.mode is mode
    assert (found.state.reopens_at is None) == (mode is Mode.NORMAL)


@pytest.mark.parametrize("used", [7_991, 8_000, 9_000])
def test_without_room_for_the_cheapest_call_it_is_closed(used: int) -> None:
    """Nine left where a line costs ten is nothing left; until midnight."""
    found = look(books((0, used), *[(0, 0)] * 7))
    assert (found.state.mode, found.state.reopens_at) == (Mode.CLOSED, datetime(2026, 11, 22, tzinfo=UTC))


def test_a_limit_of_nothing_is_closed_and_has_no_room() -> None:
    """From the first moment."""
    found = look(books(), BudgetRules(daily_limit_micros=0))
    assert found.state.mode is Mode.CLOSED
    assert all(shard.room == 0 for shard in found.shards.values())


def test_a_limit_below_what_is_used_leaves_no_room_even_for_what_is_released() -> None:
    """Lowered to less than what is held: when a hold comes back it is not held again; a later look finds out."""
    lowered = look(books(*[(500, 0)] * 8), BudgetRules(daily_limit_micros=3_000))
    assert all(shard.model_copy(update={"reserved": 0}).room == 0 for shard in lowered.shards.values())
    assert lowered.state.committed == {DAY: 4_000}


def test_a_raised_limit_opens_again() -> None:
    """The same day, as soon as somebody looks."""
    assert look(books(*[(0, 1_000)] * 8)).state.mode is Mode.CLOSED
    raised = look(books(*[(0, 1_000)] * 8), BudgetRules(daily_limit_micros=16_000))
    assert (raised.state.mode, raised.shards["0"].room) == (Mode.NORMAL, 1_000)


def test_a_day_that_is_over_takes_no_more_and_counts_what_it_used() -> None:
    """Its calls in flight still settle on it; today's state and mode are not its business."""
    state = BudgetState(day=DAY, mode=Mode.NORMAL, committed={"2026-11-20": 8_000})
    past = look(books((200, 300), *[(0, 0)] * 7, state=state, day="2026-11-20"))
    assert all(shard.room == 0 for shard in past.shards.values())
    assert past.state == state.model_copy(update={"committed": {"2026-11-20": 500}})


def test_a_clock_behind_the_others_commits_nothing_for_tomorrow() -> None:
    """A day that has not come yet can be opened, and leaves the state as it is."""
    state = BudgetState(day=DAY, mode=Mode.BATCH_ONLY)
    assert look(books(state=state, day="2026-11-22")).state == state


def test_a_drift_is_booked_where_there_is_room() -> None:
    """What the calls say is the truth; the sum of the shards follows."""
    repaired = look(books((900, 0), *[(0, 100)] * 7), drift=Drift(reserved=-900, spent=50))
    assert (repaired.book.reserved, repaired.book.spent) == (0, 750)


def with_excess(*excess: int, spent: int) -> Books:
    """Return a day whose first shard has spent this much, and whose shards have this much spent unheld."""
    found = books((0, spent), *[(0, 0)] * 7)
    shards = {name: found.shards[name].model_copy(update={"excess": micros}) for name, micros in named(excess)}
    return Books(DAY, BudgetState(), {**found.shards, **shards})


def named(values: tuple[int, ...]) -> list[tuple[str, int]]:
    """Return values with the names of shards."""
    return [(str(number), value) for number, value in enumerate(values)]


def test_what_was_spent_unheld_is_booked_where_the_day_has_room() -> None:
    """It was no shard's to spend; once it is booked it is spent like any other."""
    found = look(with_excess(30, 50, spent=1_000))
    assert (found.book.spent, found.book.excess, found.book.limit) == (1_080, 0, 8_000)
    assert sum(shard.excess for shard in found.shards.values()) == 0
    assert sum(shard.limit for shard in found.shards.values()) == 8_000


def test_what_no_day_has_room_for_is_told_and_counts_against_the_month() -> None:
    """Reserved and spent stop at the limit; the rest is on record, closes the day and is the month's."""
    found = look(with_excess(30, 50, spent=7_950))
    assert (found.book.spent, found.book.excess, found.book.used) == (8_000, 30, 8_030)
    assert all(shard.room == 0 for shard in found.shards.values())
    assert found.state.mode is Mode.CLOSED
    assert found.state.committed == {DAY: 8_030}
    assert [told.kind for told in day_review.excess_alerts(found, NOW)] == [AlertKind.LIMIT_PASSED]
    assert set(day_review.mode_held(found)) == {AlertKind.CLOSED}


def test_a_day_that_is_over_keeps_the_limit_it_had() -> None:
    """Its books still say what it might have cost, and take what came late as far as there was room."""
    found = with_excess(30, spent=1_000)
    past = look(Books("2026-11-20", BudgetState(day=DAY), found.shards, BudgetDay(limit=8_000)))
    assert (past.book.limit, past.book.spent, past.book.excess) == (8_000, 1_030, 0)
    assert all(shard.room == 0 for shard in past.shards.values())


def test_costs_are_added_up_by_lane_and_model() -> None:
    """Over all shards, for the day's report."""
    shards = {str(n): Shard(costs={"instant": {"a": 5, "b.1": 1}, "batch": {"a": n}}) for n in range(3)}
    found = look(Books(DAY, BudgetState(), shards))
    assert found.book.costs == {"instant": {"a": 15, "b.1": 3}, "batch": {"a": 3}}


def test_a_bigger_budget_has_more_shards() -> None:
    """Room for 2,000 calls on each, eight at least and 512 at most; every shard has its part."""
    for daily, count in ((8_000, 8), (400_000, 10), (1_000_000, 25), (99_999_999, 512)):
        opened = look(books(), BudgetRules(daily_limit_micros=daily, monthly_limit_micros=10**9))
        assert (opened.book.shard_count, opened.state.shard_count) == (count, count)
        assert {name: shard.limit for name, shard in opened.shards.items()} == {
            str(number): daily // count for number in range(count)
        }


@pytest.mark.parametrize("daily", [8_000, 99_999_999])
def test_a_day_keeps_its_number_of_shards(daily: int) -> None:
    """Its limit may be raised or lowered: it is the limits that are spread."""
    opened = look(books(), BudgetRules(daily_limit_micros=400_000, monthly_limit_micros=10**9))
    changed = Books(DAY, opened.state, opened.shards, opened.book)
    again = look(changed, BudgetRules(daily_limit_micros=daily, monthly_limit_micros=10**9))
    assert (again.book.shard_count, again.state.shard_count, len(again.shards)) == (10, 10, 10)
    assert daily - 10 < sum(shard.limit for shard in again.shards.values()) <= daily


def test_a_day_of_a_release_without_the_number_has_eight_shards() -> None:
    """Whatever its limit, until it is over."""
    found = Books(DAY, BudgetState(), books((0, 0)).shards, BudgetDay(limit=99_999_999, reviewed_at=NOW, reviews=4))
    again = look(found, BudgetRules(daily_limit_micros=99_999_999, monthly_limit_micros=10**9))
    assert (again.book.shard_count, again.book.reviews, len(again.shards)) == (8, 5, 8)


def test_a_day_whose_record_is_lost_has_the_shards_that_are_there() -> None:
    """None of them may be forgotten: what they leave would be given away again."""
    opened = look(books(), BudgetRules(daily_limit_micros=400_000, monthly_limit_micros=10**9))
    again = look(Books(DAY, opened.state, opened.shards), BudgetRules(daily_limit_micros=400_000))
    assert (again.book.shard_count, again.changed) == (10, frozenset())


def test_a_release_that_knows_eight_shards_cannot_review_a_day_with_more() -> None:
    """Its own count of reviews cannot go on; ours does, so that a repair is still made once."""
    rules = BudgetRules(daily_limit_micros=400_000, monthly_limit_micros=10**9)
    opened = look(books(), rules)
    again = look(Books(DAY, opened.state, opened.shards, opened.book), rules)
    assert (opened.book.reviews, again.book.reviews) == (FENCE, FENCE)
    assert opened.book.version != again.book.version


def test_a_review_that_changes_no_shard_writes_none() -> None:
    """While each has half of its part left: many calls go on meanwhile."""
    opened = look(books())
    busy = {**opened.shards, "0": opened.shards["0"].model_copy(update={"spent": 500})}
    assert look(Books(DAY, opened.state, busy, opened.book)).changed == frozenset()
    busy = {**opened.shards, "0": opened.shards["0"].model_copy(update={"spent": 600})}
    assert look(Books(DAY, opened.state, busy, opened.book)).changed == set(opened.shards)


used = st.lists(
    st.tuples(st.integers(-900, 3_000), st.integers(-900, 3_000), st.booleans(), st.integers(0, 4_000)),
    min_size=8,
    max_size=40,
)


@given(used=used, daily=st.integers(0, 40_000))
def test_no_hold_after_a_review_passes_the_limit(used: list[tuple[int, int, bool, int]], daily: int) -> None:
    """For any day, any number of shards and any limits before, whatever is released afterwards: filling all the room
    stays within the limit, or there is no room at all."""
    shards = {
        str(number): Shard(limit=limit, reserved=reserved, spent=spent)
        for number, (reserved, spent, _, limit) in enumerate(used)
    }
    rules = BudgetRules(daily_limit_micros=daily, monthly_limit_micros=10**9)
    found = look(Books(DAY, BudgetState(), shards, BudgetDay(shard_count=len(used), reviewed_at=NOW)), rules)
    after = [
        shard.model_copy(update={"reserved": min(shard.reserved, 0)}) if released else shard
        for shard, (_, _, released, _) in zip(found.shards.values(), used, strict=True)
    ]
    if min(sum(reserved for reserved, *_ in used), sum(spent for _, spent, *_ in used)) < 0:
        return  # no calls ever add up to that
    room = sum(shard.room for shard in after)
    assert room == 0 or sum(shard.used for shard in after) + room <= daily
    before, left = found.book.used, sum(shard.room for shard in found.shards.values())
    assert before > daily or before + left > daily - len(used)  # and nothing of it is lost


def test_of_the_thresholds_only_the_strongest_is_told() -> None:
    """Closed and batch_only contradict each other; a quiet day says nothing."""
    closed = day_review.mode_held(look(books(*[(0, 1_000)] * 8)))
    assert set(closed) == {AlertKind.CLOSED}
    assert "0.008000 of 0.008000 dollars" in closed[AlertKind.CLOSED]
    assert "nothing more is sent until 2026-11-22 00:00 UTC" in closed[AlertKind.CLOSED]
    assert set(day_review.mode_held(look(books(*[(0, 1_000)] * 7)))) == {AlertKind.BATCH_ONLY}
    assert (day_review.mode_held(look(books())), day_review.excess_alerts(look(books()), NOW)) == ({}, [])


def test_a_state_that_is_lost_is_made_anew_from_the_books() -> None:
    """A day whose end a guard has seen counts with what it used, any other with its whole limit at least."""
    seen = BudgetDay(limit=100, spent=30, reviewed_at=datetime(2026, 11, 21, tzinfo=UTC))
    unseen = BudgetDay(limit=100, spent=130, reviewed_at=datetime(2026, 11, 20, 12, tzinfo=UTC))
    found = day_review.committed({"2026-11-20": seen, "2026-11-19": BudgetDay(limit=50), "2026-11-21": unseen})
    assert found == {"2026-11-20": 30, "2026-11-19": 50, "2026-11-21": 130}
