"""The circuit breaker: when nobody is let through, and who finds out that it is over."""

from datetime import timedelta

from functions.core.shared.breaker import FAILURES_MAX, OPEN_FOR, Admission, Breaker
from tests.builders import NOW


def broken() -> Breaker:
    """Return a breaker that has just opened."""
    breaker = Breaker()
    for _ in range(FAILURES_MAX):
        assert not breaker.open
        assert breaker.admits(NOW) is Admission.FREE
        breaker = breaker.failed(NOW)
    return breaker


def test_five_failures_in_a_row_open_it_for_a_minute() -> None:
    """Up to the fourth failure everybody is let through, after the fifth nobody is for 60 seconds."""
    breaker = broken()
    assert breaker.open
    assert breaker.admits(NOW) is Admission.SHUT
    assert breaker.admits(NOW + OPEN_FOR - timedelta(microseconds=1)) is Admission.SHUT


def test_after_a_minute_one_may_ask() -> None:
    """Half open, one run asks; while it does nobody else is let through."""
    later = NOW + OPEN_FOR
    breaker = broken()
    assert breaker.admits(later) is Admission.PROBE
    assert breaker.probing(later).admits(later) is Admission.SHUT


def test_a_probe_that_died_leaves_its_place() -> None:
    """A run that asked and was never heard of again holds up the others for a minute and no longer."""
    later = NOW + OPEN_FOR
    assert broken().probing(later).admits(later + OPEN_FOR) is Admission.PROBE


def test_a_probe_that_fails_opens_it_again_at_once() -> None:
    """It does not take five more failures to find out that nothing has changed."""
    later = NOW + OPEN_FOR
    again = broken().probing(later).failed(later)
    assert again.open
    assert again.admits(later) is Admission.SHUT
    assert again.admits(later + OPEN_FOR) is Admission.PROBE
