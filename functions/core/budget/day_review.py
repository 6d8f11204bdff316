"""The books of a day: its limit, what is left of it, the mode that follows, and who has to be notified.

limit of a day   the daily limit, or what the month leaves if that is less
limit of a shard what it uses, and an equal part of what is left; nothing at all while the day's limit is passed
number of shards by the limit when the day is opened, and the same until it is over, whatever its limit becomes
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import Field

from functions.core.budget.holds import Mode
from functions.core.budget.shards import (
    SHARDS_MAX,
    SHARDS_MIN,
    Drift,
    Shard,
    absorbed,
    levelled,
    limited,
    repaired,
    shards_for,
    total_costs,
)
from functions.core.budget.state import BudgetState, reopening
from functions.core.budget.tally import Tally, total
from functions.core.config.in_force import noted_limits
from functions.core.config.runtime import BudgetRules
from functions.core.shared.alerts import Alert, AlertKind, alert
from functions.core.shared.damage import DamagedDocument
from functions.core.shared.records import Kept
from functions.core.shared.utc_days import clock_text, day_bounds, day_of

FENCE = 2**63 - 1
"""Stands in `reviews` of a day with more than eight shards, against releases that know eight. Their review would give
the whole limit to these eight. It adds one to this, which no integer of Firestore can hold, and fails before it writes.
Their calls and batches hold on the first eight, which is safe."""


class BudgetDay(Kept):
    """A day in sum. Stored in `budget/{day}` and kept for good: jobs are gone after 90 days, their cost is not. `users`
    are the most expensive, in micro-dollars, as of `users_at`: see `core.budget.cost_report`.

    `rounds` counts the reviews, and so did `reviews` in releases that have eight shards: see `FENCE`.
    """

    limit: int = 0
    reserved: int = 0
    spent: int = 0
    excess: int = 0
    costs: dict[str, dict[str, int]] = Field(default_factory=dict)
    tally: Tally = Field(default_factory=dict)
    reviewed_at: datetime | None = None
    reviews: int = Field(default=0, ge=0)
    rounds: int = Field(default=0, ge=0)
    shard_count: int = Field(default=SHARDS_MIN, ge=1, le=SHARDS_MAX)
    users: dict[str, int] = Field(default_factory=dict)
    users_at: datetime | None = None

    @property
    def used(self) -> int:
        """Return what is spoken for."""
        return self.reserved + self.spent + self.excess

    @property
    def version(self) -> tuple[int, int]:
        """Return what every review changes, of whichever release: two guards can look at the same moment."""
        return self.rounds, self.reviews

    @property
    def opened(self) -> bool:
        """Whether the day has its shards."""
        return self.reviewed_at is not None


@dataclass(frozen=True)
class Books:
    """One day's budget as read: the state, the shards by name (none before it opens), and its book. `damaged` is what
    cannot be read, `unsure` its shards, where more may be held and spent."""

    day: str
    state: BudgetState
    shards: Mapping[str, Shard]
    book: BudgetDay = field(default_factory=BudgetDay)
    unsure: frozenset[str] = frozenset()
    damaged: tuple[DamagedDocument, ...] = ()


@dataclass(frozen=True)
class Review:
    """What one transaction writes of a day: state, book and, of its shards, those that have `changed`."""

    state: BudgetState
    book: BudgetDay
    shards: Mapping[str, Shard]
    changed: frozenset[str] = frozenset()


def review(
    books: Books,
    rules: BudgetRules,
    now: datetime,
    *,
    line_micros: int,
    call_micros: int,
    drift: Drift | None = None,
) -> Review:
    """Open a day, or look at an open one: repair it, give its shards their limits, and say in which mode that is.

    `line_micros`, the most that the cheapest call can cost: with less than that left, the budget is used up.
    `call_micros`, the most that the dearest can. Without a measured `drift`, damaged shards leave unknown what is left,
    and nothing more is held.
    """
    state, today = books.state, day_of(now)
    over = books.day < today
    limit = books.book.limit if over else _limit(books, rules)
    count = _count(books, limit, call_micros)
    empty = {str(number): Shard() for number in range(count)}
    shards = levelled(absorbed(repaired({**empty, **books.shards}, drift or Drift()), limit))
    blind = bool(books.unsure) and drift is None
    shards = limited(shards, 0 if over or blind else limit)  # a day that is over takes no more holds
    sums = {name: sum(getattr(shard, name) for shard in shards.values()) for name in ("reserved", "spent", "excess")}
    book, costs, tally = books.book, total_costs(shards.values()), total(shard.tally for shard in shards.values())
    counts = {
        "shard_count": count,
        "rounds": book.rounds + 1,
        "reviews": FENCE if count > SHARDS_MIN else book.reviews + 1,
    }
    seen = {"limit": limit, "costs": costs, "tally": tally, "reviewed_at": now}
    book = book.model_copy(update={**sums, **counts, **seen})
    if books.day <= today:
        upper = book.used if over else max(limit, book.used)
        state = state.model_copy(update={"committed": {**state.month_of(today), books.day: upper}})
    if books.day == today:
        mode = mode_at(book, rules, line_micros)
        reopens = reopening(rules, state, now) if mode is not Mode.NORMAL else None
        found = {"day": today, "shard_count": count, "mode": mode, "reopens_at": reopens, "limits": noted_limits(rules)}
        state = state.model_copy(update=found)
    # Each shard that is written is one that others wait for.
    changed = {name for name, shard in shards.items() if name in books.unsure or shard != books.shards.get(name)}
    return Review(state, book, shards, frozenset(changed - books.unsure if blind else changed))


def committed(books: Mapping[str, BudgetDay]) -> dict[str, int]:
    """Return what days can cost at most, for a state that has lost it; one not reviewed since it ended counts with its
    limit."""
    return {
        day: book.used if book.reviewed_at and book.reviewed_at >= day_bounds(day)[1] else max(book.limit, book.used)
        for day, book in books.items()
    }


def mode_at(book: BudgetDay, rules: BudgetRules, line_micros: int) -> Mode:
    """Return the mode for what is used of a day's limit."""
    if book.used >= book.limit or book.limit - book.used < line_micros:
        return Mode.CLOSED
    return Mode.BATCH_ONLY if book.used * 100 >= book.limit * rules.batch_only_percent else Mode.NORMAL


