"""Jobs: `aiJobs/{jobId}`. Opening and closing one moves tokens, in the same transaction."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from functions.adapters.firestore.budget import ShardDocuments
from functions.adapters.firestore.cache import LOOK_SECONDS, CacheDocuments
from functions.adapters.firestore.query import DESCENDING, Collection, Query
from functions.adapters.firestore.reading import Found, all_sound, sound
from functions.adapters.firestore.transactions import Transaction, Writes
from functions.adapters.firestore.values import Snapshot
from functions.adapters.firestore.wallet import StoredWallet, WalletDocuments, as_team, open_or_none, stored_fields
from functions.adapters.firestore.writes import OUTCOME_UNKNOWN, Outcome, guarded_bulk, guarded_update, run_transaction
from functions.core.budget.holds import Hold, NoRoom, settling
from functions.core.cache.entries import Remembered
from functions.core.jobs.checks import is_check
from functions.core.jobs.counting import job_bookings
from functions.core.jobs.endings import Decision, Settled, UpgradeDecision
from functions.core.jobs.jobs import FINAL, QUEUE_SHARDS, Job, Status
from functions.core.jobs.opening import Opened, Replayed
from functions.core.jobs.opening import Outcome as OpeningOutcome
from functions.core.jobs.transitions import with_fields
from functions.core.shared.records import Fields
from functions.core.wallet.ledger import Reason, Wallet, entry_id
from functions.core.wallet.quotas import RecountNeeded

R = TypeVar("R")
"""What a decision says instead of changing the job."""


@dataclass(frozen=True)
class StoredJob:
    """A job as read, and the version to guard the next write with."""

    job: Job
    version: datetime


class JobDocuments(WalletDocuments, ShardDocuments, CacheDocuments):
    """Reads and writes of jobs. What changes a job's hold changes its shard of the budget in the same commit."""

    def get_job(self, job_id: str) -> StoredJob | None:
        """Read a job. One read."""
        return job_or_none(self._client.get(self._job_ref(job_id)))

    def get_jobs(self, job_ids: Sequence[str]) -> dict[str, StoredJob]:
        """Read those of these jobs that exist. A read each."""
        refs = [self._jobs.document(job_id) for job_id in job_ids]
        read = map(job_or_none, self._client.get_all(refs)) if refs else ()
        return {stored.job.job_id: stored for stored in read if stored is not None}

    def remembered_jobs(self, job_ids: Iterable[str]) -> dict[str, Job]:
        """Read the jobs that a user's entries name, as far as they are there and can be read. A read each, in one call
        that is tried once."""
        refs = [self._jobs.document(job_id) for job_id in dict.fromkeys(job_ids)]
        read = self._client.get_all(refs, once=True, seconds=LOOK_SECONDS)
        return {each.job.job_id: each.job for each in all_sound([each for each in read if each.exists], as_job)}

    def open_jobs(
        self,
        uid: str,
        decide: Callable[[Wallet | None], Opened | RecountNeeded],
        seen: StoredWallet | None = None,
        hold: Hold | None = None,
        remembered: Remembered | None = None,
        payer: str | None = None,
    ) -> OpeningOutcome:
        """Charge for jobs and store them, in one transaction: one read, a write for the wallet and two a job; with a
        hold another read and write, for its shard of the budget. A `hold` that is known before is read with the wallet.
        What is `remembered` of the jobs' photos is one write more. A `payer` is a team, whose wallet is the one.

        If the caller has `seen` the wallet, jobs without a hold are first stored under its version, without a read;
        only if that has changed, in a transaction.

        Returns the decision once it is stored. Any other outcome stores nothing, but `Replayed` may be our own commit:
        the jobs' `opened_by` tells.
        """
        tried = seen is not None
        transaction = self._client.transaction()

        def body(transaction: Transaction) -> OpeningOutcome:
            nonlocal tried
            shards = [self._shard_ref(hold.day, name) for name in hold.parts] if hold else []
            self._client.get_all([self._wallet_ref(uid, payer), *shards], transaction)
            outcome = decide(self._wallet_in(transaction, uid, payer))
            if isinstance(outcome, RecountNeeded):
                return outcome
            held = [change for job in outcome.jobs for change in job_bookings(None, job)]
            if full := self._no_room(transaction, held):
                return full
            if outcome.jobs:
                self._book(transaction, held)
                self._write_account(transaction, uid, outcome.account)
                self._create_jobs(transaction, uid, outcome, remembered)
                tried = True
            return outcome

        try:
            if seen and (known := self._open_under(seen, uid, decide(seen.wallet), remembered)):
                return known
            outcome = run_transaction(transaction, body)
        except OUTCOME_UNKNOWN as error:
            if not tried:  # to commit
                raise
            return Replayed(error)
        versions = transaction.versions
        if not isinstance(outcome, Opened) or not versions:
            return outcome
        return replace(outcome, version=versions[-1])  # what one commit writes, it writes at one time

    def _open_under(
        self, seen: StoredWallet, uid: str, outcome: Opened | RecountNeeded, remembered: Remembered | None
    ) -> Opened | RecountNeeded | None:
        """Store what was decided about a wallet that was seen; None if it takes a transaction."""
        if isinstance(outcome, RecountNeeded):
            return outcome
        if not outcome.jobs or any(job.hold for job in outcome.jobs):
            return None

        def add(writes: Writes) -> None:
            self._write_entries(writes, uid, outcome.account)
            self._create_jobs(writes, uid, outcome, remembered)

        ref, fields = self._wallet_ref(uid, outcome.jobs[0].payer), stored_fields(outcome.account.wallet)
        version = guarded_update(self._client, ref, seen.version, fields, add)
        return replace(outcome, version=version) if version else None

    def _create_jobs(self, writes: Writes, uid: str, opened: Opened, remembered: Remembered | None) -> None:
        """Put jobs into a commit, with what is remembered of their photos. A second one with the same id fails the
        whole."""
        if remembered is not None:
            self._remember(writes, uid, remembered, {job.job_id for job in opened.jobs})
        for job in opened.jobs:
            writes.create(self._jobs.document(job.job_id), job.model_dump(by_alias=True, exclude={"job_id"}))

    def outlived_jobs(self, uid: str, payer: str | None, job_ids: Sequence[str]) -> set[str]:
        """Find those of a user's jobs that were charged for and then deleted by TTL; the ledger stays. Two reads
        each."""
        entries = [self._ledger(uid, payer).document(entry_id(Reason.CHARGE, job_id)) for job_id in job_ids]
        charged = {entry.id for entry in self._client.get_all(entries) if entry.exists}
        # The jobs are read last: one whose charge was there before was there as well.
        used = [job_id for job_id in job_ids if entry_id(Reason.CHARGE, job_id) in charged]
        return set(used) - self.get_jobs(used).keys()

    def update_job(self, job: Job, version: datetime, fields: Fields) -> bool:
        """Write these fields if the job is still at `version`, and settle its hold if they end it. One write, and one
        for the shard. False if it has changed, also by our own earlier write."""
        fields, ref = settling(job.hold, fields, job.cost_micros), self._jobs.document(job.job_id)
        changes = job_bookings(job, with_fields(job, fields))
        return guarded_update(self._client, ref, version, fields, lambda w: self._book(w, changes)) is not None

    def settle_job(
        self,
        job_id: str,
        uid: str,
        decide: Decision,
        took_effect: Callable[[Job], bool] = lambda job: job.status in FINAL,
    ) -> StoredJob | None:
        """End a job and refund it, in one transaction: two reads, and a write each for wallet, entry and job; with a
        hold, one for its shard. A job that a team pays for takes one read more, for the team's wallet.

        `decide` returns None if the job's state does not allow it (any more). Returns the job as it is then, None if
        there is none. `took_effect` tells from the job whether a commit whose reply was lost has happened.
        """
        return self._change_job(job_id, uid, lambda _transaction, wallet, job: decide(wallet, job), took_effect)

    def upgrade_job(
        self, job_id: str, uid: str, decide: UpgradeDecision, opened_by: str
    ) -> StoredJob | NoRoom | RecountNeeded | None:
        """Take a job into the instant lane, with its price and hold, in one transaction: three reads, and a write each
        for wallet, entry, job and shard. Returns the job as it is then, None if there is none."""

        def with_room(
            transaction: Transaction, wallet: Wallet | None, job: Job
        ) -> Settled | NoRoom | RecountNeeded | None:
            decided = decide(wallet, job)
            if not isinstance(decided, Settled):
                return decided
            return self._no_room(transaction, job_bookings(None, with_fields(job, decided.fields))) or decided

        return self._change_job(job_id, uid, with_room, lambda job: job.opened_by == opened_by)

    def _change_job(
        self,
        job_id: str,
        uid: str,
        decide: Callable[[Transaction, Wallet | None, Job], Settled | R | None],
        took_effect: Callable[[Job], bool],
        also: Callable[[Transaction, Job], None] = lambda _transaction, _job: None,
    ) -> StoredJob | R | None:
        job_ref, wallet_ref = self._job_ref(job_id), self._wallet_ref(uid)
        transaction = self._client.transaction()

        def body(transaction: Transaction) -> StoredJob | R | None:
            job_read, wallet_read = self._client.get_all([job_ref, wallet_ref], transaction)
            stored = job_or_none(job_read)
            if stored is None:
                return None
            wallet = self._payer_in(transaction, stored.job, wallet_read)
            decided = decide(transaction, wallet, stored.job)
            if not isinstance(decided, Settled):
                return stored if decided is None else decided
            fields = settling(stored.job.hold, decided.fields, stored.job.cost_micros)
            changed = with_fields(stored.job, fields)
            self._book(transaction, job_bookings(stored.job, changed))
            if decided.account is not None:
                self._write_account(transaction, uid, decided.account)
            also(transaction, changed)
            transaction.update(job_ref, fields)
            return replace(stored, job=changed)

        try:
            after = run_transaction(transaction, body)
        except OUTCOME_UNKNOWN:
            stored = self.get_job(job_id)
            if stored is None or not took_effect(stored.job):
                raise
            return stored
        versions = transaction.versions
        return replace(after, version=versions[-1]) if isinstance(after, StoredJob) and versions else after

    def _payer_in(self, transaction: Transaction, job: Job, own: Snapshot) -> Wallet | None:
        """Return the wallet that has paid for a job, None if nobody is there any more: what comes back goes there."""
        if job.payer:
            team = as_team(self._client.get(self._wallet_ref(job.uid, job.payer), transaction))
            return team.entered_by(job.uid, job.charged_at) if team else None
        return open_or_none(own) if own.exists else self._wallet_in(transaction, job.uid)

    def stale_leases(self, now: datetime, limit: int) -> Found[StoredJob]:
        """Read instant jobs whose call has not come back in time. A read each, one if there are none."""
        query = (
            self._jobs.where("shard", "in", list(range(QUEUE_SHARDS)))
            .where("leaseUntil", "<=", now)
            .order_by("leaseUntil")
            .limit(limit)
        )
        return all_jobs(query)

    def list_jobs(
        self, uid: str, before: tuple[datetime, str] | None, limit: int, team_id: str | None = None
    ) -> Found[StoredJob]:
        """Read a page of a user's jobs, or of those that a team pays for, newest first, after the one named by its
        creation time and id. A read each."""
        query = self._jobs.where("payer", "==", team_id) if team_id else self._jobs.where("uid", "==", uid)
        query = query.order_by("createdAt", DESCENDING).order_by("__name__", DESCENDING)
        if before is not None:
            query = query.start_after({"createdAt": before[0], "__name__": self._jobs.document(before[1])})
        return all_jobs(query.limit(limit))

    def queued_of_member(self, team_id: str, uid: str, until: datetime, limit: int) -> Found[StoredJob]:
        """Read queued jobs of one member that the team pays for, opened until a time. A read each, one if there are
        none."""
        query = self._jobs.where("payer", "==", team_id).where("uid", "==", uid).where("status", "==", Status.QUEUED)
        return all_jobs(query.where("createdAt", "<=", until).order_by("createdAt").limit(limit))

    def update_jobs(self, changes: Sequence[tuple[str, datetime, Fields]]) -> list[Outcome]:
        """Write many jobs, each under its version. Returns, in order, what became of each; see `guarded_bulk`."""
        return guarded_bulk(self._client, [(self._job_ref(job), version, new) for job, version, new in changes])

    def _job_ref(self, job_id: str) -> str:
        """Return where a job is: a check is among the checks, where no user looks and no count is made."""
        return (self._checks if is_check(job_id) else self._jobs).document(job_id)

    @property
    def _jobs(self) -> Collection:
        return self._client.collection("aiJobs")

    @property
    def _checks(self) -> Collection:
        return self._client.collection("cacheChecks")


def as_job(snapshot: Snapshot) -> StoredJob:
    """Return the job in a snapshot. One that is gone lacks every field."""
    fields = {**snapshot.fields, "jobId": snapshot.id}
    return StoredJob(Job.model_validate(fields), snapshot.update_time)


def job_or_none(snapshot: Snapshot) -> StoredJob | None:
    """Return the job in a snapshot, None if it is not there."""
    return sound(snapshot, as_job) if snapshot.exists else None


def all_jobs(query: Query) -> Found[StoredJob]:
    """Read what a query finds; it has a limit."""
    return all_sound(query.stream(), as_job)
