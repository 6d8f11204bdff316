"""A change that saves, and what it is reckoned from."""

from dataclasses import astuple
from typing import Any

from functions.core.insights.saving_kinds import Costs, Kind, saving, tried_way
from functions.core.model.ways import Way
from functions.core.shared.lanes import Lane
from functions.core.shared.providers import Provider


def test_a_saving_has_its_range_and_costs_their_sum() -> None:
    """Half to three times as much; both lanes together."""
    found = saving(Kind.MODEL, "trial", 0.2, (0.5, 3.0), "how", "what")
    assert (found.low, found.high, found.changes) == (0.1, 0.6000000000000001, None)
    costs = Costs(7, {Lane.INSTANT: 2.0, Lane.BATCH: 3.0}, {Lane.INSTANT: 200.0, Lane.BATCH: 100.0})
    assert costs.whole == 700


def test_what_is_tried_is_the_way_after_the_change() -> None:
    """All else as it is in force; Azure's models are OpenAI's, whose batches are asked."""
    names = {Provider.ANTHROPIC: "anthropic/haiku", Provider.AZURE: "azure/nano"}

    def way(changes: dict[str, Any], model: str = "luna") -> tuple[str, str, int]:
        return astuple(tried_way(changes, Way(model, "1", 512), names, "2"))

    assert way({}) == ("luna", "1", 512)
    assert way({}, "azure/luna") == ("luna", "1", 512)
    assert way({"images": {"nextSideMax": 384}, "flags": {"side": {"cohort": "test"}}}) == ("luna", "1", 384)
    assert way({"images": {"sideMax": 384}}) == ("luna", "1", 384)
    assert way({"model": {"next": "nano"}, "flags": {"model": {}}}) == ("nano", "1", 512)
    assert way({"flags": {"prompt": {"cohort": "test"}}}) == ("luna", "2", 512)
    assert way({"providers": {"batchOrder": ["anthropic", "openai"]}}) == ("anthropic/haiku", "1", 512)
    assert way({"providers": {"order": ["azure"]}}) == ("nano", "1", 512)
