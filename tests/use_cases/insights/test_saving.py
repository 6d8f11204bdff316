"""A recommendation is applied as it was seen, on record, and measured: what it came to corrects the next promise."""

from datetime import timedelta
from typing import Any

import pytest

from functions.core.rollouts.flags import Flag
from functions.core.rollouts.stops import By, Stop
from functions.core.shared.errors import InvalidRequest, SettingsChanged
from functions.use_cases.insights.plan_ahead import plan_ahead
from functions.use_cases.operations.admin_set_config import AdminSetConfig, admin_set_config
from scripts.inprocess import InProcessCloud
from tests.core.insights.days import usage_day
from tests.steps import listed, stored

DAY = timedelta(days=1)
PROMISED = {"kind": "lane_share", "promised": 0.05}


def note(cloud: InProcessCloud, back: int, instant: int = 30) -> None:
    """Write a day of sixty photos."""
    day = (cloud.clock() - back * DAY).date().isoformat()
    usage = usage_day(day, instant=instant + back % 3, batch=60 - instant - back % 3, visits={"all": 20})
    cloud.client.document(f"usage/{day}").set(usage.model_dump(by_alias=True))


def a_cloud() -> InProcessCloud:
    """Return a cloud with forty days, and their plan."""
    cloud = InProcessCloud(seed=1)
    for back in range(1, 41):
        note(cloud, back)
    plan_ahead(cloud.deps)
    return cloud


def saving(cloud: InProcessCloud, kind: str) -> dict[str, Any]:
    """Return one of the plan's."""
    return next(each for each in stored(cloud, "forecasts/current")["savings"]["list"] if each["kind"] == kind)


def applied(cloud: InProcessCloud, price: int, before: int | None, because: dict[str, Any] | None = None) -> None:
    """Change the price of instant photos as an operator has seen it."""
    request = {"changes": {"tokens": {"instantPrice": price}}, "seen": {"tokens.instantPrice": before}}
    admin_set_config(AdminSetConfig.model_validate({**request, "because": because}), "ana", cloud.deps)


def weeks(cloud: InProcessCloud, days: int, instant: int) -> None:
    """Let days go by, each planned after."""
    for _ in range(days):
        cloud.clock.advance(DAY)
        note(cloud, 1, instant)
    cloud.restart()
    plan_ahead(cloud.deps)


def test_the_plan_has_what_would_save_money() -> None:
    """Of the cost of its next 30 days; each with what it takes."""
    cloud = a_cloud()
    plan = stored(cloud, "forecasts/current")
    assert plan["savings"]["cost"] == sum(day["micros"] for day in plan["days"][:30])
    assert 0 < plan["savings"]["together"] < 1
    assert saving(cloud, "lane_share")["changes"] == {"tokens": {"instantPrice": 6}}
    assert saving(cloud, "model")["arithmetic"].startswith("gpt-6-luna -> ")
    assert plan["measured"] == []


def test_what_a_flag_was_stopped_for_is_not_recommended_again() -> None:
    """Its change would be applied, and begin nothing, until an operator restarts the flag."""
    cloud = a_cloud()
    assert cloud.deps.store.stop_flag(Flag.SIDE, 0, Stop(at=cloud.clock(), by=By.PROCESS, why="7 in a row"))
    plan_ahead(cloud.deps)
    kinds = {each["kind"] for each in stored(cloud, "forecasts/current")["savings"]["list"]}
    assert (kinds & {"image_side", "model"}) == {"model"}


def test_a_change_is_measured_and_corrects_the_next_promise() -> None:
    """Fifteen days later, of which two weeks count: fewer instant photos, as was hoped, and more than was promised."""
    cloud = a_cloud()
    promised = saving(cloud, "lane_share")["share"]
    applied(cloud, 6, None, {"kind": "lane_share", "promised": promised})
    weeks(cloud, 15, 24)
    (found,) = stored(cloud, "forecasts/current")["measured"]
    assert (found["verdict"], found["days"], found["change"]["by"]) == ("saves", 14, "ana")
    assert found["low"] < found["share"] < found["high"]
    assert found["change"]["changed"] == [{"field": "tokens.instantPrice", "before": None, "after": 6}]
    times = min(found["share"] / promised, 1.5)
    instant = stored(cloud, "forecasts/current")["lanes"]["instant"]["expected"][:30]
    batch = stored(cloud, "forecasts/current")["lanes"]["batch"]["expected"][:30]
    alone = 0.1 * sum(instant) * 100 / (200 * sum(instant) + 100 * sum(batch))
    assert saving(cloud, "lane_share")["share"] == pytest.approx(times * alone, abs=0.001)


def test_an_undone_change_is_not_measured_on() -> None:
    """From the day on which its field was changed again."""
    cloud = a_cloud()
    applied(cloud, 6, None, PROMISED)
    weeks(cloud, 4, 20)
    applied(cloud, 5, 6)
    weeks(cloud, 11, 30)
    (found,) = stored(cloud, "forecasts/current")["measured"]
    assert (found["verdict"], found["days"]) == ("undecided", 3)


def test_two_operators_at_once_one_wins() -> None:
    """The other is told which field; nothing of theirs is on record."""
    cloud = a_cloud()
    applied(cloud, 6, None, PROMISED)
    with pytest.raises(SettingsChanged):
        applied(cloud, 7, None, PROMISED)
    (entry,) = listed(cloud, "config/runtime/audit").values()
    assert entry["because"] == PROMISED


