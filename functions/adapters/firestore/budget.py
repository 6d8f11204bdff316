"""Money: `budget/{day}` with its shards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

from google.cloud.firestore import Increment

from functions.adapters.firestore.client import Documents
from functions.adapters.firestore.query import Collection
from functions.adapters.firestore.reading import all_sound, sound_fields
from functions.adapters.firestore.transactions import Transaction, Writes
from functions.adapters.firestore.values import Snapshot
from functions.adapters.firestore.wire import SUM_SECONDS
from functions.adapters.firestore.writes import run_transaction
from functions.core.budget.bookings import Booking, no_room
from functions.core.budget.day_review import Books, BudgetDay, Review, committed
from functions.core.budget.holds import NoRoom
from functions.core.budget.shards import SHARDS_MAX, Drift, Shard
from functions.core.budget.state import BudgetState
from functions.core.rollouts.counts import FIGURES, ArmCounts
from functions.core.shared.damage import DamagedDocument

HOLDS_SUMMED_MAX = 10_000_000
"""Calls of one day that are added up; one read for every thousand."""

ROLLUP_DAYS_MAX = 400

_SHARD_NAMES = frozenset(map(str, range(SHARDS_MAX)))
"""Of all the shards that a day can have."""


class ShardDocuments(Documents):
    """What every commit needs that holds or settles money: its part in the shards."""

    def _no_room(self, transaction: Transaction, wanted: Iterable[Booking]) -> NoRoom | None:
        """Check, and keep from changing, the shards that something is to be held on. A read each."""
        holding = tuple(booking for booking in wanted if booking.reserved > 0)
        shards = {booking.shard: self._shard_in(transaction, booking) for booking in holding}
        return no_room(shards, holding)

    def _shard_in(self, transaction: Transaction, booking: Booking) -> Shard | None:
        ref = self._shard_ref(booking.day, booking.shard)
        snapshot = self._client.get(ref, transaction)
        return _sound_shards([snapshot] if snapshot.exists else []).get(booking.shard)

    def _book(self, writes: Writes, changes: Iterable[Booking]) -> None:
        """Put the change of the shards into a commit. A write each, no read: they are increments."""
        for change in changes:
            fields: dict[str, Any] = {"reserved": Increment(change.reserved)}
            if change.spent or change.excess:
                fields |= {"spent": Increment(change.spent), "excess": Increment(change.excess)}
                fields["costs"] = {change.lane: _costs(change)}
            if counts := _counts(change):
                fields["tally"] = {change.lane: counts}
            if change.rollouts:
                fields["rollouts"] = {
                    key: {arm: _increments(counts) for arm, counts in arms.items()}
                    for key, arms in change.rollouts.items()
                }
            writes.merge(self._shard_ref(change.day, change.shard), fields)

    def _shard_ref(self, day: str, name: str) -> str:
        return self._client.document("budget", day, "shards", name)


class _DayShards(NamedTuple):
    """A day's shards as far as they can be read, by name; which of them cannot be read in full, and why."""

    read: dict[str, Shard]
    unsure: frozenset[str]
    damaged: tuple[DamagedDocument, ...]


class MeasuredDay(NamedTuple):
    """By how much a day's calls are above its shards, its shards, and the version of its record at that moment, so that
    a repair is made once."""

    drift: Drift
    version: tuple[int, int]
    shards: _DayShards


class BudgetDays(dict[str, BudgetDay]):
    """The books of days by day, as far as they can be read; `damaged` tells what cannot."""

    damaged: tuple[DamagedDocument, ...] = ()


