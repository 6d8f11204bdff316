"""Batches: `batches/{batchId}`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.adapters.firestore.budget import ShardDocuments
from functions.adapters.firestore.query import Collection
from functions.adapters.firestore.reading import Found, all_sound, sound
from functions.adapters.firestore.transactions import Transaction
from functions.adapters.firestore.values import Snapshot
from functions.adapters.firestore.writes import OUTCOME_UNKNOWN, guarded_update, run_transaction
from functions.core.batches.batches import Batch, BatchState
from functions.core.budget.bookings import bookings
from functions.core.budget.holds import Hold, NoRoom, settled
from functions.core.jobs.counting import of_lines
from functions.core.rollouts.counts import counted
from functions.core.shared.records import Fields

IN_VALUES_MAX = 30
"""Of the values that Firestore compares a field with in one query."""

HOLDERS_MAX = 1_000
"""Batches of ours that have one of so many ids: one each, and in a recovery a few more."""


@dataclass(frozen=True)
class StoredBatch:
    """A batch as read, and the version to guard the next write with."""

    batch: Batch
    version: datetime


class BatchDocuments(ShardDocuments):
    """Reads and writes of batches. What changes a batch's hold changes its shards of the budget in the same commit."""

    def create_batch(self, batch: Batch) -> datetime | NoRoom:
        """Store a new batch with its hold, in one transaction: a read and a write for each shard it is held on, and a
        write for the batch. Returns its version; with `NoRoom` nothing is stored."""
        held = bookings(None, batch.hold)
        ref = self._batches.document(batch.batch_id)

        def body(transaction: Transaction) -> NoRoom | None:
            transaction.begin()
            if full := self._no_room(transaction, held):
                return full
            self._book(transaction, held)
            transaction.create(ref, batch.model_dump(by_alias=True, exclude={"batch_id"}))
            return None

        transaction = self._client.transaction()
        try:
            if full := run_transaction(transaction, body):
                return full
            return transaction.versions[-1]  # the batch is written last
        except OUTCOME_UNKNOWN:
            # The id is new with every batch: what is there is ours, and its reply was lost.
            stored = self._client.get(ref)
            if not stored.exists:
                raise
            return stored.update_time

    def delete_batch(self, batch: Batch, version: datetime) -> None:
        """Remove a batch that never took a job, and release its hold. If somebody was faster, it is gone already."""
        released = bookings(batch.hold, settled(batch.hold, 0)) if batch.hold else ()
        ref = self._batches.document(batch.batch_id)
        guarded_update(self._client, ref, version, None, lambda writes: self._book(writes, released))

    def settle_batch(
        self, batch: Batch, version: datetime, fields: Fields, hold: Hold | None, count: Mapping[str, int] | None = None
    ) -> datetime | None:
        """Write these fields and settle the batch's hold in one commit, if the batch is still at `version`, with what
        its day's tally is to `count`, and its arms with it. A write for the batch and each shard. Returns the new
        version, None if somebody was faster."""
        micros = (hold.settled if hold else 0) - (batch.hold.settled if batch.hold else 0)
        arms = counted(batch.arms, of_lines(count, micros)) if count else {}
        changes = bookings(batch.hold, hold, count, arms)
        written = {**fields, "hold": hold.model_dump(by_alias=True) if hold else None}
        ref = self._batches.document(batch.batch_id)
        return guarded_update(self._client, ref, version, written, lambda writes: self._book(writes, changes))

    def due_batches(self, states: Iterable[BatchState], now: datetime, limit: int) -> Found[StoredBatch]:
        """Read the batches in these states that are due, longest due first. A read each, one if there are none."""
        query = (
            self._batches.where("state", "in", list(states)).where("dueAt", "<=", now).order_by("dueAt").limit(limit)
        )
        return all_sound(query.stream(), as_batch)

    def batches_made_before(self, state: BatchState, then: datetime, limit: int) -> Found[StoredBatch]:
        """Read the oldest batches in this state that were made by then. A read each, one if there are none."""
        query = self._batches.where("state", "==", state)
        query = query.where("createdAt", "<=", then).order_by("createdAt").limit(limit)
        return all_sound(query.stream(), as_batch)

    def count_batches(self, states: Iterable[BatchState], limit: int) -> dict[str, int]:
        """Count the batches in each of these states, up to a limit. One read for every thousand, and one a state."""
        counted = {}
        for state in states:
            counted[state.value] = self._batches.where("state", "==", state).limit(limit).count()
        return counted

    def get_batch(self, batch_id: str) -> StoredBatch | None:
        """Read a batch. One read."""
        snapshot = self._client.get(self._batches.document(batch_id))
        return sound(snapshot, as_batch) if snapshot.exists else None

    def update_batch(self, batch_id: str, version: datetime, fields: Fields) -> datetime | None:
        """Write these fields if the batch is still at `version`. Returns the new version, None if somebody was
        faster."""
        return guarded_update(self._client, self._batches.document(batch_id), version, fields)

    def batches_at_provider(self, provider_batch_ids: Sequence[str]) -> list[Batch]:
        """Read all batches that have one of these ids at their provider. A read each, and one for every thirty ids.
        Raises DamagedDocumentError for one that cannot be read."""
        found = list[Batch]()
        for start in range(0, len(provider_batch_ids), IN_VALUES_MAX):
            ids = list(provider_batch_ids[start : start + IN_VALUES_MAX])
            query = self._batches.where("openaiBatchId", "in", ids).limit(HOLDERS_MAX)
            found += [sound(snapshot, as_batch).batch for snapshot in query.stream()]
        return found

    def find_batch(self, openai_batch_id: str) -> StoredBatch | None:
        """Read the batch that carries this id at OpenAI. One read."""
        query = self._batches.where("openaiBatchId", "==", openai_batch_id).limit(1)
        return next((sound(snapshot, as_batch) for snapshot in query.stream()), None)

    @property
    def _batches(self) -> Collection:
        return self._client.collection("batches")


def as_batch(snapshot: Snapshot) -> StoredBatch:
    """Return a document as a batch. Raises ValidationError if it is none."""
    fields = {**snapshot.fields, "batchId": snapshot.id}
    return StoredBatch(Batch.model_validate(fields), snapshot.update_time)
