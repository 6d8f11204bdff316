"""Holds: every micro-dollar is held before it is spent, and never beyond a limit."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from functions.core.budget import holds
from functions.core.budget.bookings import Booking
from functions.core.budget.holds import Hold
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


rooms = st.lists(st.integers(0, 10_000), min_size=1, max_size=32)


SECOND = holds.SecondLeg(model="other/model", micros=650, percent=130)


BOTH = holds.call_hold(DAY, "3", "gpt-test", 600, 110, SECOND)


def test_a_batch_is_held_where_there_is_most_room() -> None:
    """The roomiest shard first, the next for the rest; lines that cost nothing are all covered."""
    shards = {"0": Shard(limit=250), "1": Shard(limit=1_000), "2": Shard(limit=300), "3": Shard()}
    assert holds.batch_hold(DAY, "gpt-test", 100, 12, shards) == (batch_hold(s1=1_000, s2=200), 12)
    assert holds.batch_hold(DAY, "gpt-test", 100, 99, shards) == (batch_hold(s1=1_000, s2=300, s0=200), 15)
    assert holds.batch_hold(DAY, "gpt-test", 0, 7, shards)[1] == 7


@given(rooms=rooms, lines=st.integers(0, 200), line=st.integers(0, 500))
def test_a_batch_takes_what_there_is_and_no_more(rooms: list[int], lines: int, line: int) -> None:
    """As many lines as fit into all shards together, no shard beyond its room, and the parts add up."""
    shards = {str(number): Shard(limit=room) for number, room in enumerate(rooms)}
    hold, affordable = holds.batch_hold(DAY, "gpt-test", line, lines, shards)
    assert affordable == (min(lines, sum(rooms) // line) if line else lines)
    assert hold.micros == sum(hold.parts.values()) == affordable * line
    assert all(0 < part <= shards[name].room for name, part in hold.parts.items())


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
