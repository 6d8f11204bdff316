"""What a job counts in the day's tally: once when it is held for, once when it ends."""

from datetime import timedelta
from typing import Any

import pytest

from functions.core.budget.bookings import Booking, SecondShare
from functions.core.budget.holds import SecondLeg, call_hold, settled
from functions.core.jobs.counting import ended, job_bookings, of_lines
from functions.core.jobs.jobs import Failure, Job, JobError, Status
from functions.core.jobs.legs import Came, Tried
from functions.core.model.usage import Usage
from functions.core.rollouts.arms import Arm
from functions.core.rollouts.counts import ArmCounts
from functions.core.shared.lanes import Lane
from tests.builders import NOW, job

HOLD = call_hold("2026-11-21", "3", "m", 600)
USAGE = Usage(input_tokens=473, output_tokens=115)
TOKENS = {"input": 473, "output": 115}
LOST, DOWN = (Tried(model="m", came=came) for came in (Came.DOUBTFUL, Came.DOWN))
UNAVAILABLE = JobError(code=Failure.PROVIDER_UNAVAILABLE, message="")


def instant(**more: Any) -> Job:
    """Return an instant job with a hold."""
    fields = {"mode": Lane.INSTANT, "requested_mode": Lane.INSTANT, "status": Status.PROCESSING, "hold": HOLD}
    return job(**{**fields, **more})


def after(seconds: float, **more: Any) -> Job:
    """Return it as it ended after so many seconds, at a cost of 220."""
    return instant(completed_at=NOW + timedelta(seconds=seconds), hold=settled(HOLD, 220), **more)


def test_a_call_that_begins_is_counted_with_its_hold() -> None:
    """Until it ends it is in flight."""
    assert job_bookings(None, instant()) == (Booking("2026-11-21", "3", "instant", "m", 600, 0, 0, {"started": 1}),)


@pytest.mark.parametrize(
    ("end", "counted"),
    [
        ({"status": Status.DONE, "usage": USAGE}, {"done": 1, "wait:4": 1, **TOKENS}),
        ({"status": Status.DONE}, {"done": 1, "wait:4": 1}),
        (
            {"status": Status.DONE, "result": {"promptVersion": "p", "category": "Dry Waste"}},
            {"done": 1, "wait:4": 1, "answer:p:Dry Waste": 1},
        ),
        (
            {"status": Status.FAILED, "error": JobError(code=Failure.ANSWER_UNUSABLE, message=""), "usage": USAGE},
            {"failed:ANSWER_UNUSABLE": 1, "wait:4": 1, **TOKENS},
        ),
        ({"status": Status.FAILED}, {"failed:failed": 1, "wait:4": 1}),
        ({"status": Status.DONE, "requested_mode": Lane.BATCH}, {"done": 1}),
        (
            {"status": Status.FAILED, "error": UNAVAILABLE, "tried": (LOST,)},
            {"failed:PROVIDER_UNAVAILABLE": 1, "doubtful": 1, "wait:4": 1},
        ),
    ],
)
def test_a_call_that_ends_is_counted_with_its_settlement(end: dict[str, Any], counted: dict[str, int]) -> None:
    """How it ended, its tokens, and its wait; an upgraded one has waited in the other lane."""
    (booking,) = job_bookings(instant(), after(3.5, **end))
    assert (booking.reserved, booking.spent, booking.count) == (-600, 220, counted)


