"""What saves nothing says so in figures."""

from functions.core.config.runtime import BatchRules, RuntimeConfig
from functions.core.insights.no_savings import allowance, batch_size, off_peak, prompt_cache, waiting
from functions.core.insights.saving_kinds import Costs
from functions.core.shared.lanes import Lane
from tests.core.insights.test_savings import COSTS, DAY


def test_each_promises_nothing_and_says_why() -> None:
    """Batches that are larger already would save no write at all."""
    large = RuntimeConfig(batch=BatchRules(jobs_per_batch=2_000))
    found = [
        batch_size(COSTS, RuntimeConfig()),
        batch_size(COSTS, large),
        allowance(COSTS, [DAY], RuntimeConfig()),
        prompt_cache([DAY]),
        off_peak(),
        waiting(COSTS),
        waiting(Costs(1, {Lane.INSTANT: 1.0, Lane.BATCH: 3e6}, {Lane.INSTANT: 200.0, Lane.BATCH: 100.0})),
    ]
    assert {(each.way, each.share, each.high) for each in found} == {("nothing", 0.0, 0.0)}
    said = [each.arithmetic for each in found]
    assert "0.041 µ$ a photo from 100 to 1000 a batch" in said[0]
    assert "0.000 µ$" in said[1]
    assert "5 x 30 / 1 x 100 µ$ = $0.01" in said[2]
    assert "0 of 50,000 input tokens" in said[3]
    assert "same at all hours" in said[4]
    assert "33 instead of 33 a day x 5 writes = 0 µ$ in 30 days, 0.00% of the cost" in said[5]
    assert "48 instead of 288 a day x 5 writes = 32,400 µ$ in 30 days, 0.01% of the cost" in said[6]
    assert "0 users" in allowance(COSTS, [], RuntimeConfig()).arithmetic