def excess_alerts(found: Review, now: datetime) -> list[Alert]:
    """Return what operators have to be told of answers that cost more than there was room for."""
    excess = found.book.excess
    text = f"Answers cost {_dollars(excess)} dollars more than was held for them, beyond the day's limit."
    return [alert(AlertKind.LIMIT_PASSED, text, now)] if excess else []


def mode_held(found: Review) -> dict[AlertKind, str]:
    """Return what operators have to be told of the mode that a review has come to, while it holds: the strongest."""
    book, mode = found.book, found.state.mode
    used = f"{_dollars(book.used)} of {_dollars(book.limit)} dollars are spent or held back"
    if mode is Mode.CLOSED:
        until = clock_text(found.state.reopens_at) if found.state.reopens_at else "the limit is raised"
        return {AlertKind.CLOSED: f"{used}: nothing more is sent until {until}; photos are queued meanwhile."}
    if mode is Mode.BATCH_ONLY:
        return {AlertKind.BATCH_ONLY: f"{used}: everybody is served by the batch lane."}
    return {}


def _dollars(micros: int) -> str:
    return f"{micros / 1e6:,.2f}" if micros >= 1_000_000 else f"{micros / 1e6:.6f}"


def _count(books: Books, limit: int, call_micros: int) -> int:
    """Return how many shards the day has. One whose record is lost has those that are there."""
    if not books.book.opened and not books.shards:
        return shards_for(limit, call_micros)
    return max(books.book.shard_count, *(int(name) + 1 for name in books.shards), 1)


def _limit(books: Books, rules: BudgetRules) -> int:
    month = books.state.month_of(books.day)
    others = sum(month.values()) - month.get(books.day, 0)
    return max(min(rules.daily_limit_micros, rules.monthly_limit_micros - others), 0)
