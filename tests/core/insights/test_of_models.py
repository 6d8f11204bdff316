"""Photos by lane and model, of the last week and before."""

from collections import Counter
from datetime import date, timedelta

from functions.core.insights.of_models import Sums, of_models
from functions.core.insights.usage_day import Slot, UsageDay
from functions.core.shared.lanes import Lane
from functions.core.shared.utc_days import day_bounds
from tests.core.insights.days import MODEL, usage_day

NOTHING = Sums(ended=0, failed=0, micros=0, output=0, wait=None)


def named(count: int) -> list[str]:
    """Return so many days, oldest first."""
    return [(date(2026, 11, 1) + timedelta(days=n)).isoformat() for n in range(count)]


def test_the_last_seven_days_are_told_apart_from_those_before() -> None:
    """Of ten days, three are before; the instant lane comes first."""
    days = {day: usage_day(day, instant=2 if n < 3 else 3, batch=4) for n, day in enumerate(named(10))}
    instant, batch = of_models(days)
    assert (instant.lane, instant.model, batch.lane) == (Lane.INSTANT, MODEL, Lane.BATCH)
    assert instant.week == Sums(ended=21, failed=0, micros=4_200, output=4_830, wait=None)
    assert (instant.before.ended, instant.before.micros) == (6, 1_200)
    assert (batch.week.ended, batch.before.ended, batch.week.wait) == (28, 12, 2**12.5)


def test_a_model_that_is_new_has_nothing_before() -> None:
    """What failed has ended, too, and what was asked once more to check it costs no photo; a model that is gone has
    nothing in the week."""
    days = {day: usage_day(day, batch=1) for day in named(8)}
    newest = max(days)
    photos = {"done": 3, "failed:TIMEOUT": 1, "failed:REFUSED": 1, "micros": 900, "output": 700}
    tally = {"batch": {"next": Counter({**photos, "checked": 1, "checkedMicros": 200, "checkedOutput": 100})}}
    days[newest] = UsageDay(slots=(Slot(until=day_bounds(newest)[1], tally=tally),))
    old, new = of_models(days)
    assert (old.model, new.model, old.week.ended, new.before) == (MODEL, "next", 6, NOTHING)
    assert (new.week.ended, new.week.failed, new.week.micros, new.week.output) == (5, 2, 700, 600)
    assert of_models({}) == []
