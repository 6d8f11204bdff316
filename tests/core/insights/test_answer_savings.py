"""What changes answers and saves money: by what a request costs before and after, or by what a trial has measured."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from functions.adapters.prices import model_price
from functions.core.config.provider_rules import ProviderRules
from functions.core.config.runtime import ImageRules, ModelRules, RuntimeConfig
from functions.core.insights.answer_savings import Models
from functions.core.insights.saving_kinds import Kind, Saving
from functions.core.insights.savings import Known, savings
from functions.core.jobs.trials import Found, Sums, Trial
from functions.core.model.usage import ModelPrice
from functions.core.rollouts.flags import Cohort, FlagRules, Flags
from functions.core.shared.lanes import Lane
from functions.core.shared.providers import Provider
from tests.core.insights.test_savings import AT, COSTS, DAY, LUNA, models, one

HAIKU, AT_AZURE = "anthropic/claude-haiku-5-5", "azure/gpt-6-luna"


def test_a_smaller_photo_is_tried_first() -> None:
    """The next side down, from the first stage of its flag on; at the smallest there is none, nor while one is rolled
    out."""
    saving = one(Kind.IMAGE_SIDE)
    assert saving is not None
    assert saving.way == "trial"
    assert saving.arithmetic.startswith("512 -> 384 pixels a side; instant: ")
    assert 0.05 < saving.share < 0.15
    assert saving.low < saving.share < saving.high
    staged = {"side": {"cohort": "test", "autoAdvance": True}}
    assert saving.changes == {"images": {"nextSideMax": 384}, "flags": staged}
    assert one(Kind.IMAGE_SIDE, config=RuntimeConfig(images=ImageRules(side_max=256))) is None
    rolled = RuntimeConfig(flags=Flags(side=FlagRules(cohort=Cohort.SMALL)))
    assert one(Kind.IMAGE_SIDE, config=rolled) is None


def test_nothing_is_offered_that_a_stopped_flag_would_not_begin() -> None:
    """Until an operator has restarted it; what begins by another flag, or by none, is."""
    given = models("gpt-6-luna", "gpt-5-nano")
    ways = (Known(), Known(stopped={"side"}), Known(stopped={"side", "model", "prompt"}))
    kinds = [
        {each.kind for each in found.list}
        for k in ways
        if (found := savings(COSTS, [DAY] * 28, RuntimeConfig(), given, k))
    ]
    staged = {Kind.IMAGE_SIDE, Kind.MODEL, Kind.ANSWER_LENGTH}
    assert [each & staged for each in kinds] == [staged, staged - {Kind.IMAGE_SIDE}, set()]
    assert kinds[0] - staged == kinds[2]


def test_a_smaller_photo_that_costs_the_same_is_not_offered() -> None:
    """Some models count tiles: one of 512 pixels holds 384, too."""
    result = savings(COSTS, [DAY] * 28, RuntimeConfig(), models("gpt-4o"))
    assert result is not None
    assert Kind.IMAGE_SIDE not in {each.kind for each in result.list}


def test_shorter_answers_are_the_next_wording() -> None:
    """Nearly a third of what is paid for output, or none of it: a trial says; nothing before there was any, nor while
    the wording is on its way."""
    saving = one(Kind.ANSWER_LENGTH)
    assert saving is not None
    assert (saving.way, saving.arithmetic.split(";")[0]) == ("trial", "230 -> 161 tokens an answer")
    assert (saving.low, saving.high) == pytest.approx((0.0, 1.5 * saving.share), abs=0.0001)
    assert saving.changes == {"flags": {"prompt": {"cohort": "test", "autoAdvance": True}}}
    assert one(Kind.ANSWER_LENGTH, day=DAY.model_copy(update={"tokens": {}})) is None
    rolled = RuntimeConfig(flags=Flags(prompt=FlagRules(cohort=Cohort.SMALL)))
    assert one(Kind.ANSWER_LENGTH, config=rolled) is None


def test_the_cheapest_model_is_named() -> None:
    """Of those with a price in both lanes; none if ours is the cheapest, or while one is rolled out."""
    saving = one(Kind.MODEL)
    assert saving is not None
    assert saving.arithmetic.startswith("gpt-6-luna -> gpt-5-nano; ")
    assert saving.changes == {
        "model": {"next": "gpt-5-nano"},
        "flags": {"model": {"cohort": "test", "autoAdvance": True}},
    }
    rolled = RuntimeConfig(model=ModelRules(next="gpt-5-nano"), flags=Flags(model=FlagRules(cohort=Cohort.TEST)))
    assert one(Kind.MODEL, config=rolled) is None
    assert one(Kind.MODEL, config=rolled.model_copy(update={"model": ModelRules(next="gpt-5-mini")})) is None
    assert one(Kind.MODEL, config=RuntimeConfig(model=ModelRules(next="gpt-5-nano"))) is not None
    for known in (models("gpt-5-nano", LUNA), models(LUNA)):
        result = savings(COSTS, [DAY], RuntimeConfig(), known)
        assert result is not None
        assert Kind.MODEL not in {each.kind for each in result.list}


def with_others(cheap: str = HAIKU, times: float = 0.5, asked: str = LUNA) -> Models:
    """Return what could be asked at three providers, one model at so many times its price; Azure's in one lane."""
    prices = {
        name: {
            lane.value: _times(model_price(name, AT, batch=lane is Lane.BATCH), times if name == cheap else 1)
            for lane in Lane
            if lane is Lane.INSTANT or name != AT_AZURE
        }
        for name in (LUNA, HAIKU, AT_AZURE)
    }
    names = {Provider.OPENAI: LUNA, Provider.ANTHROPIC: HAIKU, Provider.AZURE: AT_AZURE}
    in_batches = LUNA if asked == AT_AZURE else asked
    return Models({Lane.INSTANT: asked, Lane.BATCH: in_batches}, prices, names)


