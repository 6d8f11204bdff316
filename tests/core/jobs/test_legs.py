"""What is known of a call's legs when nobody has come back to say."""

from functions.core.budget.holds import SecondLeg, call_hold
from functions.core.jobs.legs import Came, Tried, at_most


def test_a_call_that_died_may_have_asked_both() -> None:
    """Each is booked at its most under its own model."""
    one = call_hold("2026-11-21", "3", "m", 600)
    both = call_hold("2026-11-21", "3", "m", 600, second=SecondLeg(model="other/m", micros=650))
    assert at_most(one) == (Tried(model="m", came=Came.DOUBTFUL, micros=600),)
    assert at_most(both) == (
        Tried(model="m", came=Came.DOUBTFUL, micros=600),
        Tried(model="other/m", came=Came.DOUBTFUL, micros=650),
    )
