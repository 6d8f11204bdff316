"""Achievements: unlocked by the write that reaches them, once, with their tokens."""

import pytest

from functions.core.budget.holds import CostCeiling
from functions.core.config.achievements import Achievement, AchievementRules, Counter
from functions.core.config.runtime import RuntimeConfig
from functions.core.jobs.opening import Opened, decide
from functions.core.wallet.accounts import Account, reopened_account
from functions.core.wallet.achievements import shown_achievements, unlocked
from functions.core.wallet.ledger import Reason
from tests.builders import NOW, account, job

BEGINNER = Achievement(name="beginner", counter=Counter.SCANS, at_least=2, tokens=3)
FAITHFUL = Achievement(name="faithful", counter=Counter.STREAK_DAYS, at_least=7)
KEEN = Achievement(name="keen", counter=Counter.POINTS, at_least=100, tokens=500)
HELPFUL = Achievement(name="helpful", counter=Counter.CORRECTIONS, at_least=1)


def runtime(*rules: Achievement, opened: bool = True) -> RuntimeConfig:
    """Return a config with these achievements."""
    return RuntimeConfig(achievements=AchievementRules(open=opened, rules=rules))


def entries(after: Account) -> list[tuple[str, int]]:
    """Return what was posted, as ids and tokens."""
    return [(entry.entry_id, entry.delta) for entry in after.new_entries]


@pytest.mark.parametrize(
    ("rule", "below", "reached"),
    [
        (BEGINNER, {"scans": 1}, {"scans": 2}),
        (FAITHFUL, {"streak_days": 7, "bonus_day": "2026-11-19"}, {"streak_days": 7, "bonus_day": "2026-11-21"}),
        (KEEN, {"points": 99}, {"points": 100}),
        (HELPFUL, {"corrections": 0}, {"corrections": 1}),
    ],
)
def test_an_achievement_is_unlocked_when_its_counter_is_reached(
    rule: Achievement, below: dict[str, object], reached: dict[str, object]
) -> None:
    """Each of the four counters; one below posts nothing, and a streak that was broken is none."""
    assert unlocked(account().with_fields(**below), runtime(rule), NOW).new_entries == ()
    after = unlocked(account().with_fields(**reached), runtime(rule), NOW)
    assert entries(after) == [(f"achieve:{rule.name}", min(rule.tokens, 200))]
    assert after.wallet.achieved == (rule.name,)


def test_none_comes_twice_and_several_come_at_once() -> None:
    """A further write finds their names in the wallet."""
    config = runtime(BEGINNER, HELPFUL)
    once = unlocked(account().with_fields(scans=9, corrections=1), config, NOW)
    assert entries(once) == [("achieve:beginner", 3), ("achieve:helpful", 0)]
    assert unlocked(once, config, NOW) == once


def test_a_lost_wallet_gets_its_achievements_back() -> None:
    """Or the next write would post an entry that exists, and fail for ever."""
    once = unlocked(account().with_fields(scans=9), runtime(BEGINNER), NOW)
    anew = reopened_account(once.new_entries, NOW).with_fields(scans=9)
    assert anew.wallet.achieved == ("beginner",)
    assert unlocked(anew, runtime(BEGINNER), NOW).new_entries == ()


def test_without_achievements_nothing_is_unlocked_or_shown() -> None:
    """They are off until an operator opens them."""
    assert not AchievementRules().open
    closed = runtime(BEGINNER, opened=False)
    assert unlocked(account().with_fields(scans=9), closed, NOW).new_entries == ()
    assert shown_achievements(account().wallet, closed, NOW) == []


def test_what_is_missing_is_shown() -> None:
    """How far each is: never beyond what it takes, and never below nothing."""
    after = unlocked(account().with_fields(scans=9, points=-10), runtime(BEGINNER, KEEN), NOW)
    assert shown_achievements(after.wallet, runtime(BEGINNER, KEEN), NOW) == [
        {"name": "beginner", "counter": "scans", "atLeast": 2, "tokens": 3, "reached": 2, "unlocked": True},
        {"name": "keen", "counter": "points", "atLeast": 100, "tokens": 500, "reached": 0, "unlocked": False},
    ]


def test_the_charge_that_reaches_it_unlocks_it() -> None:
    """In the same write as the jobs; the job's own bought tokens are told by its charge, whatever comes after it."""
    wallet = account().post(1, Reason.WELCOME, None, NOW, bought=5).wallet
    jobs = [job(job_id=f"{number:032x}", tokens_cost=2, points=10) for number in range(2)]
    opened = decide(wallet, jobs, CostCeiling(0), runtime(BEGINNER))
    assert isinstance(opened, Opened)
    assert entries(opened.account)[-1] == ("achieve:beginner", 3)
    assert [each.tokens_bought for each in opened.jobs] == [1, 2]


def test_a_refused_charge_unlocks_nothing() -> None:
    """What was reached before is unlocked by a write that takes place."""
    wallet = account().with_fields(scans=9).wallet
    opened = decide(wallet, [job()], CostCeiling(0), runtime(BEGINNER))
    assert isinstance(opened, Opened)
    assert (opened.jobs, entries(opened.account)) == ((), [])
