"""Jobs: `aiJobs/{jobId}`. Opening and closing one moves tokens, in the same transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from google.cloud.firestore import CollectionReference, DocumentSnapshot, FieldFilter, Query, Transaction
from google.cloud.firestore_v1.base_batch import BaseWriteBatch

from functions.adapters.firestore.budget import ShardDocuments
from functions.adapters.firestore.reading import Found, all_sound, sound
from functions.adapters.firestore.wallet import StoredWallet, WalletDocuments, as_wallet
from functions.adapters.firestore.writes import OUTCOME_UNKNOWN, Outcome, guarded_bulk, guarded_update, run_transaction
from functions.core.budget.holds import bookings, settling
from functions.core.jobs.endings import Decision
from functions.core.jobs.jobs import FINAL, QUEUE_SHARDS, Job
from functions.core.jobs.transitions import with_fields
from functions.core.shared.records import Fields
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Reason, Wallet, empty_wallet, entry_id


@dataclass(frozen=True)
class StoredJob:
    """A job as read, and the version to guard the next write with."""

    job: Job
    version: datetime


@dataclass(frozen=True)
class Opening:
    """Jobs that are charged: the account after it, the jobs as stored, and the version to guard the next write with."""

    account: Account
    jobs: tuple[Job, ...]
    version: datetime | None = None


class JobDocuments(WalletDocuments, ShardDocuments):
    """Reads and writes of jobs. What changes a job's hold changes its shard of the budget in the same commit."""

    def get_job(self, job_id: str) -> StoredJob | None:
        """Read a job. One read."""
        return _job_or_none(self._jobs.document(job_id).get())

    def get_jobs(self, job_ids: Sequence[str]) -> dict[str, StoredJob]:
        """Read those of these jobs that exist. A read each."""
        refs = [self._jobs.document(job_id) for job_id in job_ids]
        read = map(_job_or_none, self._client.get_all(refs)) if refs else ()
        return {stored.job.job_id: stored for stored in read if stored is not None}

    def open_jobs(
        self, uid: str, opened_by: str, decide: Callable[[Wallet | None], Opening], seen: StoredWallet | None = None
    ) -> Opening | None:
        """Charge for jobs and store them, in one transaction: one read, a write for the wallet and two a job; for a job
        with a hold another read, and another write, for its shard of the budget.

        Who has `seen` the wallet before need not have it read again: jobs without a hold are then stored under its
        version, and in a transaction only if that is not the wallet's any more.

        Returns None, and nothing is stored, if one of them exists already and another invocation opened it, or existed
        once and was charged for.

        Raises:
            DayNotOpenError, NoRoomError: there is no room for a hold; nothing is stored.
        """
        attempted: list[str] = []
        transaction = self._client.transaction()

        def decided(wallet: Wallet | None) -> Opening:
            opening = decide(wallet)
            attempted[:] = [job.job_id for job in opening.jobs]
            return opening

        def body(transaction: Transaction) -> Opening:
            opening = decided(self._wallet_in(transaction, uid))
            held = [change for job in opening.jobs for change in bookings(None, job.hold)]
            self._require_room(transaction, held)
            self._book(transaction, held)
            if opening.jobs:
                transaction.set(self._wallet_ref(uid), _wallet_fields(opening))
            self._create(transaction, uid, opening)
            return opening

        def committed() -> Opening:
            if seen and (opening := decided(seen.wallet)).jobs and not any(job.hold for job in opening.jobs):
                ref, add = self._wallet_ref(uid), partial(self._create, uid=uid, opening=opening)
                version = guarded_update(self._client, ref, seen.version, _wallet_fields(opening), add)
                if version is not None:
                    return replace(opening, version=version)
            opening = run_transaction(transaction, body)
            results = transaction.write_results or []
            # What one commit writes, it writes at one time.
            return replace(opening, version=results[-1].update_time) if results else opening

        try:
            return committed()
        except OUTCOME_UNKNOWN:
            stored = self.get_jobs(attempted)
            if not stored and not self.outlived_jobs(uid, attempted):
                raise
            if len(stored) < len(attempted) or any(s.job.opened_by != opened_by for s in stored.values()):
                return None
            wallet = self.get_wallet(uid)
            account = Account(wallet) if wallet else Account(empty_wallet(next(iter(stored.values())).job.created_at))
            jobs = tuple(stored[job_id].job for job_id in attempted)
            return Opening(account, jobs, stored[attempted[-1]].version)

    def _create(self, writes: BaseWriteBatch, uid: str, opening: Opening) -> None:
        """Put jobs and the entries that pay for them into a commit. A second one with the same id fails the whole."""
        if opening.jobs:
            self._write_entries(writes, uid, opening.account)
        for job in opening.jobs:
            writes.create(self._jobs.document(job.job_id), _job_fields(job))

    def outlived_jobs(self, uid: str, job_ids: Sequence[str]) -> set[str]:
        """Find those of a user's jobs that were charged for and are there no more: deleted by TTL, while the ledger
        stays. Two reads each."""
        entries = [self._ledger(uid).document(entry_id(Reason.CHARGE, job_id)) for job_id in job_ids]
        charged = {entry.id for entry in self._client.get_all(entries) if entry.exists}
        # The jobs are read last: one whose charge was there before was there as well.
        used = [job_id for job_id in job_ids if entry_id(Reason.CHARGE, job_id) in charged]
        return set(used) - self.get_jobs(used).keys()

    def update_job(self, job: Job, version: datetime, fields: Fields) -> bool:
        """Write these fields if the job is as it was at `version`, and settle its hold if they end it. One write, and
        one for the shard. False if it is not, or was written already."""
        fields, ref = settling(job.hold, fields, job.cost_micros), self._jobs.document(job.job_id)
        changes = bookings(job.hold, with_fields(job, fields).hold)
        return guarded_update(self._client, ref, version, fields, lambda w: self._book(w, changes)) is not None

    def settle_job(
        self,
        job_id: str,
        uid: str,
        decide: Decision,
        took_effect: Callable[[Job], bool] = lambda job: job.status in FINAL,
    ) -> StoredJob | None:
        """Change a job and move its tokens, in one transaction: two reads, and a write for wallet, entry and job each;
        and for its shard of the budget, if it has a hold.

        `decide` returns None when the job is not, or no longer, in a state that allows it. Returns the job as it is
        then, None if there is none. `took_effect` tells from the job alone whether a commit whose reply was lost has
        happened.
        """
        job_ref, wallet_ref = self._jobs.document(job_id), self._wallet_ref(uid)
        transaction = self._client.transaction()

        def body(transaction: Transaction) -> StoredJob | None:
            snapshots = self._client.get_all([job_ref, wallet_ref], transaction=transaction)
            read = {snapshot.reference.path: snapshot for snapshot in snapshots}
            stored = _job_or_none(read[job_ref.path])
            if stored is None:
                return None
            wallet = as_wallet(read[wallet_ref.path]) or self._wallet_in(transaction, uid)
            decision = decide(wallet, stored.job)
            if decision is None:
                return stored
            account, fields = decision
            fields = settling(stored.job.hold, fields, stored.job.cost_micros)
            changed = with_fields(stored.job, fields)
            changes = bookings(stored.job.hold, changed.hold)
            self._require_room(transaction, changes)
            self._book(transaction, changes)
            if account is not None:
                self._write_account(transaction, uid, account)
            transaction.update(job_ref, dict(fields))
            return replace(stored, job=changed)

        try:
            settled = run_transaction(transaction, body)
        except OUTCOME_UNKNOWN:
            stored = self.get_job(job_id)
            if stored is None or not took_effect(stored.job):
                raise
            return stored
        results = transaction.write_results
        return replace(settled, version=results[-1].update_time) if settled and results else settled

    def stale_leases(self, now: datetime, limit: int) -> Found[StoredJob]:
        """Read instant jobs whose call has not come back in time. A read each, one if there are none."""
        query = (
            self._jobs.where(filter=FieldFilter("shard", "in", list(range(QUEUE_SHARDS))))
            .where(filter=FieldFilter("leaseUntil", "<=", now))
            .order_by("leaseUntil")
            .limit(limit)
        )
        return all_jobs(query)

    def list_jobs(self, uid: str, before: tuple[datetime, str] | None, limit: int) -> Found[StoredJob]:
        """Read a page of a user's jobs, newest first, after the one named by its creation time and id. A read each."""
        query = (
            self._jobs.where(filter=FieldFilter("uid", "==", uid))
            .order_by("createdAt", direction=Query.DESCENDING)
            .order_by("__name__", direction=Query.DESCENDING)
        )
        if before is not None:
            query = query.start_after({"createdAt": before[0], "__name__": self._jobs.document(before[1])})
        return all_jobs(query.limit(limit))

    def update_jobs(self, changes: Sequence[tuple[str, datetime, Fields]]) -> list[Outcome]:
        """Write many jobs, each under its version. Returns, in order, what became of each; see `guarded_bulk`."""
        return guarded_bulk(self._client, [(self._jobs.document(job), version, new) for job, version, new in changes])

    @property
    def _jobs(self) -> CollectionReference:
        return self._client.collection("aiJobs")


def as_job(snapshot: DocumentSnapshot[Any]) -> StoredJob:
    """Return the job in a snapshot. One that is gone lacks every field."""
    fields = {**(snapshot.to_dict() or {}), "jobId": snapshot.id}
    return StoredJob(Job.model_validate(fields), snapshot.update_time)


def _job_or_none(snapshot: DocumentSnapshot[Any]) -> StoredJob | None:
    return sound(snapshot, as_job) if snapshot.exists else None


def _wallet_fields(opening: Opening) -> dict[str, Any]:
    return opening.account.wallet.model_dump(by_alias=True)


def _job_fields(job: Job) -> dict[str, Any]:
    return job.model_dump(by_alias=True, exclude={"job_id"})


def all_jobs(query: Query) -> Found[StoredJob]:
    """Read what a query finds; it has a limit."""
    return all_sound(query.stream(), as_job)
