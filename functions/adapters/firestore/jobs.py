"""Jobs: `aiJobs/{jobId}`. Opening and closing one moves tokens, in the same transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.cloud.firestore import CollectionReference, DocumentSnapshot, FieldFilter, Query, Transaction

from functions.adapters.firestore.wallets import WalletDocuments, as_wallet
from functions.adapters.firestore.writes import (
    OUTCOME_UNKNOWN,
    RPC_TIMEOUT_SECONDS,
    guarded_bulk,
    guarded_update,
    run_transaction,
)
from functions.core.batches import BatchMember
from functions.core.jobs import FINAL, Fields, Job, Status, claimed, with_fields
from functions.core.ledger import Account, Wallet


@dataclass(frozen=True)
class StoredJob:
    """A job as read, and the version to guard the next write with."""

    job: Job
    version: datetime


@dataclass(frozen=True)
class Opened:
    """A job that is charged and stored: the balance left, and the version to guard the next write with."""

    job: Job
    balance: int
    version: datetime


class JobDocuments(WalletDocuments):
    """Reads and writes of jobs."""

    def get_job(self, job_id: str) -> StoredJob | None:
        """Read a job. One read."""
        return _job(self._jobs.document(job_id).get(timeout=RPC_TIMEOUT_SECONDS))

    def open_job(self, job: Job, decide: Callable[[Wallet | None], tuple[Account, Job]]) -> Opened | None:
        """Charge for a job and store it, in one transaction: one read, and a write for wallet, entries and job each.

        `decide` returns the job as it is to be stored. Returns None if it exists and another invocation opened it.
        """

        def body(transaction: Transaction) -> tuple[Account, Job]:
            account, charged = decide(self._wallet_in(transaction, job.uid))
            self._write_account(transaction, job.uid, account)
            transaction.create(self._jobs.document(job.job_id), _job_fields(charged))
            return account, charged

        transaction = self._client.transaction()
        try:
            account, charged = run_transaction(transaction, body)
        except OUTCOME_UNKNOWN:
            stored = self.get_job(job.job_id)
            if stored is None:
                raise
            if stored.job.opened_by != job.opened_by:
                return None
            wallet = self.get_wallet(job.uid)
            return Opened(stored.job, wallet.balance if wallet else 0, stored.version)
        results = transaction.write_results or []
        return Opened(charged, account.wallet.balance, results[-1].update_time)  # the job is written last

    def update_job(self, job_id: str, version: datetime, fields: Fields) -> bool:
        """Write these fields if the job is as it was at `version`. One write. False if it is not, or was written
        already."""
        return guarded_update(self._client, self._jobs.document(job_id), version, fields) is not None

    def close_job(
        self, job_id: str, uid: str, decide: Callable[[Wallet | None, Job], tuple[Account, Fields] | None]
    ) -> Job:
        """End a job and move its tokens, in one transaction: two reads, and a write for wallet, entry and job each.

        `decide` returns None when the job is not, or no longer, in a state that allows it. Returns the job as it is
        then.
        """
        job_ref, wallet_ref = self._jobs.document(job_id), self._wallet_ref(uid)

        def body(transaction: Transaction) -> Job:
            snapshots = self._client.get_all(
                [job_ref, wallet_ref], transaction=transaction, timeout=RPC_TIMEOUT_SECONDS
            )
            read = {snapshot.reference.path: snapshot for snapshot in snapshots}
            stored = _job(read[job_ref.path])
            if stored is None:
                raise LookupError(f"job {job_id} does not exist")
            decision = decide(as_wallet(read[wallet_ref.path]), stored.job)
            if decision is None:
                return stored.job
            account, fields = decision
            self._write_account(transaction, uid, account)
            transaction.update(job_ref, dict(fields))
            return with_fields(stored.job, fields)

        try:
            return run_transaction(self._client.transaction(), body)
        except OUTCOME_UNKNOWN:
            stored = self.get_job(job_id)
            if stored is None or stored.job.status not in FINAL:
                raise
            return stored.job

    def queued_jobs(self, limit: int) -> list[StoredJob]:
        """Read the oldest queued jobs. A read each, one if there are none."""
        query = self._jobs.where(filter=FieldFilter("status", "==", Status.QUEUED)).order_by("createdAt").limit(limit)
        return _all_jobs(query)

    def held_jobs(self, batch_id: str, limit: int) -> list[StoredJob]:
        """Read jobs that a batch has claimed and not ended, while it is not yet known which ones it took."""
        query = (
            self._jobs.where(filter=FieldFilter("batchId", "==", batch_id))
            .where(filter=FieldFilter("status", "==", Status.PROCESSING))
            .limit(limit)
        )
        return _all_jobs(query)

    def claim_jobs(self, batch_id: str, queued: Sequence[StoredJob]) -> list[BatchMember]:
        """Take queued jobs into a batch, each one only if nobody changed it since it was read. A write a job.

        Returns those that are now the batch's. A job that somebody else took, cancelled or upgraded is left out.
        """
        versions = self.update_jobs([(s.job.job_id, s.version, claimed(batch_id, s.job.attempts)) for s in queued])
        lost = [s for s, version in zip(queued, versions, strict=True) if version is None]
        ours = self._claimed_by_lost_reply(batch_id, lost)
        members = []
        for stored, version in zip(queued, versions, strict=True):
            taken_at = version or ours.get(stored.job.job_id)
            if taken_at is not None:
                members.append(_member(stored.job, taken_at))
        return members

    def _claimed_by_lost_reply(self, batch_id: str, lost: Sequence[StoredJob]) -> dict[str, datetime]:
        """Of the jobs that refused the claim, those that are the batch's all the same: the call was repeated."""
        if not lost:
            return {}
        refs = [self._jobs.document(stored.job.job_id) for stored in lost]
        found = map(_job, self._client.get_all(refs, timeout=RPC_TIMEOUT_SECONDS))
        return {s.job.job_id: s.version for s in found if s is not None and s.job.batch_id == batch_id}

    def update_jobs(self, changes: Sequence[tuple[str, datetime, Fields]]) -> list[datetime | None]:
        """Write many jobs, each under its version. Returns, in order, the new version, or None where it was refused."""
        return guarded_bulk(self._client, [(self._jobs.document(job), version, new) for job, version, new in changes])

    def count_queued(self, limit: int) -> int:
        """Count the queued jobs, up to a limit. One read for every thousand."""
        query = self._jobs.where(filter=FieldFilter("status", "==", Status.QUEUED)).limit(limit)
        counting: Any = query.count()  # its annotations leave out that it answers with a list of lists
        return int(counting.get(timeout=RPC_TIMEOUT_SECONDS)[0][0].value)

    @property
    def _jobs(self) -> CollectionReference:
        return self._client.collection("aiJobs")


def _job(snapshot: DocumentSnapshot[Any]) -> StoredJob | None:
    data = snapshot.to_dict()
    return None if data is None else StoredJob(Job(job_id=snapshot.id, **data), snapshot.update_time)


def _job_fields(job: Job) -> dict[str, Any]:
    return job.model_dump(by_alias=True, exclude={"job_id"})


def _all_jobs(query: Query) -> list[StoredJob]:
    found = map(_job, query.stream(timeout=RPC_TIMEOUT_SECONDS))
    return [stored for stored in found if stored is not None]


def _member(job: Job, taken_at: datetime) -> BatchMember:
    return BatchMember(
        job_id=job.job_id,
        uid=job.uid,
        image_path=job.image_path,
        region=job.region,
        language=job.language,
        tokens_cost=job.tokens_cost,
        attempts=job.attempts + 1,
        cost_micros=job.cost_micros,
        updated_at=taken_at,
    )