def test_a_reason_that_nobody_can_check_is_refused_or_passed_over() -> None:
    """An unknown kind, more than everything; what a newer release or a hand has written costs itself."""
    cloud = a_cloud()
    for because in ({"kind": "magic", "promised": 0.1}, {"kind": "model", "promised": 1.1}):
        with pytest.raises((InvalidRequest, ValueError)):
            applied(cloud, 6, None, because)
    for n, odd in enumerate(({"kind": "lane_share"}, "because", {"promised": "much"})):
        cloud.client.document(f"config/runtime/audit/odd-{n}").set(
            {"by": "hand", "at": cloud.clock(), "changed": [], "because": odd}
        )
    plan_ahead(cloud.deps)
    assert stored(cloud, "forecasts/current")["measured"] == []


def test_stages_that_the_guard_begins_are_the_changes_own() -> None:
    """A model's change counts from its last stage on, and an operator's stop ends it."""
    cloud = a_cloud()
    staged = [{"field": "flags.model.cohort", "before": "off", "after": "test"}]
    for n, (by, because) in enumerate((("ana", {"kind": "model", "promised": 0.3}), *[("guard_rollouts", None)] * 2)):
        entry = {
            "by": by,
            "at": cloud.clock() + n * DAY,
            "changed": staged,
            **({"because": because} if because else {}),
        }
        cloud.client.document(f"config/runtime/audit/stage-{n}").set(entry)
    weeks(cloud, 5, 30)
    (found,) = stored(cloud, "forecasts/current")["measured"]
    assert (found["change"]["day"], found["change"]["whole"], found["change"]["until"]) == (
        "2026-11-21",
        "2026-11-23",
        "",
    )
    stop = {"by": "ana", "at": cloud.clock(), "changed": staged}
    cloud.client.document("config/runtime/audit/stop").set(stop)
    plan_ahead(cloud.deps)
    (found,) = stored(cloud, "forecasts/current")["measured"]
    assert found["change"]["until"] == cloud.clock().date().isoformat()


def test_what_the_cache_has_counted_in_shadow_mode_is_promised() -> None:
    """From its report; read in no other mode."""
    cloud = InProcessCloud(seed=1)
    cloud.configure({"cache": {"exact": "shadow"}})
    days = {"2026-11-20": {"photos": {"instant": 90, "batch": 10}, "would": {"exact": {"instant": 9, "batch": 1}}}}
    cloud.client.document("stats/cacheReport").set({"days": days})
    for back in range(1, 41):
        note(cloud, back)
    plan_ahead(cloud.deps)
    assert saving(cloud, "cache")["share"] == pytest.approx(0.1)


def cheaper(input_usd: float, output_usd: float) -> dict[str, Any]:
    """Return a config in which Anthropic's model costs so much a million tokens, half of it in batches."""
    price = {"provider": "anthropic", "model": "claude-haiku-5-5", "since": "2026-11-01", "cheaper": True}
    lanes = (("instant", 1), ("batch", 0.5))
    prices = [
        {**price, "lane": lane, "inputUsdPerMillion": times * input_usd, "outputUsdPerMillion": times * output_usd}
        for lane, times in lanes
    ]
    return {"model": {"prices": prices}}


def test_another_provider_that_costs_less_is_recommended_where_the_deploy_has_its_key() -> None:
    """By its prices; without the key, or at the price of its list, it is not. Applied and undone as it was seen."""
    cloud = a_cloud()
    config = cheaper(0.04, 0.2)

    def kinds() -> set[str]:
        plan_ahead(cloud.deps)
        return {each["kind"] for each in stored(cloud, "forecasts/current")["savings"]["list"]}

    cloud.configure(config)
    assert "provider" not in kinds()
    cloud.restart({"anthropic_api_key": "stand-in"})
    assert "provider" in kinds()
    found = saving(cloud, "provider")
    orders = {"order": ["anthropic", "openai"], "batchOrder": ["anthropic", "openai"]}
    assert (found["way"], found["changes"]) == ("trial", {"providers": orders})
    seen = {"providers.order": None, "providers.batchOrder": None}
    because = {"kind": "provider", "promised": found["share"]}
    request = AdminSetConfig.model_validate({"changes": found["changes"], "seen": seen, "because": because})
    admin_set_config(request, "ana", cloud.deps)
    with pytest.raises(SettingsChanged):
        admin_set_config(request, "bob", cloud.deps)
    cloud.restart({"anthropic_api_key": "stand-in"})
    assert "provider" not in kinds()
    assert stored(cloud, "forecasts/current")["savings"]["model"] == "anthropic/claude-haiku-5-5"
    back = {
        "changes": {"providers": {"order": None, "batchOrder": None}},
        "seen": {f"providers.{k}": v for k, v in orders.items()},
    }
    admin_set_config(AdminSetConfig.model_validate(back), "ana", cloud.deps)
    assert stored(cloud, "config/runtime")["providers"] == {}
    cloud.configure({})
    assert "provider" not in kinds()


def test_azures_model_is_openais_and_has_no_batches_to_be_tried_in() -> None:
    """The same model is cheaper or not; another one is recommended only if OpenAI's batches can try it."""
    settings = {
        "azure_api_key": "stand-in",
        "azure_base_url": "https://r.openai.azure.com/openai/v1",
        "azure_model": "gpt-5-nano",
    }
    cloud = a_cloud()
    cloud.restart(settings)
    plan_ahead(cloud.deps)
    found = saving(cloud, "provider")
    assert (found["way"], found["changes"]) == ("trial", {"providers": {"order": ["azure", "openai"]}})
    assert found["arithmetic"].startswith("gpt-6-luna -> azure/gpt-5-nano; instant: ")
