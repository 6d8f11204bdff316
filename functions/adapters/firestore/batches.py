"""Batches: `batches/{batchId}`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.api_core.exceptions import AlreadyExists
from google.cloud.firestore import Client, CollectionReference, DocumentSnapshot, FieldFilter

from functions.adapters.firestore.writes import RPC_TIMEOUT_SECONDS, guarded_update
from functions.core.batches import Batch, BatchState
from functions.core.jobs import Fields


@dataclass(frozen=True)
class StoredBatch:
    """A batch as read, and the version to guard the next write with."""

    batch: Batch
    version: datetime


class BatchDocuments:
    """Reads and writes of batches."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def create_batch(self, batch: Batch) -> datetime:
        """Store a new batch. Returns its version."""
        ref = self._batches.document(batch.batch_id)
        fields = batch.model_dump(by_alias=True, exclude={"batch_id"})
        version: datetime
        try:
            version = ref.create(fields, timeout=RPC_TIMEOUT_SECONDS).update_time
        except AlreadyExists:
            # The id is new with every batch: what is there is ours, and its reply was lost.
            version = ref.get(timeout=RPC_TIMEOUT_SECONDS).update_time
        return version

    def delete_batch(self, batch_id: str) -> None:
        """Remove a batch that never took a job."""
        self._batches.document(batch_id).delete(timeout=RPC_TIMEOUT_SECONDS)

    def due_batches(self, states: Iterable[BatchState], now: datetime, limit: int) -> list[StoredBatch]:
        """Read the batches in these states that are due, longest due first. A read each, one if there are none."""
        query = (
            self._batches.where(filter=FieldFilter("state", "in", list(states)))
            .where(filter=FieldFilter("dueAt", "<=", now))
            .order_by("dueAt")
            .limit(limit)
        )
        return [_batch(snapshot) for snapshot in query.stream(timeout=RPC_TIMEOUT_SECONDS)]

    def update_batch(self, batch_id: str, version: datetime, fields: Fields) -> datetime | None:
        """Write these fields if the batch is as it was at `version`. Returns the new version, None if somebody was
        faster."""
        return guarded_update(self._client, self._batches.document(batch_id), version, fields)

    def find_batch(self, openai_batch_id: str) -> StoredBatch | None:
        """Read the batch that carries this id at OpenAI. One read."""
        query = self._batches.where(filter=FieldFilter("openaiBatchId", "==", openai_batch_id)).limit(1)
        found = [_batch(snapshot) for snapshot in query.stream(timeout=RPC_TIMEOUT_SECONDS)]
        return found[0] if found else None

    @property
    def _batches(self) -> CollectionReference:
        return self._client.collection("batches")


def _batch(snapshot: DocumentSnapshot[Any]) -> StoredBatch:
    return StoredBatch(Batch(batch_id=snapshot.id, **(snapshot.to_dict() or {})), snapshot.update_time)