class BudgetDocuments(ShardDocuments):
    """Reads and writes of days."""

    def budget_shards(self, day: str, names: Sequence[str] | None = None) -> dict[str, Shard]:
        """Read a day's sound shards by name, or those with these names; none if it is not open yet. A read each."""
        if names is None:
            return _sound_shards(self._all_shards(day))
        read = self._client.get_all([self._shard_ref(day, name) for name in names])
        return _sound_shards(each for each in read if each.exists)

    def open_day(self, day: str, decide: Callable[[dict[str, Any] | None, Books], Review]) -> int:
        """Give a day its shards, as `decide` says, if nobody has. Returns how many it has. One read if it is open."""
        ref = self._client.document("budget", day)
        book, _ = sound_fields(BudgetDay, self._client.get(ref))
        if not book.opened:
            # Without a record, a day with shards is open all the same: the guard writes it anew.
            review = self.review_day(day, lambda config, books: None if books.shards else decide(config, books))
            book = review.book if review else book
        return book.shard_count

    def review_day(
        self,
        day: str,
        decide: Callable[[dict[str, Any] | None, Books], Review | None],
        measured: MeasuredDay | None = None,
    ) -> Review | None:
        """Store what `decide` makes of `config/runtime`, the budget's state and a day's shards, in one transaction:
        until it ends nothing else holds, settles or reviews on that day. Damaged documents are read as far as they go,
        and written anew.

        A day that was `measured` just now has its shards read and locked here only if the review changes them, or
        another one came between.
        """
        config, state = self._client.document("config/runtime"), self._client.document("stats/budget")
        ref = self._client.document("budget", day)

        def body(transaction: Transaction) -> Review | None:
            transaction.begin()
            runtime, figures, record = self._client.get_all([config, state, ref], transaction)
            found, damaged = self._state_in(transaction, figures, day)
            book, wrong = sound_fields(BudgetDay, record)

            def decided(shards: _DayShards) -> Review | None:
                all_damaged = damaged + wrong + shards.damaged
                return decide(
                    runtime.fields if runtime.exists else None,
                    Books(day, found, shards.read, book, shards.unsure, all_damaged),
                )

            as_measured = measured is not None and measured.version == book.version
            review = decided(measured.shards if measured and as_measured else self._day_shards(day, transaction))
            if as_measured and review is not None and review.changed:
                review = decided(self._day_shards(day, transaction))
            if review is not None:
                transaction.set(state, review.state.model_dump(by_alias=True))
                transaction.set(ref, review.book.model_dump(by_alias=True))
                for name in review.changed:
                    transaction.set(self._shard_ref(day, name), review.shards[name].model_dump(by_alias=True))
            return review

        return run_transaction(self._client.transaction(), body)

    def change_budget_state(self, change: Callable[[BudgetState], BudgetState]) -> BudgetState:
        """Store what `change` makes of the budget's state, in one transaction: a read and a write."""
        ref = self._client.document("stats/budget")

        def body(transaction: Transaction) -> BudgetState:
            transaction.begin()
            before, _ = sound_fields(BudgetState, self._client.get(ref, transaction))
            state = change(before)
            was, fields = before.model_dump(by_alias=True), state.model_dump(by_alias=True)
            # What is damaged, or not there, stays so: the next review finds it and knows where it comes from.
            changed = {name: value for name, value in fields.items() if value != was.get(name)}
            if changed:
                transaction.merge(ref, changed)
            return state

        return run_transaction(self._client.transaction(), body)

    def _state_in(
        self, transaction: Transaction, stored: Snapshot, day: str
    ) -> tuple[BudgetState, tuple[DamagedDocument, ...]]:
        """Return the budget's state. If it lost the month's cost, its days' books tell it: a read each, once."""
        state, damaged = sound_fields(BudgetState, stored)
        if "committed" not in state.model_fields_set:
            books = self.budget_days(f"{day[:7]}-01", f"{day[:7]}-31", transaction)
            state = state.model_copy(update={"committed": committed(books)})
        return state, damaged

    def measure_day(self, day: str) -> MeasuredDay:
        """Read a day's shards, and add up the holds of its calls and batches. All is read at one moment, and nothing is
        locked: one read for every thousand calls, and one a shard."""

        def body(transaction: Transaction) -> MeasuredDay:
            open_micros = settled_micros = 0
            for holders in (self._client.collection("aiJobs"), self._client.collection("batches")):
                still_open, settled = _sums_of_holds(holders, day, transaction)
                open_micros += still_open
                settled_micros += settled
            book, _ = sound_fields(BudgetDay, self._client.get(self._client.document("budget", day), transaction))
            shards = self._day_shards(day, transaction)
            drift = Drift(
                open_micros - sum(shard.reserved for shard in shards.read.values()),
                settled_micros - sum(shard.spent + shard.excess for shard in shards.read.values()),
            )
            return MeasuredDay(drift, book.version, shards)

        return run_transaction(self._client.transaction(read_only=True), body)

    def _day_shards(self, day: str, transaction: Transaction) -> _DayShards:
        """Read those of a day's shards that are there, however many its record says; as far as they can be read."""
        shards, damaged = {}, {}
        for each in self._all_shards(day, transaction):
            shards[each.id], damaged[each.id] = sound_fields(Shard, each)
        unsure = frozenset(name for name, wrong in damaged.items() if wrong)
        return _DayShards(shards, unsure, tuple(chain.from_iterable(damaged.values())))

    def _all_shards(self, day: str, transaction: Transaction | None = None) -> list[Snapshot]:
        found = self._client.collection("budget", day, "shards").limit(SHARDS_MAX).stream(transaction)
        return [each for each in found if each.id in _SHARD_NAMES]

    def budget_days(self, since: str, until: str, transaction: Transaction | None = None) -> BudgetDays:
        """Read the books of the days from `since` to `until`. A read each, one if there are none."""
        days = self._client.collection("budget")
        query = days.where("__name__", ">=", days.document(since))
        query = query.where("__name__", "<=", days.document(until)).limit(ROLLUP_DAYS_MAX)
        books = BudgetDays()
        for each in query.stream(transaction):
            books[each.id], damaged = sound_fields(BudgetDay, each)
            books.damaged += damaged
        return books

    def user_micros(self, uid: str, since: datetime, until: datetime) -> int:
        """Add up the cost of a user's jobs created since, and before `until`. One read for every thousand."""
        query = self._client.collection("aiJobs").where("uid", "==", uid).where("createdAt", ">=", since)
        return query.where("createdAt", "<", until).limit(HOLDS_SUMMED_MAX).sums(micros="costMicros")["micros"]

    def sampled_users(self, day: str, limit: int) -> list[str]:
        """Read the owners of up to so many of a day's jobs, by their ids, which are hashes: a fair sample. A read each,
        at least one."""
        query = self._client.collection("aiJobs").where("day", "==", day).order_by("__name__")
        found = query.select(["uid"]).limit(limit).stream()
        uids = [each.fields.get("uid") for each in found]
        return [uid for uid in uids if isinstance(uid, str) and uid]  # not of users who are erased

    def write_user_costs(self, day: str, users: dict[str, int], now: datetime) -> None:
        """Store in a day's book who has cost how much, as of now. One write."""
        book = self._client.document("budget", day)
        self._client.batch().update(book, {"users": users, "usersAt": now}).commit()


