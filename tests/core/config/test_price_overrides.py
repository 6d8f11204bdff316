"""Prices that an operator names, and from when they hold."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from functions.core.config.price_overrides import PriceOverride, override_at
from functions.core.config.runtime import RuntimeConfig
from functions.core.shared.lanes import Lane

LUNA = {
    "provider": "openai",
    "model": "gpt-6-luna",
    "lane": "instant",
    "since": "2027-01-01",
    "inputUsdPerMillion": 0.12,
    "outputUsdPerMillion": "0.6",
}


def read(*written: dict[str, Any]) -> tuple[PriceOverride, ...]:
    """Return the prices of a config document."""
    return RuntimeConfig.model_validate({"model": {"prices": written}}).model.prices


def at(day: str, *written: dict[str, Any], name: str = "gpt-6-luna", lane: Lane = Lane.INSTANT) -> str:
    """Return what input costs on a day; "listed" if no operator has named it."""
    found = override_at(read(*written), name, lane, date.fromisoformat(day))
    return "listed" if found is None else f"{found.input_usd_per_million}"


def test_the_latest_price_that_has_begun_holds() -> None:
    """In whatever order they stand; before the first one, for another lane or with another provider there is none."""
    later = {**LUNA, "since": "2027-02-01", "inputUsdPerMillion": "0.15"}
    days = ("2026-12-31", "2027-01-01", "2027-01-31", "2027-02-01", "2027-08-01")
    assert [at(day, later, LUNA) for day in days] == ["listed", "0.12", "0.12", "0.15", "0.15"]
    assert at("2027-08-01", LUNA, lane=Lane.BATCH) == at("2027-08-01", LUNA, name="azure/gpt-6-luna") == "listed"
    assert at("2027-08-01", LUNA | {"provider": "azure"}, name="azure/gpt-6-luna") == "0.12"


def test_a_price_is_stored_to_the_last_digit() -> None:
    """As decimal text: 0.12 is no float, and comes back as it was."""
    (price,) = read(LUNA)
    stored = price.as_json()
    assert (stored["inputUsdPerMillion"], stored["outputUsdPerMillion"]) == ("0.12", "0.6")
    assert read(stored) == (price,)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"provider": "azure-openai"}, "provider"),
        ({"model": ""}, "model"),
        ({"lane": "soon"}, "lane"),
        ({"since": "2027-02-30"}, "since"),
        ({"inputUsdPerMillion": "0.00000012"}, "inputUsdPerMillion"),
        ({"inputUsdPerMillion": "0.00012"}, "inputUsdPerMillion"),
        ({"outputUsdPerMillion": 0}, "outputUsdPerMillion"),
        ({"outputUsdPerMillion": -1}, "outputUsdPerMillion"),
        ({"outputUsdPerMillion": 1_001}, "outputUsdPerMillion"),
        ({"outputUsdPerMillion": "NaN"}, "outputUsdPerMillion"),
        ({"cachedUsdPerMillion": 0}, "cachedUsdPerMillion"),
        ({"cacheWriteUsdPerMillion": "0.1234567"}, "cacheWriteUsdPerMillion"),
    ],
    ids=str,
)
def test_a_price_that_is_a_slip_is_an_error_that_names_the_field(changed: dict[str, Any], field: str) -> None:
    """One in dollars a token or a thousand tokens, of nothing, or of a provider or day that there is not."""
    with pytest.raises(ValidationError) as refused:
        read({**LUNA, **changed})
    assert refused.value.errors()[0]["loc"][-1] == field


def test_two_prices_of_one_day_are_none() -> None:
    """Which of them holds, nobody could tell; those of two lanes are two."""
    with pytest.raises(ValidationError, match="begin on the same day"):
        read(LUNA, {**LUNA, "inputUsdPerMillion": "0.2"})
    assert len(read(LUNA, {**LUNA, "lane": "batch"})) == 2
