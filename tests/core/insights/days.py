"""Days as the guard notes them, for the tests of what is made of them."""

from collections import Counter
from datetime import timedelta

from functions.core.insights.usage_day import DayRows, Slot, UsageDay
from functions.core.shared.utc_days import day_bounds

MODEL = "gpt-6-luna"


def usage_day(
    day: str = "2026-11-02",
    *,
    instant: int = 0,
    batch: int = 0,
    hours: tuple[int, ...] = (12,),
    micros: tuple[int, int] = (200, 100),
    visits: dict[str, int] | None = None,
    tokens: dict[str, int] | None = None,
) -> UsageDay:
    """Return a day that is over: so many photos asked for in each of these hours, answered at `micros` an instant and a
    batch photo, those of batches within 90 minutes. Its rows are counted if there are `visits`."""
    begins, ends = day_bounds(day)
    slots = []
    for hour in range(24):
        counts: dict[str, int] = {"instant": instant, "batch": batch} if hour in hours else {}
        tally = {
            lane: {MODEL: Counter({"done": n, "micros": n * each, "output": 230 * n, "wait:25": n * (lane == "batch")})}
            for (lane, n), each in zip(counts.items(), micros, strict=False)
            if n
        }
        until = begins + timedelta(hours=hour + 1)
        slots.append(Slot(until=until, quarters=4, tally=tally, arrivals={k: n for k, n in counts.items() if n}))
    rows = visits and DayRows(counted_at=ends, jobs={}, visits=visits, tokens=tokens or {})
    return UsageDay(slots=tuple(slots), rounds=24, rows=rows or None)
