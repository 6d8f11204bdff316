"""What a model costs while it changes, or while nobody knows it."""

from datetime import datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from genai_prices.types import ModelPrice

from functions.core.model.usage import UnknownPriceError
from functions.core.shared.errors import InvalidRequest
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.budget.days import call_micros, line_micros
from functions.use_cases.operations.admin_set_config import AdminSetConfig, admin_set_config
from scripts.inprocess import InProcessCloud
from tests.steps import CRONS, alerts, classify, job, listed, stored, ticks, today
from tests.use_cases.budget.books import batch_hold, books


def deployed_with(cloud: InProcessCloud, model: str) -> None:
    """Let a new process serve that asks another model."""
    cloud.restart({"openai_model": model})


def test_a_batch_costs_the_price_of_the_model_that_it_was_sent_to(cloud: InProcessCloud) -> None:
    """Also when another one, forty times as dear, is deployed while it is under way."""
    answers = [classify(cloud, str(number), "batch") for number in range(3)]
    submit_batches(cloud.deps)
    held = batch_hold(cloud)
    deployed_with(cloud, "gpt-4o")
    ticks(cloud, timedelta(hours=1), CRONS)
    costs = sum(job(cloud, answer)["costMicros"] for answer in answers)
    assert 0 < costs < held["micros"]
    assert stored(cloud, f"budget/{today(cloud)}")["costs"] == {"batch": {"gpt-6-luna": costs}}


def test_a_batch_costs_the_price_of_the_day_on_which_it_was_built(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that becomes a hundred times as dear meanwhile costs neither more than was held nor an alert."""
    under_way = classify(cloud, "under-way", "batch")
    submit_batches(cloud.deps)
    built, held = cloud.clock(), batch_hold(cloud)["micros"]

    def get_prices(at: datetime, context: object = None) -> ModelPrice:
        times = (1 if context else 2) * (1 if at <= built else 100)
        return ModelPrice(input_mtok=times * Decimal("0.05"), output_mtok=times * Decimal("0.25"))

    found = SimpleNamespace(id="openai"), SimpleNamespace(id="gpt-6-luna", get_prices=get_prices)
    table = SimpleNamespace(find_provider_model=lambda *_: found)
    monkeypatch.setattr("functions.adapters.prices.get_snapshot", lambda: table)
    cloud.clock.advance(timedelta(hours=1))
    poll_batches(cloud.deps)
    assert 0 < job(cloud, under_way)["costMicros"] < held
    assert alerts(cloud) == {}


def test_a_price_that_goes_missing_stops_what_would_be_spent(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a process serves: nothing is charged, held or sent; what is under way comes to the most, and is told."""
    under_way = classify(cloud, "under-way", "batch")
    submit_batches(cloud.deps)
    held = batch_hold(cloud)["micros"]
    wallet = stored(cloud, "users/ann/wallet/main")
    monkeypatch.setattr("functions.adapters.prices.get_snapshot", _no_prices)
    for mode in ("instant", "batch"):
        with pytest.raises(UnknownPriceError):
            classify(cloud, mode, mode)
    assert stored(cloud, "users/ann/wallet/main") == wallet
    assert books(cloud)[1:] == (held, 0)
    cloud.clock.advance(timedelta(hours=1))
    poll_batches(cloud.deps)
    assert (job(cloud, under_way)["status"], job(cloud, under_way)["costMicros"]) == ("done", held)
    assert books(cloud)[1:] == (0, held)
    assert set(alerts(cloud)) == {f"usage_unreported-{today(cloud)}"}


def _no_prices() -> Any:
    """Return a table that knows nothing."""

    def unknown(*_: object) -> None:
        raise LookupError

    return SimpleNamespace(find_provider_model=unknown)


def named(since: str, usd: str, lane: str = "instant", **changes: Any) -> dict[str, Any]:
    """Return a price of gpt-6-luna's as an operator writes it: input at so many dollars, output at five times that."""
    amounts = {"inputUsdPerMillion": usd, "outputUsdPerMillion": str(5 * Decimal(usd))}
    return {"provider": "openai", "model": "gpt-6-luna", "lane": lane, "since": since, **amounts, **changes}


def priced_at(cloud: InProcessCloud, *written: dict[str, Any]) -> None:
    """Let an operator name prices."""
    admin_set_config(AdminSetConfig.model_validate({"changes": {"model": {"prices": written}}}), "root", cloud.deps)
    cloud.clock.advance(timedelta(seconds=31))


def test_a_price_that_rises_at_a_day_is_held_from_the_eve_and_booked_from_midnight(cloud: InProcessCloud) -> None:
    """A call that is held before midnight may end after it; what it costs is the price of the day on which it ends."""
    tomorrow = (cloud.clock() + timedelta(days=1)).date()
    usual_hold, usual = call_micros(cloud.deps), job(cloud, classify(cloud, "before"))["costMicros"]
    priced_at(cloud, named(f"{tomorrow + timedelta(days=1)}", "1"))
    assert call_micros(cloud.deps) == usual_hold
    priced_at(cloud, named(f"{tomorrow}", "1"))
    assert call_micros(cloud.deps) == pytest.approx(10 * usual_hold, rel=0.25)  # input is held at the cache's price
    assert job(cloud, classify(cloud, "eve"))["costMicros"] == usual
    cloud.clock.advance(timedelta(days=1))
    assert job(cloud, classify(cloud, "after"))["costMicros"] == pytest.approx(10 * usual, abs=5)


def test_a_batch_is_settled_by_the_operators_price_of_its_day(cloud: InProcessCloud) -> None:
    """It is dearer from today on, and much dearer tomorrow, when its answers come."""
    day = cloud.clock().date()
    usual = line_micros(cloud.deps)
    priced_at(cloud, named(f"{day}", "0.1", "batch"), named(f"{day + timedelta(days=1)}", "10", "batch"))
    photo = classify(cloud, "one", "batch")
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(days=1))
    poll_batches(cloud.deps)
    assert 0 < job(cloud, photo)["costMicros"] < 2 * usual


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (named("2126-11-21", "0.2"), "must begin from"),
        (named("2026-11-22", "0.05"), "below the listed 0.1 in"),
        (named("2026-11-22", "0.0000002"), "inputUsdPerMillion"),
        (named("2026-11-22", "0.2", provider="azure-openai"), "provider"),
    ],
    ids=["year", "below the list", "a token", "provider"],
)
def test_a_price_that_is_a_slip_changes_nothing(cloud: InProcessCloud, written: dict[str, Any], says: str) -> None:
    """The refusal names it."""
    before = call_micros(cloud.deps)
    with pytest.raises(InvalidRequest, match=says):
        priced_at(cloud, written)
    assert call_micros(cloud.deps) == before
    assert listed(cloud, "config/runtime/audit") == {}


