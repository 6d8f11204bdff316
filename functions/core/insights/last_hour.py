"""The last hour of a day, of the slots that a guard has noted, and the one before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from functions.core.budget.tally import total, wait_within
from functions.core.insights.deviations import Part, parts_of
from functions.core.insights.usage_day import Slot, UsageDay
from functions.core.shared.lanes import Lane
from functions.core.shared.utc_days import day_bounds

HOUR = timedelta(hours=1)
HOUR_MIN, HOUR_MAX = HOUR - timedelta(minutes=5), 2 * HOUR
"""What may pass for an hour, since guards come a little early or late."""
PHOTOS_MIN = 10
"""Fewer say nothing: of photos, and of those that have waited."""


@dataclass(frozen=True)
class Span:
    """A time of a day, and the photos and micro-dollars that it brought."""

    since: datetime
    until: datetime
    photos: float
    micros: float


@dataclass(frozen=True)
class LastHour:
    """The last hour of a day as its slots have it, from `since` to `until`, and the one before, if the day had one."""

    since: datetime
    until: datetime
    photos: float
    parts: Mapping[str, Part]
    failed: int
    ended: int
    wait: float | None
    before: Span | None = None

    @property
    def micros(self) -> float:
        """Return what it has cost."""
        return sum(part.micros for part in self.parts.values())


def last_hour(day: str, usage: UsageDay, now: datetime) -> LastHour | None:
    """Return a day's last hour: its last slots that make up one. None while the day is younger, or a slot is longer."""
    found = _hour(day, usage.slots)
    if found is None or now - found[2] > HOUR:
        return None
    slots, since, until = found
    tally = total(slot.tally for slot in slots)
    parts, failed, ended, waits = dict[str, Part](), 0, 0, dict[str, int]()
    for lane, models in tally.items():
        for model, counters in models.items():
            lost = sum(n for name, n in counters.items() if name.startswith("failed:"))
            failed, ended = failed + lost, ended + lost + counters.get("done", 0)
            parts |= parts_of(lane, model, counters)
            if lane == Lane.BATCH:
                waits |= {name: waits.get(name, 0) + n for name, n in counters.items() if name.startswith("wait:")}
    wait = wait_within(waits, 0.5) if sum(waits.values()) >= PHOTOS_MIN else None
    before = _hour(day, usage.slots[: -len(slots)])
    return LastHour(since, until, _photos(slots), parts, failed, ended, wait, _span(*before) if before else None)


def _hour(day: str, slots: Sequence[Slot]) -> tuple[Sequence[Slot], datetime, datetime] | None:
    """Return the last of these slots that make up an hour of a day, since when and until when."""
    begins, ends = day_bounds(day)
    since = until = min(slots[-1].until, ends) if slots else begins
    count = 0
    while until - since < HOUR_MIN and count < len(slots):
        count += 1
        since = slots[-count - 1].until if count < len(slots) else begins
    return (slots[-count:], since, until) if HOUR_MIN <= until - since <= HOUR_MAX else None


def _span(slots: Sequence[Slot], since: datetime, until: datetime) -> Span:
    models = [counters for slot in slots for of_lane in slot.tally.values() for counters in of_lane.values()]
    return Span(since, until, _photos(slots), sum(counters.get("micros", 0) for counters in models))


def _photos(slots: Sequence[Slot]) -> int:
    return sum(sum(slot.arrivals.values()) for slot in slots)
