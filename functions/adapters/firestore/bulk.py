"""Bulk jobs: `bulkJobs/{bulkId}`, and the jobs that they make and end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from functions.adapters.firestore.jobs import JobDocuments, as_job
from functions.adapters.firestore.query import DESCENDING, Collection, Query
from functions.adapters.firestore.reading import Found, all_sound, sound
from functions.adapters.firestore.transactions import Transaction
from functions.adapters.firestore.values import Snapshot
from functions.adapters.firestore.wallet import as_team, open_or_none
from functions.adapters.firestore.writes import OUTCOME_UNKNOWN, delete_all, guarded_update, run_transaction
from functions.core.bulk.bulks import Bulk, BulkState, outlived_bulk
from functions.core.bulk.changes import Change
from functions.core.jobs.jobs import FINAL, Job, Status
from functions.core.shared.errors import EcolaneError
from functions.core.shared.records import Fields
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Reason, Wallet, entry_id

CANCELLED_AT_ONCE = 100
"""Queued jobs that one transaction cancels."""

COUNTED_MAX = 10_000

R = TypeVar("R")


@dataclass(frozen=True)
class StoredBulk:
    """A bulk job as read, and the version to guard the next write with."""

    bulk: Bulk
    version: datetime


class BulkJobDocuments(JobDocuments):
    """Reads and writes of bulk jobs."""

    def get_bulk(self, bulk_id: str) -> StoredBulk | None:
        """Read a bulk job. One read."""
        snapshot = self._client.get(self._bulks.document(bulk_id))
        return sound(snapshot, as_bulk) if snapshot.exists else None

    def list_bulks(self, uid: str, before: datetime | None, limit: int) -> Found[StoredBulk]:
        """Read a page of a user's bulk jobs, newest first. A read each, one if there are none."""
        query = self._bulks.where("uid", "==", uid).order_by("createdAt", DESCENDING)
        if before is not None:
            query = query.where("createdAt", "<", before)
        return all_sound(query.limit(limit).stream(), as_bulk)

    def unfinished_of_member(self, team_id: str, uid: str, until: datetime, limit: int) -> Found[StoredBulk]:
        """Read bulk jobs of one member that the team pays for, started until a time, that are not being cancelled. A
        read each, one if there are none."""
        query = self._bulks.where("payer", "==", team_id).where("uid", "==", uid)
        query = query.where("state", "in", [BulkState.TAKING, BulkState.WORKING]).where("createdAt", "<=", until)
        return all_sound(query.order_by("createdAt").limit(limit).stream(), as_bulk)

    def bulks_taking(self, uid: str, limit: int) -> Found[StoredBulk]:
        """Read a user's bulk jobs that still take photos on. A read each, one if there are none."""
        query = self._bulks.where("uid", "==", uid).where("state", "==", BulkState.TAKING)
        return all_sound(query.limit(limit).stream(), as_bulk)

    def due_bulks(self, now: datetime, limit: int) -> Found[StoredBulk]:
        """Read the bulk jobs that it is time to look at. A read each, one if there are none."""
        found = self._bulks.where("dueAt", "<=", now).order_by("dueAt").limit(limit).stream()
        return all_sound(found, as_bulk)

    def open_bulk(self, bulk: Bulk, decide: Callable[[Wallet | None], tuple[Account, Bulk]]) -> Bulk:
        """Charge for a bulk job and store it, in one transaction: a read, and a write each for wallet, entry and bulk
        job. One that is there is returned as it is, whatever `decide` says to a second one. Raises KeyReused for
        one that is kept no more."""

        def body(transaction: Transaction) -> Bulk:
            account, opened = decide(self._wallet_in(transaction, bulk.uid, bulk.payer))
            self._write_account(transaction, bulk.uid, account)
            transaction.create(self._bulks.document(bulk.bulk_id), _fields(opened))
            return opened

        try:
            return run_transaction(self._client.transaction(), body)
        except (*OUTCOME_UNKNOWN, EcolaneError):
            stored = self.get_bulk(bulk.bulk_id)
            if stored is None:
                charge = self._ledger(bulk.uid, bulk.payer).document(entry_id(Reason.BULK, bulk.bulk_id))
                if not self._client.get(charge).exists:
                    raise
                stored = self.get_bulk(bulk.bulk_id)  # whoever was charged since has one
            if stored is None:
                raise outlived_bulk() from None
            return stored.bulk

    def change_bulk(self, known: Bulk, decide: Callable[[Wallet | None, Bulk], Change | R]) -> Bulk | R | None:
        """Store what `decide` makes of a bulk job and its user's wallet, in one transaction: two reads; a write for the
        bulk job, for the wallet and each entry, and for each job. Returns the bulk job as it is then, None if it is
        gone; anything else that `decide` returns changes nothing."""
        return self._change(known, lambda wallet, bulk, _: decide(wallet, bulk))

    def queued_of_bulk(self, bulk: Bulk, transaction: Transaction | None = None) -> list[Job]:
        """Read queued jobs of a bulk job, a hundred at the most. A read each, one if there are none."""
        queued = self._jobs_in(bulk).where("status", "==", Status.QUEUED).limit(CANCELLED_AT_ONCE)
        return [each.job for each in all_sound(queued.stream(transaction), as_job)]

    def empty_bulk(self, known: Bulk, decide: Callable[[Wallet | None, Bulk, Sequence[Job]], Change]) -> Bulk | None:
        """The same for the queued jobs of a bulk job, a hundred at a time. A read more for each."""
        return self._change(known, decide, emptying=True)

    def _change(
        self,
        known: Bulk,
        decide: Callable[[Wallet | None, Bulk, Sequence[Job]], Change | R],
        *,
        emptying: bool = False,
    ) -> Bulk | R | None:
        ref, wallet_ref = self._bulks.document(known.bulk_id), self._wallet_ref(known.uid, known.payer)

        def body(transaction: Transaction) -> Bulk | R | None:
            stored, read = self._client.get_all([ref, wallet_ref], transaction)
            if not stored.exists:
                return None
            wallet = self._paid_from(transaction, known, read)
            jobs = self.queued_of_bulk(known, transaction) if emptying else ()
            bulk = sound(stored, as_bulk).bulk
            decided = decide(wallet, bulk, jobs)
            if isinstance(decided, Change) and decided.bulk != bulk:
                self._write(transaction, decided)
            return decided.bulk if isinstance(decided, Change) else decided

        try:
            return run_transaction(self._client.transaction(), body)
        except OUTCOME_UNKNOWN:
            # Where a change begins is in the bulk job, so it goes on from whatever has been stored.
            again = self.get_bulk(known.bulk_id)
            if again is None or again.bulk.moves <= known.moves:
                raise
            return again.bulk

    def _paid_from(self, transaction: Transaction, bulk: Bulk, read: Snapshot) -> Wallet | None:
        """Return the wallet that has paid for a bulk job, None if nobody is there any more."""
        if bulk.payer:
            team = as_team(read)
            return team.entered_by(bulk.uid, bulk.created_at) if team else None
        return open_or_none(read) if read.exists else self._wallet_in(transaction, bulk.uid)

    def _write(self, transaction: Transaction, change: Change) -> None:
        uid = change.bulk.uid
        transaction.update(self._bulks.document(change.bulk.bulk_id), _fields(change.bulk))
        if change.account is not None:
            self._write_account(transaction, uid, change.account)
        for job in change.opened:
            transaction.create(self._jobs.document(job.job_id), job.model_dump(by_alias=True, exclude={"job_id"}))
        for job_id, fields in (change.ended or {}).items():
            transaction.update(self._jobs.document(job_id), fields)

    def guard_bulk(self, stored: StoredBulk, fields: Fields) -> StoredBulk | None:
        """Write these fields of a bulk job if it is as it was at its version. One write. None if somebody was
        faster."""
        version = guarded_update(self._client, self._bulks.document(stored.bulk.bulk_id), stored.version, fields)
        changed = Bulk.model_validate({**stored.bulk.model_dump(by_alias=True), **fields})
        return StoredBulk(changed, version) if version else None

    def count_bulk(self, bulk: Bulk) -> dict[str, int]:
        """Count the jobs of a bulk job in each final state. A read for every thousand, and at least three."""
        of = self._jobs_in(bulk)
        return {status.value: of.where("status", "==", status).limit(COUNTED_MAX).count() for status in FINAL}

    def jobs_of_ids(self, job_ids: Sequence[str]) -> dict[str, Job]:
        """Read those of these jobs, and checks, that exist and can be read. A read each."""
        refs = [self._job_ref(job_id) for job_id in job_ids]
        read = all_sound([each for each in self._client.get_all(refs) if each.exists], as_job) if refs else ()
        return {stored.job.job_id: stored.job for stored in read}

    def delete_bulks(self, uid: str, limit: int) -> int:
        """Remove a user's bulk jobs, so many at the most. A read and a delete each, and one read. Returns how many
        there were."""
        return delete_all(self._client, self._bulks.where("uid", "==", uid).limit(limit).stream())

    def _jobs_in(self, bulk: Bulk) -> Query:
        return self._jobs.where("bulkId", "==", bulk.bulk_id)

    @property
    def _bulks(self) -> Collection:
        return self._client.collection("bulkJobs")


def as_bulk(snapshot: Snapshot) -> StoredBulk:
    """Return the bulk job in a snapshot."""
    return StoredBulk(Bulk.model_validate({**snapshot.fields, "bulkId": snapshot.id}), snapshot.update_time)


def _fields(bulk: Bulk) -> Fields:
    return bulk.model_dump(by_alias=True, exclude={"bulk_id"})
