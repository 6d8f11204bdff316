"""What is known of users' photos, `users/{uid}/cachedPhotos/main`; and how far answers are believed, `stats/cache`."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from google.cloud.firestore import DELETE_FIELD

from functions.adapters.firestore.client import Documents
from functions.adapters.firestore.reading import all_sound, sound_fields
from functions.adapters.firestore.transactions import Transaction, Writes
from functions.adapters.firestore.values import Snapshot
from functions.adapters.firestore.writes import run_transaction
from functions.core.cache.entries import Entries, Remembered, packed, read_entries
from functions.core.cache.lookup import Tier
from functions.core.cache.notes import CacheNote
from functions.core.cache.state import CacheState, Label
from functions.core.shared.damage import mapping

LABELS_MAX = 500
"""Folded in one run. More than the model answers in a quarter of an hour wait for the next."""

LOOK_SECONDS = 2.0
"""For reading a user's entries, and for the jobs that they name, once: a call that has to ask the model anyway does not
wait for what could save it."""


class FoldedLabels(NamedTuple):
    """The state of before and after, and how many labels came between."""

    before: CacheState
    after: CacheState
    labels: int


class CacheDocuments(Documents):
    """Reads and writes of entries. A charge writes its own, see `JobDocuments.open_jobs`."""

    def cache_entries(self, uid: str) -> Entries:
        """Read a user's entries. One read, tried once."""
        stored = self._client.get(self._cache_ref(uid), once=True, seconds=LOOK_SECONDS)
        return read_entries(mapping(stored.fields, "entries"))

    def fold_labels(self, until: datetime, fold: Callable[[CacheState, list[Label]], CacheState]) -> FoldedLabels:
        """Fold the labels on jobs since the last fold and up to `until` into `stats/cache`, so many at the most. A read
        for each, and a read and a write. Runs at once do not count one twice: the document's version guards it."""
        ref = self._client.document("stats/cache")

        def body(transaction: Transaction) -> FoldedLabels:
            before = sound_fields(CacheState, self._client.get(ref, transaction))[0]
            labels = self._labels(before.labelled_until, until)
            after = fold(before, labels)
            if labels:
                transaction.set(ref, after.model_dump(by_alias=True))
            return FoldedLabels(before, after, len(labels))

        return run_transaction(self._client.transaction(), body)

    def _labels(self, since: datetime | None, until: datetime) -> list[Label]:
        query = self._client.collection("aiJobs").where("cache.labelledAt", "<=", until).order_by("cache.labelledAt")
        newer = query if since is None else query.where("cache.labelledAt", ">", since)
        found = all_sound(newer.select(["cache"]).limit(LABELS_MAX).stream(), _as_note)
        return [
            Label(note.family, note.tier, note.bits, bool(note.same), note.labelled_at)
            for note in found
            if isinstance(note.tier, Tier) and note.labelled_at is not None
        ]

    def _remember(self, writes: Writes, uid: str, remembered: Remembered, created: set[str]) -> None:
        """Write the entries of the jobs that are created, each its own field: two calls at once lose none."""
        new = {each.job_id: packed(each) for each in remembered.new if each.job_id in created}
        if new:
            entries = {**dict.fromkeys(remembered.gone, DELETE_FIELD), **new}
            writes.merge(self._cache_ref(uid), {"entries": entries, "expireAt": remembered.expire_at})

    def _forget(self, writes: Writes, uid: str, job_ids: Sequence[str], expire_at: datetime) -> None:
        """Take these jobs' entries out, as far as they are there. Others that are kept beside them may be newer."""
        gone = dict.fromkeys(job_ids, DELETE_FIELD)
        writes.merge(self._cache_ref(uid), {"entries": gone, "expireAt": expire_at})

    def _cache_ref(self, uid: str) -> str:
        return self._client.document("users", uid, "cachedPhotos", "main")


def _as_note(snapshot: Snapshot) -> CacheNote:
    return CacheNote.model_validate(snapshot.fields["cache"])
