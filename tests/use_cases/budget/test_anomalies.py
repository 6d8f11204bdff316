"""Usage that the provider reports and nobody believes, or that costs more than was held."""

from datetime import timedelta

import pytest

from functions.adapters.providers import openai as adapter
from functions.core.batches import reports
from functions.core.model.dialects.openai import read_completion
from functions.core.shared.errors import (
    BudgetExhausted,
)
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.operations.admin_set_config import AdminSetConfig, admin_set_config
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.inprocess import InProcessCloud
from tests.steps import CRONS, alerts, classify, job, stored, ticks, today
from tests.use_cases.budget.books import BIG, MIDNIGHT, batch_hold, books, configure, held_for_a_call, reporting


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        {"prompt_tokens": -5, "completion_tokens": 10},
        {"prompt_tokens": 10, "completion_tokens": -1},
        {"prompt_tokens": 10**30, "completion_tokens": 1},
        {"prompt_tokens": 9_000_000, "completion_tokens": 9_000_000},
        {"prompt_tokens": "many", "completion_tokens": 1},
        {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 11}},
    ],
    ids=str,
)
def test_a_usage_that_cannot_be_is_booked_at_the_most(
    cloud: InProcessCloud, usage: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Absent, negative or absurd: the result counts, the most that it can have cost is booked, operators are told."""
    read = read_completion  # what the stand-in reports is spoilt on its way
    monkeypatch.setattr(adapter, "read_completion", lambda body: read({**body, "usage": usage}))
    found = job(cloud, classify(cloud, "one"))
    assert (found["status"], found["costMicros"]) == ("done", found["hold"]["lineMicros"])
    assert books(cloud)[1:] == (0, found["hold"]["lineMicros"])
    assert set(alerts(cloud)) == {f"usage_unreported-{today(cloud)}"}


def test_a_report_above_the_hold_is_booked_and_held_for_from_then_on(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is what the invoice will say: booked in full, told, and the next call holds as much as that came to."""
    held = held_for_a_call(cloud)
    reporting(monkeypatch, 8_000)
    first = job(cloud, classify(cloud, "one"))
    assert held < first["costMicros"] == 900 <= 2 * held
    _, reserved, spent = books(cloud)
    assert (reserved, spent) == (0, held)
    guard_budget(cloud.deps)  # finds room for what was not held
    assert books(cloud)[1:] == (0, 900)
    assert guard_budget(cloud.deps)["repaired"] == 0
    assert set(alerts(cloud)) == {f"estimate_exceeded-{today(cloud)}"}
    cloud.clock.advance(timedelta(seconds=31))
    second = job(cloud, classify(cloud, "two"))
    assert second["hold"]["lineMicros"] >= 900
    assert books(cloud)[1:] == (0, 1_800)
    assert stored(cloud, f"budget/{today(cloud)}")["costs"] == {"instant": {"gpt-6-luna": 900}}


def test_reserved_and_spent_stay_within_the_limit_whatever_is_reported(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the last of the budget in flight, answers come to more than was held: the accounts stop at the limit, the
    rest is on record and told, and nothing more is sent."""
    most = held_for_a_call(cloud)
    configure(cloud, dailyLimitMicros=16 * most + 7, monthlyLimitMicros=BIG)
    reporting(monkeypatch, 10_000)
    served = 0
    for number in range(40):
        try:
            served += classify(cloud, str(number), uid=f"user-{number}", allowBatch=False)["status"] == "done"
        except BudgetExhausted:
            break
        limit, reserved, spent = books(cloud)
        assert reserved + spent <= limit
    guard_budget(cloud.deps)
    book = stored(cloud, f"budget/{today(cloud)}")
    assert book["reserved"] + book["spent"] <= book["limit"]
    assert book["spent"] + book["excess"] == served * 1_100
    with pytest.raises(BudgetExhausted):
        classify(cloud, "more", allowBatch=False)


def test_absurd_reports_close_the_day(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is a slip; with the third nobody knows what the bill is: nothing is sent until midnight, or until an operator
    has looked."""
    reporting(monkeypatch, 9_000_000)
    for key in ("one", "two", "three"):
        assert classify(cloud, key)["status"] == "done"
    cloud.clock.advance(timedelta(seconds=31))
    with pytest.raises(BudgetExhausted) as refused:
        classify(cloud, "four", allowBatch=False)
    assert refused.value.details == {"resetsAt": MIDNIGHT}
    assert set(alerts(cloud)) == {f"usage_unreported-{today(cloud)}", f"usage_absurd-{today(cloud)}"}
    until = (cloud.clock() + timedelta(hours=1)).isoformat()
    changes = {"budget": {"overrideMode": "normal", "overrideUntil": until}}
    admin_set_config(AdminSetConfig(changes=changes), "root", cloud.deps)
    cloud.clock.advance(timedelta(seconds=31))
    assert classify(cloud, "five", allowBatch=False)["status"] == "done"


def test_more_output_than_was_asked_for_is_booked_and_closes_nothing(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers of 950 tokens that cost less than was held are paid for, and nobody has to be told or waits for it."""
    reporting(monkeypatch, 500, 950)
    for key in ("one", "two", "three", "four"):
        assert job(cloud, classify(cloud, key, allowBatch=False))["costMicros"] == 525
        cloud.clock.advance(timedelta(seconds=31))
    assert alerts(cloud) == {}


def test_absurd_reports_that_endanger_no_money_close_nothing(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is told, and booked at the most; if all of them were true, the day would still be far from its limit."""
    reporting(monkeypatch, 100_000)
    for key in ("one", "two", "three", "four"):
        assert classify(cloud, key, allowBatch=False)["status"] == "done"
        cloud.clock.advance(timedelta(seconds=31))
    assert set(alerts(cloud)) == {f"usage_unreported-{today(cloud)}"}
    assert stored(cloud, "stats/budget")["absurd"] == 4


def test_a_batch_whose_lines_cost_more_than_was_held(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Booked in full, told once, and lines of the next batch are held at what these came to."""
    answers = [classify(cloud, str(number), "batch") for number in range(5)]
    submit_batches(cloud.deps)
    held = batch_hold(cloud)
    read = read_completion
    usage = {"prompt_tokens": 8_000, "completion_tokens": 200}
    monkeypatch.setattr(reports, "read_completion", lambda body: read({**body, "usage": usage}))
    ticks(cloud, timedelta(hours=1), CRONS)
    costs = sum(job(cloud, answer)["costMicros"] for answer in answers)
    assert costs == 5 * 450 > held["micros"]
    assert books(cloud)[1:] == (0, costs)
    assert set(alerts(cloud)) == {f"estimate_exceeded-{today(cloud)}"}
    assert stored(cloud, "stats/budget")["holdPercents"]["gpt-6-luna"] == -(-100 * 450 // held["lineMicros"])
