"""What a model costs while it changes, or while nobody knows it."""

from datetime import datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from genai_prices.types import ModelPrice

from functions.core.model.usage import UnknownPriceError
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from scripts.inprocess import InProcessCloud
from tests.steps import CRONS, alerts, classify, job, stored, ticks, today
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

    table = SimpleNamespace(find_provider_model=lambda *_: (None, SimpleNamespace(get_prices=get_prices)))
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
