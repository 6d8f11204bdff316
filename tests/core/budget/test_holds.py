"""Holds and shards: every micro-dollar is held before it is spent, booked once, and never beyond a limit."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from functions.core.budget import holds
from functions.core.budget.holds import Booking, Hold, NoRoom
from functions.core.budget.shards import Shard
from functions.core.shared.utc_days import next_day
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


def test_the_life_of_a_call_reads_like_a_statement() -> None:
    """Held, then settled at what it cost: what was held is free again, what was spent is spent."""
    assert holds.bookings(None, CALL) == (booked("3", +600),)
    assert holds.bookings(CALL, holds.settled(CALL, 220)) == (booked("3", -600, +220),)
    assert holds.bookings(CALL, holds.settled(CALL, 0)) == (booked("3", -600),)
    assert holds.bookings(CALL, CALL) == holds.bookings(None, None) == ()


def test_a_cost_above_what_was_held_is_booked_but_not_as_spent() -> None:
    """The books follow the invoice; reserved and spent together never grow by a settlement."""
    assert holds.bookings(CALL, holds.settled(CALL, 700)) == (booked("3", -600, +600, excess=100),)


def test_a_batch_settles_where_it_was_held() -> None:
    """Shard by shard up to what each held; what goes beyond all of them, as excess on the last."""
    hold = batch_hold(s1=300, s4=200)
    assert holds.bookings(hold, holds.settled(hold, 350)) == (
        booked("1", -300, 300, lane="batch"),
        booked("4", -200, 50, lane="batch"),
    )
    assert holds.bookings(hold, holds.settled(hold, 600))[-1] == booked("4", -200, 200, excess=100, lane="batch")


def test_lines_that_were_not_sent_are_released_before_the_rest() -> None:
    """A batch of five with room for eight gives three lines' worth back, and keeps the rest until it is collected."""
    hold = batch_hold(s1=300, s4=500)
    kept = holds.trimmed(hold, 5)
    assert (kept.parts, kept.micros) == ({"4": 500}, 500)
    assert holds.bookings(hold, kept) == (booked("1", -300, lane="batch"),)
    assert holds.trimmed(hold, 8) == hold
    assert holds.trimmed(hold, 9) == hold


def test_a_hold_needs_an_open_day_and_room() -> None:
    """The last micro-dollar can be held; one more cannot; a shard that is not there is a day that is not open."""
    wanted = holds.bookings(None, CALL)
    assert holds.no_room({"3": Shard(limit=600)}, wanted) is None
    assert holds.no_room({"3": Shard(limit=599)}, wanted) == NoRoom(DAY)
    assert holds.no_room({"3": None}, wanted) == NoRoom(DAY, unopened=True)


def test_a_batch_is_held_where_there_is_most_room() -> None:
    """The roomiest shard first, the next for the rest; lines that cost nothing are all covered."""
    shards = {"0": Shard(limit=250), "1": Shard(limit=1_000), "2": Shard(limit=300), "3": Shard()}
    assert holds.batch_hold(DAY, "gpt-test", 100, 12, shards) == (batch_hold(s1=1_000, s2=200), 12)
    assert holds.batch_hold(DAY, "gpt-test", 100, 99, shards) == (batch_hold(s1=1_000, s2=300, s0=200), 15)
    assert holds.batch_hold(DAY, "gpt-test", 0, 7, shards)[1] == 7


rooms = st.lists(st.integers(0, 10_000), min_size=1, max_size=32)


@given(rooms=rooms, lines=st.integers(0, 200), line=st.integers(0, 500))
def test_a_batch_takes_what_there_is_and_no_more(rooms: list[int], lines: int, line: int) -> None:
    """As many lines as fit into all shards together, no shard beyond its room, and the parts add up."""
    shards = {str(number): Shard(limit=room) for number, room in enumerate(rooms)}
    hold, affordable = holds.batch_hold(DAY, "gpt-test", line, lines, shards)
    assert affordable == (min(lines, sum(rooms) // line) if line else lines)
    assert hold.micros == sum(hold.parts.values()) == affordable * line
    assert all(0 < part <= shards[name].room for name, part in hold.parts.items())


@given(rooms=rooms, lines=st.integers(1, 50), kept=st.integers(0, 50), cost=st.integers(0, 20_000))
def test_whatever_happens_to_a_hold_the_shards_end_with_its_cost(
    rooms: list[int], lines: int, kept: int, cost: int
) -> None:
    """Held, trimmed and settled: nothing stays reserved, and what is spent is what it cost."""
    shards = {str(number): Shard(limit=room) for number, room in enumerate(rooms)}
    hold, _ = holds.batch_hold(DAY, "gpt-test", 100, lines, shards)
    trimmed = holds.trimmed(hold, kept)
    steps: list[tuple[Hold | None, Hold]] = [(None, hold), (hold, trimmed), (trimmed, holds.settled(trimmed, cost))]
    changes = [change for before, after in steps for change in holds.bookings(before, after)]
    for name in shards:
        assert sum(change.reserved for change in changes if change.shard == name) == 0
        assert sum(change.spent for change in changes if change.shard == name) <= hold.parts.get(name, 0)
    assert sum(change.spent + change.excess for change in changes) == (cost if trimmed.parts else 0)


def test_only_what_ends_a_job_settles_its_hold() -> None:
    """The difference in cost is what this call came to; a write that ends nothing, or a job without a hold, stays."""
    ended = {"completedAt": NOW, "costMicros": 350}
    assert holds.settling(CALL, ended, 100)["hold"]["settled"] == 250
    assert holds.settling(CALL, {"completedAt": NOW}, 100)["hold"]["settled"] == 0
    assert holds.settling(CALL, {"priority": 1}, 0) == {"priority": 1}
    assert holds.settling(None, ended, 0) == ended
    assert holds.settling(holds.settled(CALL, 5), ended, 0) == ended


def test_the_error_says_when_to_come_back() -> None:
    """In UTC, as ISO 8601."""
    error = holds.exhausted(next_day(datetime(2026, 12, 31, 23, 59, tzinfo=UTC)))
    assert (error.reason, error.details) == ("BUDGET_EXHAUSTED", {"resetsAt": "2027-01-01T00:00:00Z"})
