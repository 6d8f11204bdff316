"""A day in the course of it: what each quarter of an hour has added to its tally, and what its rows come to.

The guard writes it. A slot is the difference between what the day's book shows now and what the slots before have
noted: so they add up to the book, whenever a guard ran, ran late or not at all.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import Field

from functions.core.budget.day_review import BudgetDay
from functions.core.budget.tally import Tally, since, total
from functions.core.shared.records import Kept
from functions.core.shared.time_limits import CRON_MINUTES
from functions.core.shared.utc_days import day_bounds

SLOT = timedelta(minutes=CRON_MINUTES["guard_budget"])

VISIT_AGES = (0, 1, 7, 28)
"""Days since a user's first contact at which coming back is counted: new, and the usual three of retention."""


class Slot(Kept):
    """What came in until a moment, since the slot before: `quarters` of an hour, more than one if guards were late.

    `tally` counts what has ended, with the cost as `micros`; `arrivals` the photos asked for, by lane.
    """

    until: datetime
    quarters: int = Field(default=1, ge=1)
    tally: Tally = Field(default_factory=dict)
    arrivals: dict[str, int] = Field(default_factory=dict)


class PlanRows(Kept):
    """What the users of a plan did on a day: `photos` asked for, what these cost in `tokens` before any refund, `users`
    with a photo, and those of them who had one the day before, `again`."""

    photos: int
    tokens: int
    users: int
    again: int


class DayRows(Kept):
    """What a day's rows come to, as of `counted_at`: its `jobs` by status, the users with a photo, `all` and those
    whose wallet was so many days old (see VISIT_AGES), as `visits`, the ledger's `tokens` by reason, and the users by
    plan, of those `plans` that have some."""

    counted_at: datetime
    jobs: dict[str, int]
    visits: dict[str, int]
    tokens: dict[str, int]
    plans: dict[str, PlanRows] = Field(default_factory=dict)


class UsageDay(Kept):
    """A day's slots, oldest first, as of so many `rounds` of its book, and its rows. Stored in `usage/{day}`, kept for
    good. What batches bring after the day is over is in one slot, the last."""

    slots: tuple[Slot, ...] = ()
    rounds: int = Field(default=0, ge=0)
    rows: DayRows | None = None


def noted(
    usage: UsageDay, day: str, book: BudgetDay, arrivals: Mapping[str, int], rows: DayRows | None, now: datetime
) -> UsageDay | None:
    """Return the day with what its book shows beyond its slots, and its `rows` if they were counted. `arrivals` are all
    of the day's. None if there is nothing to note, or another guard has noted a later review."""
    if book.rounds <= usage.rounds:
        return None
    begins, ends = day_bounds(day)
    grown = since(total(slot.tally for slot in usage.slots), with_costs(book))
    came = {lane: n - sum(slot.arrivals.get(lane, 0) for slot in usage.slots) for lane, n in arrivals.items()}
    came = {lane: n for lane, n in came.items() if n}
    last = usage.slots[-1] if usage.slots else None
    if now < ends or last is None or last.until < ends:
        late = (min(now, ends) - (last.until if last else begins)) / SLOT
        slots = (*usage.slots, Slot(until=now, quarters=max(round(late), 1), tally=grown, arrivals=came))
    elif grown or came or rows:
        merged = {lane: last.arrivals.get(lane, 0) + came.get(lane, 0) for lane in {*last.arrivals, *came}}
        slots = (
            *usage.slots[:-1],
            last.model_copy(update={"until": now, "tally": total([last.tally, grown]), "arrivals": merged}),
        )
    else:
        return None
    return usage.model_copy(update={"slots": slots, "rounds": book.rounds, "rows": rows or usage.rows})


def with_costs(book: BudgetDay) -> Tally:
    """Return a book's tally with its costs, in micro-dollars, as `micros`."""
    costs = {lane: {model: {"micros": n} for model, n in models.items()} for lane, models in book.costs.items()}
    return total([book.tally, costs])
