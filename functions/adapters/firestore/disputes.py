"""Disputed answers: the job, the one that it was served from, what would find them, and `stats/answers`, which
counts."""

from typing import Any

from google.cloud.firestore import Increment

from functions.adapters.firestore.jobs import JobDocuments, StoredJob, job_or_none
from functions.adapters.firestore.transactions import Transaction
from functions.adapters.firestore.wallet import as_wallet
from functions.core.jobs.disputes import Disputed, DisputeDecision
from functions.core.jobs.endings import Settled, require_owner
from functions.core.jobs.jobs import JOB_LIFETIME, Job
from functions.core.wallet.ledger import Reason, Wallet, entry_id


class DisputeDocuments(JobDocuments):
    """What a dispute changes, in one commit."""

    def dispute_job(self, job_id: str, uid: str, decide: DisputeDecision, *, forget: bool) -> StoredJob | None:
        """Dispute the answer of a user's job, in one transaction: two reads, and a write each for job and count; for a
        kept answer two reads more, and a write each for wallet, entry and the job that it is from. `forget` takes what
        would find them out of the user's entries, one write. Returns the job as it is then, None if there is none."""
        made: list[tuple[Disputed, bool]] = []  # and whether its user is still there

        def with_source(transaction: Transaction, wallet: Wallet | None, job: Job) -> Settled | None:
            made.clear()  # this runs again when the transaction does
            require_owner(job, uid)
            note = job.cache if job.cache and job.cache.served else None
            entry = self._ledger(uid, job.payer).document(entry_id(Reason.REFUND, job_id))
            refs = [self._jobs.document(note.of), entry] if note else []
            read = self._client.get_all(refs, transaction) if refs else []
            source = job_or_none(read[0]) if read else None
            decided = decide(wallet, job, source.job if source else None, any(each.exists for each in read[1:]))
            if decided is None:
                return None
            own = as_wallet(self._client.get(self._wallet_ref(uid), transaction))  # which this has read
            made.append((decided, wallet is not None and (own is None or own.closed_at is None)))
            return Settled(decided.account, decided.fields)

        def also(transaction: Transaction, job: Job) -> None:
            ((decided, stays),) = made
            source = job.cache.of if job.cache and job.cache.served else None
            if decided.source_fields and source:
                transaction.update(self._jobs.document(source), decided.source_fields)
            count: Any = Increment(1)
            for name in reversed(decided.counted_by):
                count = {name: count}
            transaction.merge(self._client.document("stats/answers"), {"disputed": count})
            if forget and stays and job.dispute:  # who has left has no entries: to forget would make them anew
                self._forget(transaction, uid, [job_id, *([source] if source else [])], job.dispute.at + JOB_LIFETIME)

        return self._change_job(job_id, uid, with_source, lambda job: job.dispute is not None, also)
