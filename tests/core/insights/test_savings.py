"""What would save money: each by the arithmetic that it shows, together never more than the cost."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.adapters.prices import model_price
from functions.core.config.runtime import BatchRules, CacheRules, RuntimeConfig
from functions.core.config.tokens import TokenRules
from functions.core.insights.answer_savings import Models
from functions.core.insights.day_notes import NotedDay
from functions.core.insights.saving_kinds import Again, Costs, Kind, Saving, Savings
from functions.core.insights.savings import Known, savings
from functions.core.model.prompts import PROMPT_NEXT, PROMPT_VERSION
from functions.core.shared.lanes import Lane
from functions.core.shared.providers import Provider

LUNA = "gpt-6-luna"
AT = datetime(2026, 11, 21, tzinfo=UTC)
COSTS = Costs(300_000, {Lane.INSTANT: 1_000.0, Lane.BATCH: 1_000.0}, {Lane.INSTANT: 200.0, Lane.BATCH: 100.0})
DAY = NotedDay(
    ended={"instant": 30, "batch": 30},
    done=66,
    answered=60,
    users=5,
    retried=3,
    tokens={"input": 50_000, "cached": 0, "output": 13_800},
)


def models(*names: str) -> Models:
    """Return these models' prices, the first of which is asked."""
    prices = {name: {lane.value: model_price(name, AT, batch=lane is Lane.BATCH) for lane in Lane} for name in names}
    return Models(dict.fromkeys(Lane, names[0]), prices, {Provider.OPENAI: names[0]})


def found(
    costs: Costs = COSTS, config: RuntimeConfig | None = None, kept: dict[str, float] | None = None, day: NotedDay = DAY
) -> Savings:
    """Return what would save money, of 28 equal days."""
    known = models(LUNA, "gpt-5-nano", "gpt-4o")
    result = savings(costs, [day] * 28, config or RuntimeConfig(), known, Known(kept or {}))
    assert result is not None
    return result


def one(kind: Kind, **given: Any) -> Saving | None:
    """Return one of them, None if it is not there."""
    return next((each for each in found(**given).list if each.kind == kind), None)


def test_the_greatest_comes_first_and_together_they_are_multiplied() -> None:
    """One after another, on what the ones before have left."""
    result = found()
    assert (result.model, result.prompt, result.prompt_next) == (LUNA, PROMPT_VERSION, PROMPT_NEXT)
    assert result.side_max == 512
    shares = [each.share for each in result.list]
    assert shares == sorted(shares, reverse=True)
    left = 1.0
    for share in shares:
        left *= 1 - share
    assert result.together == pytest.approx(1 - left, abs=0.001)
    assert result.cost == 300_000


def test_nothing_is_saved_of_nothing() -> None:
    """Before a photo has cost anything."""
    assert savings(replace(COSTS, photos=dict.fromkeys(Lane, 0.0)), [], RuntimeConfig(), models(LUNA)) is None


def test_moving_photos_is_their_number_times_what_lanes_are_apart() -> None:
    """A tenth of 1,000 x 100 of 300,000; none if the lanes cost the same, or nobody could pay more."""
    saving = one(Kind.LANE_SHARE)
    assert saving is not None
    assert (saving.share, saving.low, saving.high) == (0.0333, 0.0, 0.1)
    assert saving.changes == {"tokens": {"instantPrice": 6}}
    assert saving.way == "apply"
    assert one(Kind.LANE_SHARE, costs=replace(COSTS, photo_micros=dict.fromkeys(Lane, 100.0))) is None
    dear = RuntimeConfig(tokens=TokenRules(instant_price=10, balance_cap=10))
    assert one(Kind.LANE_SHARE, config=dear) is None


def test_attempts_are_at_most_what_is_asked_again() -> None:
    """Three of thirty a day, in the batch lane; nothing if none is, or only one attempt is made."""
    saving = one(Kind.ATTEMPTS)
    assert saving is not None
    assert saving.low == 0
    assert saving.high == pytest.approx(0.1 * 100_000 / 300_000, abs=0.001)
    assert saving.changes == {"batch": {"attemptsMax": 2}}
    assert one(Kind.ATTEMPTS, day=DAY.model_copy(update={"retried": 0})) is None
    assert one(Kind.ATTEMPTS, config=RuntimeConfig(batch=BatchRules(attempts_max=1))) is None


def test_the_cache_is_measured_before_it_is_promised() -> None:
    """Shadow mode promises nothing; what it answers by now is said."""
    saving = one(Kind.CACHE)
    assert saving is not None
    assert (saving.way, saving.share, saving.changes) == ("apply", 0.0, {"cache": {"exact": "shadow"}})
    on = one(Kind.CACHE, config=RuntimeConfig(cache=CacheRules.model_validate({"exact": "on"})))
    assert on is not None
    assert (on.way, "168 of 1,848 answered photos cost nothing" in on.arithmetic) == ("nothing", True)


def test_the_same_file_again_costs_nothing_once_the_cache_answers() -> None:
    """As many as came again in shadow mode, each at its lane's price, in nine of ten cases between the bounds."""
    shadow = RuntimeConfig(cache=CacheRules.model_validate({"exact": "shadow"}))

    def counted(known: dict[str, int]) -> Saving:
        seen = Again({"instant": 1_000, "batch": 500}, known)
        found = savings(COSTS, [DAY] * 28, shadow, models(LUNA), Known(again=seen))
        assert found is not None
        return next(each for each in found.list if each.kind == Kind.CACHE)

    some = counted({"instant": 100, "batch": 20})
    assert (some.way, some.changes) == ("apply", {"cache": {"exact": "on"}})
    assert some.share == pytest.approx((0.1 * 200_000 + 0.04 * 100_000) / 300_000)
    assert some.low < some.share < some.high < 0.1
    none = counted({})
    assert (none.way, none.arithmetic) == ("nothing", "In shadow mode none of 1,500 photos came again so far.")
    untold = one(Kind.CACHE, config=shadow)
    assert untold is not None
    assert untold.way == "nothing"
    only = savings(COSTS, [DAY], shadow, models(LUNA), Known(again=Again({"batch": 10}, {"batch": 1})))
    assert only is not None


def test_kept_promises_correct_later_ones() -> None:
    """Half came about; three times as much is never more than everything."""
    half, whole = one(Kind.LANE_SHARE, kept={"lane_share": 0.5}), one(Kind.MODEL, kept={"model": 9.0})
    assert half is not None
    assert whole is not None
    assert half.share == pytest.approx(0.0333 / 2, abs=0.0001)
    assert whole.share == 1.0


@given(instant=st.floats(0, 1e6), batch=st.floats(0, 1e6), micros=st.floats(1, 5_000), times=st.floats(0.05, 1))
def test_together_is_never_above_the_cost(instant: float, batch: float, micros: float, times: float) -> None:
    """Whatever is spent on which lane."""
    costs = Costs(1, {Lane.INSTANT: instant, Lane.BATCH: batch}, {Lane.INSTANT: micros, Lane.BATCH: micros * times})
    result = savings(costs, [DAY], RuntimeConfig(), models(LUNA, "gpt-5-nano"))
    assert result is None or 0 <= result.together <= 1
    assert result is None or all(0 <= each.low <= each.share <= each.high <= 1 for each in result.list)