def _times(price: ModelPrice, times: float) -> ModelPrice:
    by = Decimal(times)
    return ModelPrice(
        input=by * price.input, cached=by * price.cached, cache_write=by * price.cache_write, output=by * price.output
    )


def another(given: Models, providers: ProviderRules | None = None, **known: Any) -> Saving | None:
    """Return the recommendation of another provider, None if there is none."""
    config = RuntimeConfig(providers=providers or ProviderRules())
    found = savings(COSTS, [DAY] * 28, config, given, Known(**known))
    assert found is not None
    return next((each for each in found.list if each.kind == Kind.PROVIDER), None)


def test_another_provider_is_first_where_it_costs_less() -> None:
    """In both lanes, the one that was first behind it; its photos are another company's matter."""
    found = another(with_others())
    assert found is not None
    assert (found.way, found.arithmetic.split(";")[0]) == ("trial", f"{LUNA} -> {HAIKU}")
    assert found.changes == {"providers": {"order": ["anthropic", "openai"], "batchOrder": ["anthropic", "openai"]}}
    assert found.risk.startswith("Anthropic gets the photos")
    assert (found.low, found.high) == pytest.approx((0.85 * found.share, 1.15 * found.share), abs=0.0002)
    assert another(with_others(times=1)) is None


def test_a_provider_takes_the_lanes_in_which_it_is_cheaper_alone() -> None:
    """Azure has no batches; its model is OpenAI's, so no answer changes."""
    found = another(with_others(AT_AZURE))
    assert found is not None
    assert (found.way, found.changes) == ("apply", {"providers": {"order": ["azure", "openai"]}})
    assert found.risk.endswith("Its model is the same.")
    assert found.share == pytest.approx(0.5 * 200_000 / 300_000, abs=0.01)


def test_what_is_first_already_is_not_recommended() -> None:
    """Back to OpenAI it is, where that costs less by now; of three who were named two stay."""
    order: Any = ("anthropic", "azure")
    back = another(with_others(LUNA, 0.1, asked=HAIKU), ProviderRules(order=order, batch_order=("anthropic",)))
    assert back is not None
    assert back.changes == {"providers": {"order": ["openai", "anthropic"], "batchOrder": ["openai", "anthropic"]}}
    assert another(with_others(HAIKU, asked=HAIKU), ProviderRules(order=order)) is None


def test_a_model_of_openais_is_recommended_where_one_is_asked() -> None:
    """Azure is asked in the instant lane: the batch lane alone would be cheaper."""
    given = with_others(asked=AT_AZURE)
    nano = {lane.value: model_price("gpt-5-nano", AT, batch=lane is Lane.BATCH) for lane in Lane}
    found = savings(COSTS, [DAY], RuntimeConfig(), replace(given, prices={**given.prices, "gpt-5-nano": nano}))
    assert found is not None
    (cheaper,) = [each for each in found.list if each.kind == Kind.MODEL]
    assert "instant" not in cheaper.arithmetic
    at_anthropic = savings(COSTS, [DAY], RuntimeConfig(), with_others(asked=HAIKU))
    assert at_anthropic is not None
    assert Kind.MODEL not in {each.kind for each in at_anthropic.list}


