"""What is known of users' photos: `users/{uid}/cachedPhotos/main`."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from google.cloud.firestore import DELETE_FIELD

from functions.adapters.firestore.client import Documents
from functions.adapters.firestore.transactions import Writes
from functions.core.cache.entries import Entries, Remembered, packed, read_entries
from functions.core.shared.damage import mapping

LOOK_SECONDS = 2.0
"""For reading a user's entries, and for the jobs that they name, once: a call that has to ask the model anyway does not
wait for what could save it."""


class CacheDocuments(Documents):
    """Reads and writes of entries. A charge writes its own, see `JobDocuments.open_jobs`."""

    def cache_entries(self, uid: str) -> Entries:
        """Read a user's entries. One read, tried once."""
        stored = self._client.get(self._cache_ref(uid), once=True, seconds=LOOK_SECONDS)
        return read_entries(mapping(stored.fields, "entries"))

    def shared_photos(self, names: Iterable[str]) -> dict[str, str]:
        """Read by whom these files were sent first, as far as anybody has. A read each, tried once."""
        refs = [self._shared_ref(name) for name in dict.fromkeys(names)]
        read = self._client.get_all(refs, once=True, seconds=LOOK_SECONDS) if refs else ()
        return {each.id: str(each.fields.get("by")) for each in read if each.exists}

    def remember(self, uid: str, remembered: Remembered) -> None:
        """Write entries of jobs that are there already. One write."""
        writes = self._client.batch()
        self._remember(writes, uid, remembered, {each.job_id for each in remembered.new})
        writes.commit()

    def _remember(self, writes: Writes, uid: str, remembered: Remembered, created: set[str]) -> None:
        """Write the entries of the jobs that are created, each its own field: two calls at once lose none."""
        new = {each.job_id: packed(each) for each in remembered.new if each.job_id in created}
        if new:
            entries = {**dict.fromkeys(remembered.gone, DELETE_FIELD), **new}
            writes.merge(self._cache_ref(uid), {"entries": entries, "expireAt": remembered.expire_at})
        for photo in remembered.shared:
            writes.set(self._shared_ref(photo.name), {"by": photo.by, "expireAt": photo.expire_at})

    def _forget(self, writes: Writes, uid: str, job_ids: Sequence[str], expire_at: datetime) -> None:
        """Take these jobs' entries out, as far as they are there. Others that are kept beside them may be newer."""
        gone = dict.fromkeys(job_ids, DELETE_FIELD)
        writes.merge(self._cache_ref(uid), {"entries": gone, "expireAt": expire_at})

    def _shared_ref(self, name: str) -> str:
        return self._client.document("cacheShared", name)

    def _cache_ref(self, uid: str) -> str:
        return self._client.document("users", uid, "cachedPhotos", "main")
