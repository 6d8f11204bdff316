"""Days in short, one line each in one document: what forecasts are made of, so that nobody reads the days again.

A day that the guard has not noted to its end is missing. A missing day is taken for the same weekday of the week
before, and counted.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pydantic import Field

from functions.core.budget.days_due import OPEN_DAYS
from functions.core.budget.tally import total, wait_within
from functions.core.insights.day_rows import asked_for, complete
from functions.core.insights.deviations import parts_of
from functions.core.insights.methods import INDEX_WEEKS, WEEK
from functions.core.insights.usage_day import Slot, UsageDay
from functions.core.shared.lanes import Lane
from functions.core.shared.records import Kept
from functions.core.shared.utc_days import day_bounds

KEPT_DAYS = 3 * 366
"""Three years: some 400 KB of the megabyte that a document may have."""
HOURS_DAYS = INDEX_WEEKS * WEEK
DAY_HOURS = 24


class NotedDay(Kept):
    """A day: by lane the photos `asked` for, those whose calls have `ended` at the provider and what was paid, in
    micro-dollars, `checked` of these for asking some once more; photos `done` over both lanes, and those of them that
    the provider `answered`, which the cache did not. `failed` calls, attempts that were `retried`, half of the batch
    photos' `wait` in seconds; `users` with a photo, those who were `new`, and who came `back` a day later; input,
    cached and output `tokens`, the last without asking some once more.

    Kept for eight weeks: photos asked for and micro-dollars `spent` by the hour, photos and cost in `parts` by lane and
    model, and what asking some once more cost.
    """

    asked: dict[str, int] = Field(default_factory=dict)
    ended: dict[str, int] = Field(default_factory=dict)
    micros: dict[str, int] = Field(default_factory=dict)
    checked: dict[str, int] = Field(default_factory=dict)
    done: int = 0
    answered: int = 0
    failed: int = 0
    wait: float | None = None
    new: int | None = None
    back: int | None = None
    users: int | None = None
    retried: int = 0
    tokens: dict[str, int] = Field(default_factory=dict)
    hours: tuple[float, ...] = ()
    spent: tuple[float, ...] = ()
    parts: dict[str, tuple[float, float]] = Field(default_factory=dict)

    @property
    def photos(self) -> int:
        """Return the photos asked for in both lanes."""
        return sum(self.asked.values())

    def paid(self, lane: Lane) -> int:
        """Return what a lane's photos cost, without asking some once more."""
        return self.micros.get(lane, 0) - self.checked.get(lane, 0)


class DayNotes(Kept):
    """The days by their date. Stored in `forecasts/days`."""

    days: dict[str, NotedDay] = Field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """Days without a gap, oldest first, up to the one before `ends`; `filled` of them were not noted."""

    begins: date
    days: Sequence[NotedDay]
    filled: int

    @property
    def ends(self) -> date:
        """Return the day after the last one."""
        return self.begins + timedelta(days=len(self.days))


def needed_since(notes: DayNotes, today: date) -> date:
    """Return the first day that has to be read: those that batches may have added to since, and whatever is new."""
    latest = max(notes.days, default="")
    open_since = today - timedelta(days=OPEN_DAYS)
    return min(date.fromisoformat(latest), open_since) if latest else today - timedelta(days=KEPT_DAYS)


def closed_days(notes: DayNotes, after: str, today: date) -> dict[str, NotedDay]:
    """Return the days after this one, the first time the latest alone, to which no batch adds any more."""
    last = (today - timedelta(days=OPEN_DAYS + 1)).isoformat()
    since = after or (today - timedelta(days=OPEN_DAYS + 2)).isoformat()
    return {day: noted for day, noted in notes.days.items() if since < day <= last}


