"""The queue: jobs that wait for a batch, and those that a batch has taken."""

from collections.abc import Sequence
from datetime import datetime

from functions.adapters.firestore.jobs import JobDocuments, StoredJob, all_jobs, as_job
from functions.adapters.firestore.query import DESCENDING
from functions.adapters.firestore.reading import Found, all_sound
from functions.core.batches.manifest import BatchMember
from functions.core.batches.queue import preferred_places
from functions.core.jobs.jobs import QUEUE_SHARDS, Job, Status
from functions.core.jobs.transitions import claimed

OPEN_COUNTED_MAX = 10_000
"""More than any plan allows in a day."""


class QueueDocuments(JobDocuments):
    """Reads of the queue, and the claims that move jobs out of it."""

    def queued_jobs(self, now: datetime, limit: int, shards: Sequence[int]) -> Found[StoredJob]:
        """Read the jobs of these shards whose turn it is, by priority, then age: see
        `core.batches.queue.preferred_places`. A read each, and one for a kind without any."""
        waiting = (
            self._jobs.where("status", "==", Status.QUEUED)
            .where("shard", "in", list(shards))
            .where("queuedAt", "<=", now)
        )
        without = waiting.where("priority", "==", 0).order_by("queuedAt")
        preferred = waiting.where("priority", ">", 0)
        preferred = preferred.order_by("priority", DESCENDING).order_by("queuedAt")
        places = preferred_places(limit)
        first = all_jobs(preferred.limit(places)) if places else Found[StoredJob]()
        rest = all_jobs(without.limit(limit - len(first)))
        return first + rest if places or rest else rest + all_jobs(preferred.limit(limit))

    def oldest_queued(self) -> datetime | None:
        """Read when the oldest of all queued jobs was asked for. One read."""
        waiting = self._jobs.where("status", "==", Status.QUEUED)
        query = waiting.where("shard", "in", list(range(QUEUE_SHARDS))).order_by("createdAt")
        found = query.select(["createdAt"]).limit(1).stream()
        return next((each.fields["createdAt"] for each in found), None)

    def count_queued(self, limit: int) -> int:
        """Count the queued jobs, up to a limit. One read for every thousand."""
        return self._jobs.where("status", "==", Status.QUEUED).limit(limit).count()

    def count_open_jobs(self, uid: str, day: str) -> int:
        """Count a user's jobs of a day that have not ended. One read for every thousand."""
        open_ones = self._jobs.where("uid", "==", uid).where("day", "==", day)
        waiting = open_ones.where("status", "in", [Status.QUEUED, Status.PROCESSING])
        return waiting.limit(OPEN_COUNTED_MAX).count()

    def claim_jobs(self, batch_id: str, queued: Sequence[StoredJob], lease_until: datetime) -> list[BatchMember]:
        """Claim queued jobs for a batch, each if it has not changed since it was read. Returns those claimed. A write a
        job."""
        outcomes = self.update_jobs(
            [(s.job.job_id, s.version, claimed(batch_id, s.job.attempts, lease_until)) for s in queued]
        )
        lost = [s for s, outcome in zip(queued, outcomes, strict=True) if not isinstance(outcome, datetime)]
        ours = self._claimed_by_lost_reply(batch_id, lost)
        members = []
        for stored, outcome in zip(queued, outcomes, strict=True):
            taken_at = outcome if isinstance(outcome, datetime) else ours.get(stored.job.job_id)
            if taken_at is not None:
                members.append(_member(stored.job, taken_at))
        return members

    def _claimed_by_lost_reply(self, batch_id: str, lost: Sequence[StoredJob]) -> dict[str, datetime]:
        """Of the jobs that refused the claim, those that are the batch's all the same: the call was repeated."""
        refs = [self._job_ref(stored.job.job_id) for stored in lost]
        read = all_sound(self._client.get_all(refs), as_job) if refs else ()
        return {stored.job.job_id: stored.version for stored in read if stored.job.batch_id == batch_id}

    def held_jobs(self, batch_id: str, limit: int) -> Found[StoredJob]:
        """Read jobs, and checks, that a batch has claimed and not ended, while it is not yet known which ones it took.
        A read each, and one for a kind without any."""
        held = [
            all_jobs(kind.where("batchId", "==", batch_id).where("status", "==", Status.PROCESSING).limit(limit))
            for kind in (self._jobs, self._checks)
        ]
        return held[0] + held[1]


def _member(job: Job, taken_at: datetime) -> BatchMember:
    return BatchMember(
        job_id=job.job_id,
        uid=job.uid,
        image_path=job.image_path,
        image_digest=job.image_digest,
        region=job.region,
        language=job.language,
        tokens_cost=job.tokens_cost,
        attempts=job.attempts + 1,
        cost_micros=job.cost_micros,
        created_at=job.created_at,
        notify=job.notify,
        looked_up=job.payer is not None and job.bulk_id is None,
        updated_at=taken_at,
        cache=job.cache,
    )