def test_regions_say_how_many_photos_go_there() -> None:
    """Which nobody has counted: none, perhaps."""
    found = another(with_others(), ProviderRules(anthropic_regions=("DE",)))
    assert found is not None
    assert (found.low, "providers.anthropicRegions" in found.arithmetic) == (0.0, True)


def tried(changes: dict[str, Any], before: int, after: int, answered: int = 100) -> dict[str, Trial]:
    """Return a trial of another provider that has cost so much before and after."""
    sums = [Sums(input=1, output=1, micros=each) for each in (before, after)]
    at = datetime(2026, 11, 20, tzinfo=UTC)
    found = Found(
        at=at, answered=answered, same=answered, left_out=0, low=1, high=1, before=sums[0], after=sums[1], passed=True
    )
    fields: dict[str, Any] = {"base": LUNA, "model": HAIKU, "prompt": "1", "side_max": 512, "by": "ana", "at": at}
    return {"provider": Trial(number=1, kind="provider", changes=changes, photos=100, found=found, **fields)}


def test_what_a_trial_has_measured_is_promised() -> None:
    """A fifth less, in the lanes that change; that nothing is saved is said, and no longer offered."""
    reckoned = another(with_others())
    assert reckoned is not None
    assert reckoned.changes is not None
    found = another(with_others(), tried=tried(reckoned.changes, 10_000, 8_000))
    assert found is not None
    assert (found.share, found.low, found.high, found.way) == (0.2, 0.17, 0.23, "trial")
    assert found.arithmetic.startswith("In a trial 100 photos cost 100 -> 80 µ$ each at the price of batches; reckoned")
    nothing = another(with_others(), tried=tried(reckoned.changes, 10_000, 11_000))
    assert nothing is not None
    assert (nothing.way, nothing.share, nothing.changes) == ("nothing", 0.0, None)
    for useless in (tried({}, 10_000, 8_000), tried(reckoned.changes, 0, 0, answered=0)):
        assert another(with_others(), tried=useless) == reckoned


def test_what_a_trial_has_measured_counts_in_the_lanes_that_change() -> None:
    """A third of the cost is the batch lane's, which alone is moved."""
    given = with_others(HAIKU)
    dear = {**given.prices[HAIKU], Lane.INSTANT.value: model_price(HAIKU, AT, batch=False)}
    given = replace(given, prices={**given.prices, HAIKU: dear})
    reckoned = another(given)
    assert reckoned is not None
    assert reckoned.changes == {"providers": {"batchOrder": ["anthropic", "openai"]}}
    found = another(given, tried=tried(reckoned.changes, 10_000, 7_000))
    assert found is not None
    assert found.share == pytest.approx(0.3 * 100_000 / 300_000)


def test_what_a_trial_of_a_model_has_measured_counts_where_openais_is_asked() -> None:
    """Azure is asked in the instant lane, which stays as it is."""
    given = with_others(asked=AT_AZURE)
    nano = {lane.value: model_price("gpt-5-nano", AT, batch=lane is Lane.BATCH) for lane in Lane}
    given = replace(given, prices={**given.prices, "gpt-5-nano": nano})
    changes = {"model": {"next": "gpt-5-nano"}, "flags": {"model": {"cohort": "test", "autoAdvance": True}}}
    known = Known(tried={"model": tried(changes, 10_000, 7_000)["provider"]})
    found = savings(COSTS, [DAY], RuntimeConfig(), given, known)
    assert found is not None
    (cheaper,) = [each for each in found.list if each.kind == Kind.MODEL]
    assert cheaper.share == pytest.approx(0.3 * 100_000 / 300_000)


def test_what_no_trial_could_tell_is_not_recommended() -> None:
    """Trials are held against the instant lane's answers: another model's in batches are not among them."""
    given = replace(with_others(HAIKU), asked={Lane.INSTANT: HAIKU, Lane.BATCH: LUNA})
    nano = {lane.value: model_price("gpt-5-nano", AT, batch=lane is Lane.BATCH) for lane in Lane}
    found = savings(COSTS, [DAY], RuntimeConfig(), replace(given, prices={**given.prices, "gpt-5-nano": nano}))
    assert found is not None
    assert {Kind.PROVIDER, Kind.MODEL}.isdisjoint(each.kind for each in found.list)
