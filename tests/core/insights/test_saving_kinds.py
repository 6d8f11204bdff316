"""A change that saves, and what it is reckoned from."""

from functions.core.insights.saving_kinds import Costs, Kind, saving, tried_way
from functions.core.shared.lanes import Lane


def test_a_saving_has_its_range_and_costs_their_sum() -> None:
    """Half to three times as much; both lanes together."""
    found = saving(Kind.MODEL, "trial", 0.2, (0.5, 3.0), "how", "what")
    assert (found.low, found.high, found.changes) == (0.1, 0.6000000000000001, None)
    costs = Costs(7, {Lane.INSTANT: 2.0, Lane.BATCH: 3.0}, {Lane.INSTANT: 200.0, Lane.BATCH: 100.0})
    assert costs.whole == 700


def test_what_is_tried_is_the_way_after_the_change() -> None:
    """All else as it is in force."""
    assert tried_way({}, "luna", 512) == ("luna", 512)
    assert tried_way({"images": {"sideMax": 384}}, "luna", 512) == ("luna", 384)
    assert tried_way({"model": {"next": "nano"}, "flags": {}}, "luna", 512) == ("nano", 512)
