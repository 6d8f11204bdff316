"""Photos by lane and model: what those of the last week came to, and those of the days before it."""

from collections.abc import Iterable, Mapping

from functions.core.budget.tally import Tally, total, wait_within
from functions.core.insights.methods import WEEK
from functions.core.insights.usage_day import UsageDay
from functions.core.shared.lanes import Lane
from functions.core.shared.records import Record


class Sums(Record):
    """Photos that `ended` at the provider, those of them that `failed`, their cost in micro-dollars and their tokens of
    `output`, both without what was asked once more to check it; and within how many seconds half of them had, null if
    that is not known."""

    ended: int
    failed: int
    micros: int
    output: int
    wait: float | None


class OfModel(Record):
    """A lane's photos of a model: those of the last seven days that are over, and of those `before`."""

    lane: Lane
    model: str
    week: Sums
    before: Sums


def of_models(days: Mapping[str, UsageDay]) -> list[OfModel]:
    """Return the photos of complete days, oldest first, by lane and model."""
    usages = list(days.values())
    week, before = _tally(usages[-WEEK:]), _tally(usages[:-WEEK])
    return [
        OfModel(lane=lane, model=model, week=_sums(week, lane, model), before=_sums(before, lane, model))
        for lane in Lane
        for model in sorted({*week.get(lane, {}), *before.get(lane, {})})
    ]


def _tally(days: Iterable[UsageDay]) -> Tally:
    return total(slot.tally for usage in days for slot in usage.slots)


def _sums(tally: Tally, lane: Lane, model: str) -> Sums:
    counters = tally.get(lane, {}).get(model, {})
    failed = sum(n for name, n in counters.items() if name.startswith("failed:"))
    return Sums(
        ended=counters.get("done", 0) + failed,
        failed=failed,
        micros=counters.get("micros", 0) - counters.get("checkedMicros", 0),
        output=counters.get("output", 0) - counters.get("checkedOutput", 0),
        wait=wait_within(counters, 0.5),
    )