def _costs(change: Booking) -> dict[str, Increment]:
    """Return what adds a booking's cost to that of its models."""
    cost, second = change.spent + change.excess, change.second
    if second is None or not second.micros:
        return {change.model: Increment(cost)}
    return {change.model: Increment(cost - second.micros), second.model: Increment(second.micros)}


def _counts(change: Booking) -> dict[str, dict[str, Increment]]:
    """Return what adds a booking's counters to those of its models."""
    of_models = {change.model: change.count, **({change.second.model: change.second.count} if change.second else {})}
    return {model: {name: Increment(n) for name, n in count.items()} for model, count in of_models.items() if count}


def _increments(counts: ArmCounts) -> dict[str, Any]:
    """Return what adds these counters to a shard's."""
    figures = {name: Increment(n) for name in FIGURES if (n := getattr(counts, name))}
    times = {bucket: Increment(n) for bucket, n in counts.ms.items()}
    return {**figures, "ms": times} if times else figures


def _sound_shards(snapshots: Iterable[Snapshot]) -> dict[str, Shard]:
    """Return shards by name. A damaged one is as good as missing: the guard makes it anew from what was held on it."""
    return dict(all_sound(snapshots, lambda each: (each.id, Shard.model_validate(each.fields))))


def _sums_of_holds(holders: Collection, day: str, transaction: Transaction) -> tuple[int, int]:
    """Add up what is held, and what was spent, on calls or batches of a day."""
    query = holders.where("hold.day", "==", day).limit(HOLDS_SUMMED_MAX)
    found = query.sums(transaction, seconds=SUM_SECONDS, open="hold.micros", settled="hold.settled")
    return found["open"], found["settled"]