def test_a_price_is_on_record_and_told(cloud: InProcessCloud) -> None:
    """Who named it and when, with an alert; once stored, an old one is in nobody's way."""
    since = f"{cloud.clock().date()}"
    priced_at(cloud, named(since, "0.2"))
    (entry,) = listed(cloud, "config/runtime/audit").values()
    (changed,) = entry["changed"]
    assert (entry["by"], changed["field"], changed["after"][0]["inputUsdPerMillion"]) == ("root", "model.prices", "0.2")
    assert [key.split("-")[0] for key in alerts(cloud)] == ["config_changed"]
    cloud.clock.advance(timedelta(days=60))
    priced_at(cloud, named(since, "0.2"), named(f"{cloud.clock().date()}", "0.3"))
    assert cloud.deps.model_price().input == Decimal("0.3")


def test_a_price_in_the_document_that_is_below_the_list_does_not_lower_a_hold(cloud: InProcessCloud) -> None:
    """Whoever writes into the document past the check: what is not `cheaper` by its own word holds nothing back."""
    usual = call_micros(cloud.deps)
    low = named(f"{cloud.clock().date()}", "0.002")
    cloud.configure({"model": {"prices": [low]}})
    assert call_micros(cloud.deps) == usual
    cloud.configure({"model": {"prices": [low | {"cheaper": True}]}})
    assert call_micros(cloud.deps) < usual / 10


def test_a_region_of_openais_is_held_and_booked_at_its_price(cloud: InProcessCloud) -> None:
    """Ten percent more, in both lanes."""
    usual = cloud.deps.model_price(), cloud.deps.model_price(batch=True)
    cloud.restart({"openai_base_url": "https://eu.api.openai.com/v1"})
    regional = cloud.deps.model_price(), cloud.deps.model_price(batch=True)
    times = [
        (now.input / before.input, now.output / before.output) for now, before in zip(regional, usual, strict=True)
    ]
    assert times == [(Decimal("1.1"), Decimal("1.1"))] * 2


def test_a_model_that_openai_has_stopped_is_not_tried(cloud: InProcessCloud) -> None:
    """It has a price and would answer nobody."""
    for model in ("gpt-4.1-nano", "gpt-4.1-nano-2025-04-14"):
        with pytest.raises(InvalidRequest, match=r"OpenAI has stopped gpt-4\.1-nano"):
            admin_set_config(AdminSetConfig.model_validate({"changes": {"model": {"next": model}}}), "root", cloud.deps)