def with_days(notes: DayNotes, days: Mapping[str, UsageDay], today: date) -> DayNotes:
    """Return the notes with these days as they are now."""
    found = {**notes.days, **{day: noted_day(day, usage) for day, usage in complete(days).items()}}
    oldest, with_hours = ((today - timedelta(days=back)).isoformat() for back in (KEPT_DAYS, HOURS_DAYS))
    kept = {
        day: noted if day >= with_hours else noted.model_copy(update={"hours": (), "spent": (), "parts": {}})
        for day, noted in sorted(found.items())
        if oldest <= day < today.isoformat()
    }
    return notes.model_copy(update={"days": kept})


def noted_day(day: str, usage: UsageDay) -> NotedDay:
    """Return a day in short."""
    tally = total(slot.tally for slot in usage.slots)
    (ended, micros, checked), answered, failed = (dict.fromkeys(Lane, 0) for _ in range(3)), 0, 0
    waits, parts, tokens, retried = Counter[str](), dict[str, tuple[float, float]](), Counter[str](), 0
    for lane in Lane:
        for model, counters in tally.get(lane, {}).items():
            lost = sum(n for name, n in counters.items() if name.startswith("failed:"))
            ended[lane] += counters.get("done", 0) + lost
            micros[lane] += counters.get("micros", 0)
            checked[lane] += counters.get("checkedMicros", 0)
            answered, failed = answered + counters.get("done", 0), failed + lost
            parts |= {name: (part.photos, part.micros) for name, part in parts_of(lane, model, counters).items()}
            tokens.update({name: counters.get(name, 0) for name in ("input", "cached", "output")})
            tokens["output"] -= counters.get("checkedOutput", 0)
            retried += sum(n for name, n in counters.items() if name.startswith("retried:"))
            waits.update({name: n for name, n in counters.items() if lane is Lane.BATCH and name.startswith("wait:")})
    visits = usage.rows.visits if usage.rows else {}
    return NotedDay(
        asked={lane.value: asked_for(usage, lane) for lane in Lane},
        ended={lane.value: n for lane, n in ended.items()},
        micros={lane.value: n for lane, n in micros.items()},
        checked={lane.value: n for lane, n in checked.items() if n},
        done=usage.rows.jobs.get("done", 0) if usage.rows else 0,
        answered=answered,
        failed=failed,
        wait=wait_within(waits, 0.5),
        new=visits.get("0"),
        back=visits.get("1"),
        users=visits.get("all"),
        retried=retried,
        tokens=dict(tokens),
        hours=hours_of(day, usage, lambda slot: sum(slot.arrivals.values())),
        spent=hours_of(day, usage, _micros),
        parts=parts,
    )


def _micros(slot: Slot) -> int:
    return sum(counters.get("micros", 0) for models in slot.tally.values() for counters in models.values())


def hours_of(day: str, usage: UsageDay, amount: Callable[[Slot], int]) -> tuple[float, ...]:
    """Return the slots' amounts by the hour of a day. A slot that lasts longer counts evenly in its hours."""
    begins, ends = day_bounds(day)
    hours, since = [0.0] * DAY_HOURS, begins
    for slot in usage.slots:
        until, added = min(slot.until, ends), amount(slot)
        for hour in range(DAY_HOURS):
            first = begins + timedelta(hours=hour)
            shared = min(until, first + timedelta(hours=1)) - max(since, first)
            if shared > timedelta():
                hours[hour] += added * (shared / (until - since))
        since = max(since, until)
    return tuple(round(each, 2) for each in hours)


def series(notes: DayNotes, until: date) -> Series | None:
    """Return the noted days up to the one before `until`; None before there is one. The first of all began in its
    middle, and does not count."""
    _, *known = sorted(day for day in notes.days if day < until.isoformat()) or [""]
    if not known:
        return None
    begins = date.fromisoformat(known[0])
    days: list[NotedDay] = []
    filled = 0
    for ahead in range((until - begins).days):
        noted = notes.days.get((begins + timedelta(days=ahead)).isoformat())
        filled += noted is None
        days.append(noted or days[-min(WEEK, len(days))])
    return Series(begins, days, filled)
