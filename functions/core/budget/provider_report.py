"""What each provider's models came to on some days: their share of the photos, failures, waits and costs, from the
tallies that ride on the shards."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from functions.core.budget.day_review import BudgetDay
from functions.core.budget.tally import wait_within
from functions.core.shared.providers import Provider, split


@dataclass
class ModelFigures:
    """One model in one lane. `answered` photos got their result, `failed` ended without one by this model. Calls that
    may be billed, and did not say how much, are `doubtful`; those that surely are not, and that another provider was
    asked about instead, are `down`. A batch's photo that is sent again is `retried`."""

    lane: str
    model: str
    counters: Counter[str] = field(default_factory=Counter)
    micros: int = 0

    @property
    def provider(self) -> Provider:
        """Whose model it is."""
        return split(self.model)[0]

    @property
    def answered(self) -> int:
        """Return how many photos it has answered."""
        return self.counters["done"]

    def counted(self, kind: str) -> int:
        """Return what was counted under this name, whatever the code behind it."""
        return sum(n for name, n in self.counters.items() if name.partition(":")[0] == kind)

    @property
    def each_micros(self) -> int:
        """Return what an answered photo has cost on the mean, with all that came to nothing, and without what was asked
        once more to check it; 0 if none was."""
        return (self.micros - self.counters["checkedMicros"]) // self.answered if self.answered else 0

    def seconds_within(self, share: float) -> float | None:
        """Return within how many seconds this share of its photos had ended, from their asking on."""
        return wait_within(self.counters, share)


def model_figures(books: Iterable[BudgetDay]) -> list[ModelFigures]:
    """Return the figures of each model that was asked on these days, by lane and name."""
    found: dict[tuple[str, str], ModelFigures] = {}
    for book in books:
        for lane, models in book.tally.items():
            for model, counters in models.items():
                found.setdefault((lane, model), ModelFigures(lane, model)).counters.update(counters)
        for lane, costs in book.costs.items():
            for model, micros in costs.items():
                found.setdefault((lane, model), ModelFigures(lane, model)).micros += micros
    return [found[key] for key in sorted(found)]


def shares(figures: Iterable[ModelFigures]) -> dict[tuple[str, str], int]:
    """Return how many percent of a lane's answered photos each model has answered, rounded down."""
    by_lane, each = defaultdict[str, int](int), list(figures)
    for one in each:
        by_lane[one.lane] += one.answered
    return {(one.lane, one.model): 100 * one.answered // max(by_lane[one.lane], 1) for one in each}
