"""Days gone through again under a config: which photos its budget would have admitted, in which lane, and what they
would have cost.

mode      at the beginning of each slot, by what is used of the day's limit, as the guard sets it
instant   while the mode is normal and the lane is open, as many calls as there is room for; the others join the queue
batch     as many as there is room for at their upper bound; when they are collected they have cost what they cost
queue     what a day has no room for is sent first on the next one, and refunded if that has none either

Users are not replayed: who would have had fewer tokens, or a lower limit of their own, may have asked for fewer photos.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from functions.core.budget.day_review import BudgetDay, mode_at
from functions.core.budget.holds import Mode
from functions.core.config.runtime import RuntimeConfig
from functions.core.insights.day_rows import asked_for
from functions.core.insights.usage_day import UsageDay
from functions.core.shared.lanes import Lane
from functions.core.shared.records import Record
from functions.core.shared.utc_days import day_bounds
from functions.core.wallet.token_prices import prices_now

Micros = Mapping[str, int]
"""Micro-dollars by lane."""


class Outcome(Record):
    """A day under a config: its cost in micro-dollars, the photos answered in the `instant` and the `batch` lane, those
    `moved` from the first to the second, those `waiting` at midnight and those of the day before that were `refunded`;
    and the `tokens` that the photos cost their users. `instant + batch + waiting + refunded` are the day's photos and
    those that waited from the day before."""

    micros: int
    instant: int
    batch: int
    moved: int
    waiting: int
    refunded: int
    tokens: int


def replayed(
    days: Mapping[str, UsageDay], config: RuntimeConfig, costs: Mapping[str, Micros], most: Micros, wait: timedelta
) -> dict[str, Outcome]:
    """Return the outcome of each day, oldest first. `costs` are a photo's, by day, `most` its upper bound; a batch is
    collected after `wait`. The month's limit counts from the first of the days on."""
    found: dict[str, Outcome] = {}
    months: Counter[str] = Counter()
    waiting = 0
    for day, usage in days.items():
        left = config.budget.monthly_limit_micros - months[day[:7]]
        limit = max(min(config.budget.daily_limit_micros, left), 0)
        found[day] = _Day(config, limit, costs[day], most, wait).outcome(day, usage, waiting)
        waiting = found[day].waiting
        months[day[:7]] += found[day].micros
    return found


@dataclass
class _Day:
    """A day's budget while its slots are gone through: what it has `spent`, and holds for photos in batches."""

    config: RuntimeConfig
    limit: int
    cost: Micros
    most: Micros
    wait: timedelta
    spent: int = 0
    held: int = 0

    def outcome(self, day: str, usage: UsageDay, waiting: int) -> Outcome:
        """Return what becomes of the photos of a day, and of those that waited for it."""
        old, queued, sent, called, moved = waiting, 0, 0, 0, 0
        flying: deque[tuple[datetime, int]] = deque()
        since, _ = day_bounds(day)
        for slot in usage.slots:
            while flying and flying[0][0] <= since:
                self._collect(flying.popleft()[1])
            mode = self._mode()
            asked = slot.arrivals.get(Lane.INSTANT, 0)
            calls = min(asked, self._calls()) if mode is Mode.NORMAL and self.config.instant.open else 0
            self.spent += calls * self.cost[Lane.INSTANT]
            called, moved = called + calls, moved + asked - calls
            queued += asked - calls + slot.arrivals.get(Lane.BATCH, 0)
            room = 0 if mode is Mode.CLOSED else self._room // max(self.most[Lane.BATCH], 1)
            first = min(old, room)
            batch = first + min(queued, room - first)
            old, queued, sent = old - first, queued - batch + first, sent + batch
            self.held += batch * self.most[Lane.BATCH]
            flying.append((since + self.wait, batch))
            since = slot.until
        self._collect(sum(batch for _, batch in flying))
        prices, later = prices_now(self.config.tokens, 0), asked_for(usage, Lane.BATCH) + moved
        return Outcome(
            micros=self.spent,
            instant=called,
            batch=sent,
            moved=moved,
            waiting=queued,
            refunded=old,
            tokens=called * prices.instant + (later - old) * prices.batch,
        )

    def _collect(self, photos: int) -> None:
        self.held -= photos * self.most[Lane.BATCH]
        self.spent += photos * self.cost[Lane.BATCH]

    def _mode(self) -> Mode:
        book = BudgetDay(limit=self.limit, reserved=self.held, spent=self.spent)
        return mode_at(book, self.config.budget, self.most[Lane.BATCH])

    def _calls(self) -> int:
        """Return for how many calls there is room, one after another: each holds the most, and costs less."""
        over = self._room - self.most[Lane.INSTANT]
        return over // max(self.cost[Lane.INSTANT], 1) + 1 if over >= 0 else 0

    @property
    def _room(self) -> int:
        return max(self.limit - self.held - self.spent, 0)
