"""The circuit breaker: when nobody asks, and who finds out that it is over."""

from datetime import timedelta

import pytest

from functions.adapters.breaker import FAILURES_MAX, OPEN_FOR, Breaker
from scripts.inprocess import StillClock


@pytest.fixture
def clock() -> StillClock:
    """Return a clock that stands still."""
    return StillClock()


@pytest.fixture
def broken(clock: StillClock) -> Breaker:
    """Return a breaker that has just opened."""
    breaker = Breaker(clock)
    for _ in range(FAILURES_MAX):
        assert not breaker.open
        assert breaker.admits()
        breaker.note(failed=True)
    return breaker


def test_after_failures_in_a_row_nobody_asks_for_a_while(broken: Breaker, clock: StillClock) -> None:
    """The last failure that is borne opens it, to the microsecond."""
    assert broken.open
    assert not broken.admits()
    clock.now += OPEN_FOR - timedelta(microseconds=1)
    assert not broken.admits()


def test_failures_that_a_success_parts_open_nothing(clock: StillClock) -> None:
    """Only those in a row count."""
    breaker = Breaker(clock)
    for _ in range(3 * FAILURES_MAX):
        breaker.note(failed=True)
        breaker.note(failed=False)
        assert breaker.admits()


def test_after_the_pause_one_asks_for_all(broken: Breaker, clock: StillClock) -> None:
    """The others wait for what it finds; if nobody hears of it, the next one asks after another pause."""
    clock.now += OPEN_FOR
    assert [broken.admits() for _ in range(3)] == [True, False, False]
    clock.now += OPEN_FOR
    assert [broken.admits() for _ in range(2)] == [True, False]


@pytest.mark.parametrize("failed", [True, False])
def test_what_the_one_finds_holds_for_all(broken: Breaker, clock: StillClock, *, failed: bool) -> None:
    """A failure opens it again at once, a success closes it."""
    clock.now += OPEN_FOR
    assert broken.admits()
    broken.note(failed=failed)
    assert (broken.open, broken.admits()) == (failed, not failed)


def test_failures_of_one_user_count_once(clock: StillClock) -> None:
    """Only so many users in a row open it; a success between them begins the count anew."""
    breaker = Breaker(clock)
    for user in range(FAILURES_MAX - 1):
        for _ in range(3 * FAILURES_MAX):
            breaker.note(failed=True, asked_for=f"user-{user}")
    assert breaker.admits()
    breaker.note(failed=False, asked_for="user-0")
    for user in range(FAILURES_MAX):
        assert breaker.admits()
        breaker.note(failed=True, asked_for=f"user-{user}")
    assert not breaker.admits()
