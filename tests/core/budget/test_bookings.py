"""What holds change on the shards: every micro-dollar is booked once, and under the model that cost it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.core.budget import holds
from functions.core.budget.bookings import Booking, SecondShare, bookings, no_room
from functions.core.budget.holds import Hold, NoRoom
from functions.core.budget.shards import Shard
from tests.builders import NOW

DAY = "2026-11-21"


CALL = holds.call_hold(DAY, "3", "gpt-test", 600)


def batch_hold(**parts: int) -> Hold:
    """Return the hold of a batch whose lines cost at most 100 each, held on these shards (named `s0`, `s1`, ...)."""
    held = {name.removeprefix("s"): micros for name, micros in parts.items()}
    return Hold(day=DAY, lane="batch", model="gpt-test", parts=held, micros=sum(held.values()), line_micros=100)


def booked(shard: str, reserved: int, spent: int = 0, lane: str = "instant", excess: int = 0) -> Booking:
    """Return a change of one shard."""
    return Booking(DAY, shard, lane, "gpt-test", reserved, spent, excess)


rooms = st.lists(st.integers(0, 10_000), min_size=1, max_size=32)


SECOND = holds.SecondLeg(model="other/model", micros=650, percent=130)


BOTH = holds.call_hold(DAY, "3", "gpt-test", 600, 110, SECOND)


def test_the_life_of_a_call_reads_like_a_statement() -> None:
    """Held, then settled at what it cost: what was held is free again, what was spent is spent."""
    assert bookings(None, CALL) == (booked("3", +600),)
    assert bookings(CALL, holds.settled(CALL, 220)) == (booked("3", -600, +220),)
    assert bookings(CALL, holds.settled(CALL, 0)) == (booked("3", -600),)
    assert bookings(CALL, CALL) == bookings(None, None) == ()


def test_a_cost_above_what_was_held_is_booked_but_not_as_spent() -> None:
    """The books follow the invoice; reserved and spent together never grow by a settlement."""
    assert bookings(CALL, holds.settled(CALL, 700)) == (booked("3", -600, +600, excess=100),)


def test_a_batch_settles_where_it_was_held() -> None:
    """Shard by shard up to what each held; what goes beyond all of them, as excess on the last."""
    hold = batch_hold(s1=300, s4=200)
    assert bookings(hold, holds.settled(hold, 350)) == (
        booked("1", -300, 300, lane="batch"),
        booked("4", -200, 50, lane="batch"),
    )
    assert bookings(hold, holds.settled(hold, 600))[-1] == booked("4", -200, 200, excess=100, lane="batch")


def test_lines_that_were_not_sent_are_released_before_the_rest() -> None:
    """A batch of five with room for eight gives three lines' worth back, and keeps the rest until it is collected."""
    hold = batch_hold(s1=300, s4=500)
    kept = holds.trimmed(hold, 5)
    assert (kept.parts, kept.micros) == ({"4": 500}, 500)
    assert bookings(hold, kept) == (booked("1", -300, lane="batch"),)
    assert holds.trimmed(hold, 8) == hold
    assert holds.trimmed(hold, 9) == hold


def test_a_hold_needs_an_open_day_and_room() -> None:
    """The last micro-dollar can be held; one more cannot; a shard that is not there is a day that is not open."""
    wanted = bookings(None, CALL)
    assert no_room({"3": Shard(limit=600)}, wanted) is None
    assert no_room({"3": Shard(limit=599)}, wanted) == NoRoom(DAY)
    assert no_room({"3": None}, wanted) == NoRoom(DAY, unopened=True)


def test_a_call_that_may_be_asked_twice_holds_for_both() -> None:
    """The first may bill for an answer that never came, so the larger of the two would not be enough."""
    assert (BOTH.micros, BOTH.parts, BOTH.line_micros, BOTH.percent) == (1_250, {"3": 1_250}, 600, 110)
    assert bookings(None, BOTH) == (booked("3", +1_250),)
    assert BOTH.alone == holds.call_hold(DAY, "3", "gpt-test", 600, 110)


@pytest.mark.parametrize(
    ("first", "second", "excess"), [(0, 210, 0), (600, 210, 0), (0, 0, 0), (600, 900, 250), (150, 0, 0)]
)
def test_each_leg_is_booked_under_its_own_model(first: int, second: int, excess: int) -> None:
    """In one change of the shard; what passes the sum of both holds is excess as ever."""
    fields = {
        "completedAt": NOW,
        "costMicros": 100 + first + second,
        "tried": [{"model": "gpt-test", "micros": first}, {"model": "other/model", "micros": second}],
    }
    after = Hold.model_validate(holds.settling(BOTH, fields, 100)["hold"])
    (change,) = bookings(BOTH, after, {"down": 1}, None, {"done": 1})
    assert (change.reserved, change.spent, change.excess) == (-1_250, first + second - excess, excess)
    assert (change.model, change.count) == ("gpt-test", {"down": 1})
    assert change.second == SecondShare("other/model", second, {"done": 1})
    assert after.second is not None
    assert (after.settled, after.second.settled) == (first + second, second)


def test_a_first_leg_that_answers_leaves_nothing_of_the_second() -> None:
    """Its hold is free again, and no counter or cost names it."""
    (change,) = bookings(BOTH, holds.settled(BOTH, 220), {"done": 1})
    assert change == replace(booked("3", -1_250, +220), count={"done": 1})


@given(rooms=rooms, lines=st.integers(1, 50), kept=st.integers(0, 50), cost=st.integers(0, 20_000))
def test_whatever_happens_to_a_hold_the_shards_end_with_its_cost(
    rooms: list[int], lines: int, kept: int, cost: int
) -> None:
    """Held, trimmed and settled: nothing stays reserved, and what is spent is what it cost."""
    shards = {str(number): Shard(limit=room) for number, room in enumerate(rooms)}
    hold, _ = holds.batch_hold(DAY, "gpt-test", 100, lines, shards)
    trimmed = holds.trimmed(hold, kept)
    steps: list[tuple[Hold | None, Hold]] = [(None, hold), (hold, trimmed), (trimmed, holds.settled(trimmed, cost))]
    changes = [change for before, after in steps for change in bookings(before, after)]
    for name in shards:
        assert sum(change.reserved for change in changes if change.shard == name) == 0
        assert sum(change.spent for change in changes if change.shard == name) <= hold.parts.get(name, 0)
    assert sum(change.spent + change.excess for change in changes) == (cost if trimmed.parts else 0)
