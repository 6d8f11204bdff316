"""A process's breaker for the new path of a flag."""

import pytest

from functions.adapters.arm_breaker import FAILURES_MAX, ArmBreaker
from functions.core.rollouts.arms import USERS_MIN

NEW, OLD = {"model@2": "new"}, {"model@2": "old"}


def failing(breaker: ArmBreaker, times: int, arms: dict[str, str] = NEW, users: int = USERS_MIN) -> list[str]:
    """Let calls on these arms fail, and return the stops to be told after the last one."""
    told: list[str] = []
    for number in range(times):
        told = breaker.note(arms, f"user-{number % users}", failed=True)
    return told


def test_a_path_that_fails_while_the_old_one_works_is_stopped() -> None:
    """The seventh failure in a row, of three users, and one success of the old path in between."""
    breaker = ArmBreaker()
    failing(breaker, 1)
    breaker.note(OLD, "ann", failed=False)
    assert failing(breaker, FAILURES_MAX - 2) == []
    assert not breaker.stopped("model@2")
    assert failing(breaker, 1) == ["model@2"]
    assert breaker.stopped("model@2")
    assert not breaker.stopped("model@3")


def test_a_stop_is_told_until_everybody_knows() -> None:
    """One that could not be written comes back with every further call."""
    breaker = ArmBreaker()
    failing(breaker, FAILURES_MAX)
    assert breaker.note(OLD, "ann", failed=False) == ["model@2"]
    assert breaker.note({}, "ann", failed=False) == ["model@2"]
    breaker.told("model@2")
    assert breaker.note({}, "ann", failed=False) == []
    assert breaker.stopped("model@2")


@pytest.mark.parametrize(
    "before",
    [[("old", False)], [], [("new", True), ("old", True)], [("new", True), ("old", False), ("old", True)]],
    ids=["old worked before it began", "old is never asked", "old fails", "old worked, and fails by now"],
)
def test_where_both_fail_it_is_the_provider(before: list[tuple[str, bool]]) -> None:
    """Going back would help nobody."""
    breaker = ArmBreaker()
    for arm, failed in before:
        breaker.note({"model@2": arm}, "ann", failed=failed)
    assert failing(breaker, 3 * FAILURES_MAX) == []


def test_a_success_ends_the_row_and_one_user_makes_none() -> None:
    """Some calls always fail, and one user's photos may fail any path; who was named does not count."""
    breaker = ArmBreaker()
    for _ in range(5):
        failing(breaker, FAILURES_MAX - 1)
        breaker.note(OLD, "ann", failed=False)
        assert breaker.note(NEW, "bob", failed=False) == []
    failing(breaker, 1, users=1)
    breaker.note(OLD, "ann", failed=False)
    assert failing(breaker, 3 * FAILURES_MAX, users=USERS_MIN - 1) == []
    assert failing(breaker, FAILURES_MAX, {"model@2": "listed"}) == []