@pytest.mark.parametrize(
    ("end", "first", "second", "failed"),
    [
        (
            {"status": Status.DONE, "usage": USAGE, "tried": (LOST, Tried(model="other/m", came=Came.ANSWERED))},
            {"doubtful": 1},
            {"done": 1, "wait:4": 1, **TOKENS},
            1,
        ),
        (
            {"status": Status.FAILED, "error": UNAVAILABLE, "tried": (DOWN, Tried(model="other/m", came=Came.DOWN))},
            {"down": 1},
            {"failed:PROVIDER_UNAVAILABLE": 1, "down": 1, "wait:4": 1},
            1,
        ),
    ],
)
def test_a_call_of_two_legs_is_counted_where_each_happened(
    end: dict[str, Any], first: dict[str, int], second: dict[str, int], failed: int
) -> None:
    """What the first model did not do is counted there, how the call ended at the one that ended it. For a flag's arm
    it is a failure: a second provider must not hide that the new path fails."""
    held = call_hold("2026-11-21", "3", "m", 600, second=SecondLeg(model="other/m", micros=650))
    arms = {"prompt@0": Arm.NEW}
    before = instant(hold=held, arms=arms)
    over = instant(completed_at=NOW + timedelta(seconds=3.5), hold=settled(held, 220, 220), arms=arms, **end)
    (booking,) = job_bookings(before, over)
    assert booking.count == first
    assert booking.second == SecondShare("other/m", 220, second)
    assert booking.rollouts["prompt@0"]["new"].failed == failed


def test_what_changes_no_hold_counts_nothing() -> None:
    """A job of a batch, which the batch counts, and a job that stays as it is."""
    assert job_bookings(None, job()) == job_bookings(instant(), instant()) == ()


def test_a_job_of_a_batch_counts_the_same() -> None:
    """Done or failed, with the tokens of its last answer."""
    assert ended(None, USAGE) == {"done": 1, **TOKENS}
    assert ended("LINE_MISSING", None) == {"failed:LINE_MISSING": 1}


@pytest.mark.parametrize(
    ("end", "of_arm"),
    [
        ({"status": Status.DONE}, ArmCounts(ended=1, micros=220, ms={"7": 1})),
        (
            {"status": Status.FAILED, "error": JobError(code=Failure.PROVIDER_UNAVAILABLE, message="")},
            ArmCounts(ended=1, failed=1, micros=220, ms={"7": 1}),
        ),
        (
            {"status": Status.FAILED, "error": JobError(code=Failure.PROVIDER_REJECTED, message="")},
            ArmCounts(ended=1, micros=220, ms={"7": 1}),
        ),
        ({"status": Status.DONE, "requested_mode": Lane.BATCH}, ArmCounts(ended=1, micros=220)),
        ({"status": Status.DONE, "tried": (LOST,)}, ArmCounts(ended=1, micros=220, ms={"7": 1})),
    ],
)
def test_a_call_counts_for_the_arms_that_it_took(end: dict[str, Any], of_arm: ArmCounts) -> None:
    """Where it began, in the epoch of that moment; the photo's failures do not count, nor does who was named."""
    arms = {"model@2": "new", "prompt@0": "listed"}
    (begun,) = job_bookings(None, instant(arms=arms))
    (over,) = job_bookings(instant(arms=arms), after(3.5, arms=arms, **end))
    assert begun.rollouts == {"model@2": {"new": ArmCounts(started=1)}}
    assert over.rollouts == {"model@2": {"new": of_arm}}


def test_a_batch_counts_its_lines() -> None:
    """Each attempt that ended, also one that will be repeated; what befell all lines at once is one failure."""
    count = {"done": 5, "retried:ANSWER_UNUSABLE": 2, "failed:PROVIDER_REJECTED": 1, "input": 900, "wait:4": 8}
    assert of_lines(count, 700) == ArmCounts(started=8, ended=8, failed=2, micros=700)
    assert of_lines({"retried:BATCH_EXPIRED": 40, "done": 3}, 0) == ArmCounts(started=4, ended=4, failed=1)
    assert of_lines({"done": 2, "checked": 3}, 0) == ArmCounts(started=5, ended=5)  # a check goes the arms' way, too
    again = {"checkedFailed:ANSWER_UNUSABLE": 1, "checkedRetried:ANSWER_UNUSABLE": 2, "checkedMicros": 9}
    assert of_lines(again, 0) == ArmCounts(started=3, ended=3, failed=3)
    assert of_lines({}, 0) == ArmCounts()
