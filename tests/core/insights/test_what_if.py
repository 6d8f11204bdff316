"""What days would have been under another config: admission by the budget's rules, cost by what photos cost."""

from datetime import timedelta
from typing import Any

import pytest

from functions.core.config.changes import known_fields, proposed
from functions.core.config.runtime import RuntimeConfig
from functions.core.insights.replay import Outcome
from functions.core.insights.usage_day import Slot, UsageDay
from functions.core.insights.what_if import DAYS_LEAST, REPLAYED, WhatIf, assumed, enough, what_if
from functions.core.shared.utc_days import day_bounds
from tests.builders import BATCH_PRICE, PRICE
from tests.core.insights.days import MODEL, usage_day

PRICES = {"instant": PRICE, "batch": BATCH_PRICE}
BATCH_MOST, INSTANT_MOST = 1_185, 2_370
"""What is held for a photo of 512 pixels at these prices, as in test_projection.py."""


def tried(days: dict[str, UsageDay], changes: dict[str, Any], now: dict[str, Any] | None = None) -> WhatIf:
    """Return what becomes of days under the defaults, or `now`, with these changes."""
    before = proposed({}, now or {}).config
    return what_if(days, before, proposed(before.as_json(), changes).config, MODEL, PRICES)


def test_without_a_change_the_days_cost_what_they_cost() -> None:
    """Every photo in the lane that it was asked for, at the day's own cost of one."""
    days = {
        "2026-11-01": usage_day("2026-11-01", instant=3, batch=4, micros=(300, 90)),
        "2026-11-02": usage_day(instant=1, batch=2, hours=(1, 20)),
    }
    found = tried(days, {})
    assert found.as_set == found.changed
    assert [day.micros for day in found.changed.values()] == [3 * 300 + 4 * 90, 2 * 200 + 4 * 100]
    assert found.changed["2026-11-02"] == Outcome(
        micros=800, instant=2, batch=4, moved=0, waiting=0, refunded=0, tokens=2 * 5 + 4 * 1
    )
    assert (found.figures, found.not_in_days) == ([], [])


def test_a_price_in_tokens_changes_what_users_pay_and_no_cost() -> None:
    """And the projection's figures say the rest."""
    found = tried({"2026-11-02": usage_day(instant=3, batch=4)}, {"tokens": {"instantPrice": 8}})
    assert found.as_set["2026-11-02"].tokens == 19
    assert found.changed["2026-11-02"].tokens == 28
    assert found.changed["2026-11-02"].micros == found.as_set["2026-11-02"].micros
    assert {"name": "instant: price", "unit": "tokens", "now": 5, "then": 8}.items() <= found.figures[0].items()


def test_a_larger_photo_costs_the_difference_of_what_is_expected() -> None:
    """On top of what a photo cost on that day."""
    found = tried({"2026-11-02": usage_day(instant=1, batch=1)}, {"images": {"sideMax": 1024}})
    expected = {line["name"]: line["then"] - line["now"] for line in found.figures}
    more = expected["instant: a photo"] + expected["batch: a photo"]
    assert more > 0
    assert found.changed["2026-11-02"].micros == 300 + more


def test_a_lane_without_an_answer_costs_what_it_costs_on_other_days_or_is_expected_to() -> None:
    """A day on which the provider was down says nothing of costs."""
    silent = usage_day("2026-11-01")
    begins, _ = day_bounds("2026-11-01")
    asked = Slot(until=begins + timedelta(hours=1), arrivals={"instant": 2, "batch": 2})
    silent = silent.model_copy(update={"slots": (asked, *silent.slots[1:])})
    other = {"2026-11-01": silent, "2026-11-02": usage_day(instant=1, batch=1)}
    assert tried(other, {}).changed["2026-11-01"].micros == 2 * 200 + 2 * 100
    alone = tried({"2026-11-01": silent}, {}).changed["2026-11-01"]
    assert alone.micros > 0
    assert alone.batch == 2


def test_users_and_answers_are_those_of_the_days() -> None:
    """Photos for each visit, the share of instant ones, tokens of an answer; failed photos are answers that cost."""
    failed = usage_day(instant=1, batch=3, visits={"all": 2})
    failed.slots[12].tally["instant"][MODEL].update({"done": 0, "failed:INVALID_IMAGE": 1})
    found = assumed(
        {"2026-11-01": usage_day("2026-11-01", batch=4, visits={"all": 4}), "2026-11-02": failed}, MODEL, PRICES
    )
    assert (found.answer_tokens, found.users, found.photos_per_day, found.instant_percent) == (
        230,
        {"free": 3},
        1.33,
        12,
    )


def test_a_week_of_days_with_photos_is_enough() -> None:
    """Empty days say nothing."""
    days = {f"2026-11-{number:02}": usage_day(f"2026-11-{number:02}", batch=1) for number in range(1, DAYS_LEAST + 1)}
    assert enough(days)
    assert not enough({**days, "2026-11-01": usage_day("2026-11-01")})


def test_a_field_whose_effect_the_days_do_not_show_is_named() -> None:
    """Limits of one user are not replayed, and it says so."""
    changes = {
        "plans": {"free": {**RuntimeConfig().plans.free.as_json(), "instantPerDay": 1}},
        "instant": {"open": False},
    }
    found = tried({"2026-11-02": usage_day(instant=3)}, changes)
    assert found.not_in_days == ["plans.free.instantPerDay"]
    assert set(known_fields()) >= REPLAYED


SENSIBLE: dict[str, Any] = {
    "tokens.instantPrice": 7,
    "tokens.batchPrice": 3,
    "images.sideMax": 1024,
    "instant.open": False,
    "budget.dailyLimitMicros": BATCH_MOST,
    "budget.monthlyLimitMicros": BATCH_MOST,
    "budget.batchOnlyPercent": 1,
    "defaultRegion": "Thiruvananthapuram",
    "defaultLanguage": "zh-Hant-TW",
}


@pytest.mark.parametrize("field", sorted(REPLAYED))
def test_the_days_do_show_what_they_are_said_to_show(field: str) -> None:
    """Each field that is not named as missing changes some day."""
    section, _, name = field.rpartition(".")
    changes = {section: {name: SENSIBLE[field]}} if section else {name: SENSIBLE[field]}
    now = {"budget": {"dailyLimitMicros": 100_000}}
    found = tried({"2026-11-02": usage_day(instant=3, batch=4, hours=(8, 9))}, changes, now)
    assert found.not_in_days == []
    assert found.changed != found.as_set
