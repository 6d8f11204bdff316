"""The mode in force, when there is budget again, and what doubtful answers change."""

from datetime import UTC, datetime, timedelta

import pytest

from functions.core.budget.anomalies import UsageAnomalies
from functions.core.budget.holds import Mode
from functions.core.budget.state import ABSURD_MAX, BudgetState, doubted, lifting, mode_now, reopening
from functions.core.config.runtime import BudgetRules
from tests.builders import NOW

DAY = "2026-11-21"
RULES = BudgetRules(daily_limit_micros=8_000, monthly_limit_micros=50_000)


def test_an_operators_mode_is_in_force_while_it_lasts() -> None:
    """Then the guard's, if it is of today; on a day that nobody has looked at, the holds alone decide."""
    state = BudgetState(day=DAY, mode=Mode.CLOSED)
    until = NOW + timedelta(hours=1)
    override = BudgetRules(override_mode="batch_only", override_until=until)
    assert mode_now(state, override, NOW) is Mode.BATCH_ONLY
    assert mode_now(state, override, until) is Mode.CLOSED
    assert mode_now(state, RULES, NOW) is Mode.CLOSED
    assert mode_now(state, RULES, NOW + timedelta(days=1)) is Mode.NORMAL


@pytest.mark.parametrize(
    ("committed", "now", "reopens"),
    [
        ({DAY: 8_000}, NOW, "2026-11-22"),
        ({DAY: 50_000}, NOW, "2026-12-01"),
        ({DAY: 50_000}, datetime(2026, 11, 30, 12, tzinfo=UTC), "2026-12-01"),
        ({"2026-12-30": 50_000}, datetime(2026, 12, 31, 12, tzinfo=UTC), "2027-01-01"),
        ({"2026-10-30": 50_000}, NOW, "2026-11-22"),
    ],
)
def test_it_reopens_with_the_next_day_or_month(committed: dict[str, int], now: datetime, reopens: str) -> None:
    """At midnight UTC, or on the first if this month's money is used up; another month's does not count."""
    assert reopening(RULES, BudgetState(committed=committed), now).date().isoformat() == reopens


def test_what_is_held_follows_the_dearest_answer_and_stays() -> None:
    """A cheaper one after it, or another day, lowers nothing: the estimate was wrong and still is."""
    state = doubted(BudgetState(), UsageAnomalies(percent=130, model="gpt-4.1"), NOW)
    assert state.hold_percent("gpt-4.1") == 130
    state = doubted(state, UsageAnomalies(percent=115, model="gpt-4.1"), NOW + timedelta(days=1))
    assert (state.hold_percent("gpt-4.1"), state.absurd) == (130, 0)
    assert doubted(state, UsageAnomalies(absurd=1, model="gpt-4.1"), NOW).hold_percent("gpt-4.1") == 130


def test_an_estimate_that_was_wrong_says_nothing_of_other_models() -> None:
    """Each has its own formula, and what is under way when another is deployed raises its own."""
    state = doubted(BudgetState(), UsageAnomalies(percent=130, model="gpt-4.1"), NOW)
    assert state.hold_percent("gpt-6-luna") == 100
    assert doubted(state, UsageAnomalies(percent=120, model="gpt-6-luna"), NOW).hold_percents == {
        "gpt-4.1": 130,
        "gpt-6-luna": 120,
    }


def test_absurd_answers_that_would_not_matter_if_they_were_true_close_nothing() -> None:
    """A tenth of the day's limit is where money is in danger; what was counted on another day is not."""
    state = doubted(BudgetState(day=DAY), UsageAnomalies(absurd=100, absurd_micros=799), NOW)
    assert mode_now(state, RULES, NOW) is Mode.NORMAL
    assert mode_now(doubted(state, UsageAnomalies(absurd=1, absurd_micros=1), NOW), RULES, NOW) is Mode.CLOSED
    tomorrow = NOW + timedelta(days=1)
    assert mode_now(doubted(state, UsageAnomalies(absurd=3, absurd_micros=1), tomorrow), RULES, tomorrow) is Mode.NORMAL


def test_a_mode_that_only_a_newer_release_knows_closes() -> None:
    """Nothing is spent on the strength of a word that nobody here understands, and the word stays as it is."""
    state = BudgetState.model_validate({"day": DAY, "mode": "half_open"})
    assert mode_now(state, RULES, NOW) is Mode.CLOSED
    assert mode_now(state, RULES, NOW + timedelta(days=1)) is Mode.NORMAL
    assert state.model_dump(by_alias=True)["mode"] == "half_open"


def test_so_many_absurd_answers_close_the_day_unless_an_operator_opens_it() -> None:
    """One or two are slips. More of them, over any number of batches, close until midnight; an override wins."""
    state = BudgetState(day=DAY)
    for count in range(1, ABSURD_MAX + 1):
        state = doubted(state, UsageAnomalies(absurd=1, absurd_micros=500), NOW)
        assert (mode_now(state, RULES, NOW) is Mode.CLOSED) == (count == ABSURD_MAX)
    override = BudgetRules(override_mode="normal", override_until=NOW + timedelta(hours=1))
    assert mode_now(state, override, NOW) is Mode.NORMAL
    assert mode_now(state, RULES, NOW + timedelta(days=1)) is Mode.NORMAL
    assert doubted(state, UsageAnomalies(absurd=1), NOW + timedelta(days=1)).absurd == 1


def test_a_mode_set_by_hand_ends_when_it_was_said_to() -> None:
    """Whoever waits for it is told that time; if the guard is closed as well, what comes later."""
    until = NOW + timedelta(hours=1)
    override = BudgetRules(override_mode="closed", override_until=until)
    assert lifting(override, BudgetState(day=DAY), NOW) == until
    assert lifting(override, BudgetState(day=DAY, mode=Mode.CLOSED), NOW) == datetime(2026, 11, 22, tzinfo=UTC)
    assert lifting(RULES, BudgetState(day=DAY, mode=Mode.CLOSED), NOW) == datetime(2026, 11, 22, tzinfo=UTC)
    far = BudgetRules(override_mode="closed", override_until=NOW + timedelta(days=3))
    assert lifting(far, BudgetState(day=DAY, mode=Mode.CLOSED), NOW) == NOW + timedelta(days=3)
