"""The ways to earn: each once for its key, within its limits, and never beyond the cap."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.core.config.plans import Plans
from functions.core.config.tokens import TokenRules
from functions.core.shared.errors import ConversionLimit, DailyLimit, InvalidRequest
from functions.core.wallet.accounts import Account
from functions.core.wallet.earning import convert_points, daily_bonus, manual_classification, streak
from functions.core.wallet.ledger import Reason, today_of
from tests.builders import NOW, account

RULES = TokenRules()
FREE = Plans().free
DAY = timedelta(days=1)


def with_points(points: int, balance: int = 0) -> Account:
    """Return an account with these points and tokens."""
    return account().post(balance, Reason.WELCOME, None, NOW, points=points)


# Daily bonus


def test_coming_back_every_day_makes_a_streak() -> None:
    """Two tokens a day, one entry a day, and a streak that counts the days in a row."""
    ledger = account()
    for days in range(4):
        ledger = daily_bonus(ledger, RULES, NOW + days * DAY)
    assert [(entry.entry_id, entry.delta) for entry in ledger.new_entries] == [
        ("bonus:2026-11-21", 2),
        ("bonus:2026-11-22", 2),
        ("bonus:2026-11-23", 2),
        ("bonus:2026-11-24", 2),
    ]
    assert streak(ledger.wallet, NOW + 3 * DAY) == 4


def test_a_day_left_out_ends_the_streak() -> None:
    """The streak still stands on the next day, is gone on the one after, and begins again with the next bonus."""
    ledger = daily_bonus(daily_bonus(account(), RULES, NOW), RULES, NOW + DAY)
    assert [streak(ledger.wallet, NOW + days * DAY) for days in (1, 2, 3)] == [2, 2, 0]
    assert streak(daily_bonus(ledger, RULES, NOW + 3 * DAY).wallet, NOW + 3 * DAY) == 1


@pytest.mark.parametrize("back", [timedelta(), timedelta(hours=3), DAY, 30 * DAY])
def test_a_bonus_is_not_granted_twice_even_if_the_clock_goes_back(back: timedelta) -> None:
    """Nobody earns by a clock that is set back."""
    with pytest.raises(DailyLimit):
        daily_bonus(daily_bonus(account(), RULES, NOW), RULES, NOW - back)


@pytest.mark.parametrize(("balance", "earned"), [(197, 2), (198, 2), (199, 1), (200, 0), (205, 0)])
def test_earning_stops_at_the_cap(balance: int, earned: int) -> None:
    """A bonus is clipped to what fits; a balance that refunds brought above the cap is not cut."""
    entry = daily_bonus(with_points(0, balance), RULES, NOW).new_entries[-1]
    assert (entry.delta, entry.balance_after) == (earned, balance + earned)


# Manual classification


def test_a_manual_classification_brings_a_token_and_points() -> None:
    """Both under the request's key, with what was classified."""
    detail = {"category": "Dry Waste"}
    ledger = manual_classification(account(), "request-1", detail, RULES, FREE, NOW)
    (entry,) = ledger.new_entries
    assert (entry.entry_id, entry.delta, entry.points, entry.detail) == ("manual:request-1", 1, 10, detail)
    assert ledger.wallet.points == 10


def test_the_plan_limits_the_rewards_of_a_day() -> None:
    """Five on the free plan; the next day brings new ones."""
    ledger = account()
    for number in range(FREE.manual_per_day):
        ledger = manual_classification(ledger, f"request-{number}", {}, RULES, FREE, NOW)
    with pytest.raises(DailyLimit) as limited:
        manual_classification(ledger, "one-more", {}, RULES, FREE, NOW)
    assert limited.value.details == {"limit": FREE.manual_per_day, "resetsAt": "2026-11-22T00:00:00Z"}
    tomorrow = manual_classification(ledger, "one-more", {}, RULES, FREE, NOW + DAY)
    assert today_of(tomorrow.wallet, NOW + DAY).manual == 1


# Conversion


@pytest.mark.parametrize("points", [0, 1, 99, 150, -100])
def test_only_whole_tokens_are_bought(points: int) -> None:
    """Points that would be lost in rounding are refused by name."""
    with pytest.raises(InvalidRequest) as refused:
        convert_points(with_points(1_000), "request-1", points, RULES, NOW)
    assert refused.value.details == {"field": "points"}


def test_points_become_tokens_once() -> None:
    """Two tokens for 200 points: the points stay on the leaderboard, and only the other 50 are left to convert."""
    bought = convert_points(with_points(250), "request-1", 200, RULES, NOW)
    assert (bought.wallet.balance, bought.wallet.points, bought.wallet.converted_points) == (2, 250, 200)
    assert today_of(bought.wallet, NOW).converted == 2
    with pytest.raises(ConversionLimit):
        convert_points(bought, "request-2", 100, RULES, NOW)


@pytest.mark.parametrize(
    ("available", "balance", "points", "details"),
    [
        (199, 0, 200, {"tokensLeftToday": 5, "pointsAvailable": 199, "room": 200}),
        (9_999, 0, 600, {"tokensLeftToday": 5, "pointsAvailable": 9_999, "room": 200}),
        (9_999, 199, 200, {"tokensLeftToday": 5, "pointsAvailable": 9_999, "room": 1}),
        (9_999, 205, 100, {"tokensLeftToday": 5, "pointsAvailable": 9_999, "room": 0}),
        (-10, 0, 100, {"tokensLeftToday": 5, "pointsAvailable": 0, "room": 200}),
    ],
)
def test_a_conversion_beyond_a_limit_says_what_is_left(
    available: int, balance: int, points: int, details: dict[str, int]
) -> None:
    """Too few points, enough for today, or no room under the cap, where the points would be burnt."""
    with pytest.raises(ConversionLimit) as limited:
        convert_points(with_points(available, balance), "request-1", points, RULES, NOW)
    assert limited.value.details == details


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 3)), max_size=12), st.integers(0, 3_000))
def test_points_are_never_spent_twice(steps: list[tuple[int, int]], points: int) -> None:
    """Whatever is asked for and when: converted points never exceed the lifetime's, nor five tokens a day."""
    ledger, now, bought = with_points(points), NOW, {NOW.date(): 0}
    for number, (wanted, days) in enumerate(steps):
        now += days * DAY
        try:
            ledger = convert_points(ledger, f"request-{number}", wanted, RULES, now)
        except (ConversionLimit, InvalidRequest):
            continue
        bought[now.date()] = bought.get(now.date(), 0) + wanted // RULES.points_per_token
    assert ledger.wallet.points == points
    assert ledger.wallet.converted_points == 100 * ledger.wallet.balance <= points
    assert max(bought.values()) <= RULES.conversion_tokens_per_day
