"""What operators do by hand: entries, dead letters, batches; each with its audit entry, in one commit."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from operator import itemgetter
from typing import Any

from google.api_core import exceptions

from functions.adapters.firestore import FirestoreStore
from functions.adapters.firestore.batches import StoredBatch, as_batch
from functions.adapters.firestore.budget import HOLDS_SUMMED_MAX
from functions.adapters.firestore.jobs import StoredJob, all_jobs
from functions.adapters.firestore.payments import PAID, as_payment
from functions.adapters.firestore.query import DESCENDING, Collection, Query
from functions.adapters.firestore.reading import DamagedDocumentError, Found, all_sound, sound
from functions.adapters.firestore.transactions import Transaction, Writes
from functions.adapters.firestore.wallet import LEDGER_READ_MAX, as_entry, as_wallet
from functions.adapters.firestore.wire import SUM_SECONDS
from functions.adapters.firestore.writes import OUTCOME_UNKNOWN, guarded_update, run_transaction
from functions.core.batches.batches import Batch
from functions.core.insights.plan import Plan
from functions.core.jobs.jobs import Job
from functions.core.payments.billing import hides_paid
from functions.core.payments.payments import Payment
from functions.core.refresh.refresh import shard_of
from functions.core.shared.alerts import Alert
from functions.core.shared.damage import mapping
from functions.core.shared.dead_letters import DeadLetter
from functions.core.shared.records import Fields
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import LedgerEntry, Reason, Wallet, entry_id
from functions.core.wallet.team_wallet import TeamWallet, wallet_name
from scripts.operators.repairs_by_hand import AuditEntry, moved

Claimed = tuple[Payment, Account]

NO_DOCUMENT = "there is no document"


class OperatorStore(FirestoreStore):
    """What the functions read and write, and what only operators do."""

    def jobs_with_legs(self, day: str, limit: int) -> Found[StoredJob]:
        """Read jobs held for on a day of which it is kept what came of each provider. A read each, one if there are
        none."""
        query = self._jobs.where("hold.day", "==", day).where("tried", ">", []).order_by("tried").limit(limit)
        return all_jobs(query)

    def get_entry(self, uid: str, entry_id: str, team_id: str | None = None) -> LedgerEntry | None:
        """Read one entry of a user's ledger, or of a team's. One read."""
        snapshot = self._client.get(self._ledger(uid, team_id).document(entry_id))
        return as_entry(snapshot) if snapshot.exists else None

    def post_by_hand(
        self,
        uid: str,
        entry_id: str,
        decide: Callable[[Wallet | None, Job | None], tuple[Account, Fields]],
        audit: AuditEntry,
        job_id: str | None = None,
        team_id: str | None = None,
    ) -> tuple[LedgerEntry, bool]:
        """Post an entry once, with its changes to a job and its audit entry, which lists what has changed; into the
        team's ledger if one is named. Returns the entry, and whether this call posted it; one that was there already
        stays as it is."""
        entry_ref = self._ledger(uid, team_id).document(entry_id)
        job_ref = self._jobs.document(job_id) if job_id else None

        def body(transaction: Transaction) -> tuple[LedgerEntry, bool]:
            stored = self._client.get(entry_ref, transaction)
            if stored.exists:
                return as_entry(stored), False
            job = None
            if job_ref is not None:
                data = self._client.get(job_ref, transaction).fields
                job = Job(job_id=job_id, **data) if data else None
            wallet = self._wallet_in(transaction, uid, team_id)
            if isinstance(wallet, TeamWallet) and job is not None:
                wallet = wallet.entered_by(job.uid, job.created_at)
            account, fields = decide(wallet, job)
            self._write_account(transaction, uid, account)
            if job_ref is not None and fields:
                transaction.update(job_ref, fields)
            changed = moved(wallet, account.wallet, job, fields)
            self._record(transaction, audit.model_copy(update={"changed": changed}))
            return account.new_entries[-1], True

        try:
            return run_transaction(self._client.transaction(), body)
        except OUTCOME_UNKNOWN:
            entry = self.get_entry(uid, entry_id, team_id)
            if entry is None:
                raise
            return entry, entry.ts == audit.at  # ours, if it is of the same moment: its reply was lost

    def change_wallet(self, uid: str, decide: Callable[[Wallet | None], Account], audit: AuditEntry) -> Wallet:
        """Store what `decide` makes of a wallet, with its audit entry, in one transaction. Returns the wallet. If it
        hides what is paid for, that is looked at anew each day, until it does no more."""
        audit_ref = self._audit.document(audit.audit_id)

        def body(transaction: Transaction) -> Wallet:
            account = decide(self._wallet_in(transaction, uid))
            billing = self._client.get(self._billing.document(uid), transaction)
            self._write_account(transaction, uid, account)
            if billing.exists and hides_paid(account.wallet):
                transaction.update(billing.path, {"shown": dict.fromkeys(mapping(billing.fields, "shown"), "")})
            self._record(transaction, audit)
            return account.wallet

        try:
            return run_transaction(self._client.transaction(), body)
        except OUTCOME_UNKNOWN:
            wallet = self.get_wallet(uid)
            if wallet is None or not self._client.get(audit_ref).exists:
                raise
            return wallet  # it was done, and its reply was lost

    def get_payment(self, payment_id: str) -> Payment | None:
        """Read a payment. One read."""
        snapshot = self._client.get(self._payments.document(payment_id))
        return as_payment(snapshot) if snapshot.exists else None

    def payments_of(self, uid: str, limit: int) -> Found[Payment]:
        """Read the payments that a provider shows of a user. A read each, one if there are none."""
        return all_sound(self._payments.where("holder", "==", uid).limit(limit).stream(), as_payment)

    def entries_of(self, payment: Payment) -> list[LedgerEntry]:
        """Read the ledger's entries of a payment. A read each."""
        names = [payment.payment_id, *(f"{payment.payment_id}:{n}" for n in range(1, payment.moves))]
        ledger = self._ledger(payment.uid or "", payment.team_id)
        found = self._client.get_all([ledger.document(entry_id(Reason(payment.reason), name)) for name in names])
        return [as_entry(each) for each in found if each.exists]

    def claim_payment(
        self, payment_id: str, uid: str, decide: Callable[[Payment | None, Wallet | None], Claimed], audit: AuditEntry
    ) -> Payment:
        """Store what `decide` makes of a payment and a wallet, with its audit entry, in one transaction."""

        def body(transaction: Transaction) -> Payment:
            stored = self._client.get(self._payments.document(payment_id), transaction)
            wallet = self._wallet_in(transaction, uid)
            payment, account = decide(as_payment(stored) if stored.exists else None, wallet)
            transaction.set(
                self._payments.document(payment_id), payment.model_dump(by_alias=True, exclude={"payment_id"})
            )
            self._write_account(transaction, uid, account)
            self._record(transaction, audit)
            return payment

        return run_transaction(self._client.transaction(), body)

    def given_and_booked(self, limit: int) -> tuple[dict[str, int], dict[str, int]]:
        """Add up by `wallet_name` the tokens that payments have given, and those that the ledgers have from them. A
        read for each payment and each of these entries, up to `limit` of each."""
        given, booked = Counter[str](), Counter[str]()
        for payment in self._payments.where("given", ">", 0).select(["uid", "teamId", "given"]).limit(limit).stream():
            given[wallet_name(payment.fields["uid"], payment.fields.get("teamId"))] += payment.fields["given"]
        entries = self._client.collection_group("ledger").where("reason", "in", PAID).order_by("bought").limit(limit)
        for entry in entries.select(["bought"]).stream():
            kind, owner, *_ = entry.path.split("/")
            booked[wallet_name(owner, owner if kind == "teams" else None)] += entry.fields["bought"]
        return dict(given), dict(booked)

    def wallet_and_ledger(self, uid: str) -> tuple[Fields, list[LedgerEntry]]:
        """Read a wallet's fields as they are stored, and its ledger, oldest first. A read, and one for each entry.
        Raises DamagedDocumentError if an entry does not validate, RuntimeError if there are too many."""
        return run_transaction(
            self._client.transaction(read_only=True), lambda transaction: self._remakable(transaction, uid)
        )

    def jobs_of_batch(self, batch_id: str, limit: int) -> Found[StoredJob]:
        """Read jobs that are, or were last, in a batch. A read each."""
        return all_jobs(self._jobs.where("batchId", "==", batch_id).limit(limit))

    def repair_wallet(
        self, uid: str, decide: Callable[[Fields, list[LedgerEntry]], tuple[Wallet, AuditEntry]]
    ) -> Wallet:
        """Store what `decide` makes of a wallet's fields and its ledger, with its audit entry, in one transaction."""

        def body(transaction: Transaction) -> Wallet:
            wallet, audit = decide(*self._remakable(transaction, uid))
            transaction.set(self._wallet_ref(uid), wallet.model_dump(by_alias=True))
            self._record(transaction, audit)
            return wallet

        return run_transaction(self._client.transaction(), body)

    def _remakable(self, transaction: Transaction, uid: str) -> tuple[Fields, list[LedgerEntry]]:
        stored = self._client.get(self._wallet_ref(uid), transaction).fields
        query = self._ledger(uid).order_by("seq").limit(LEDGER_READ_MAX)
        entries = [sound(each, as_entry) for each in query.stream(transaction)]
        if len(entries) == LEDGER_READ_MAX:
            raise RuntimeError(f"the ledger of {uid} has {LEDGER_READ_MAX} entries or more: too long to be read here")
        return stored, entries

    def record(self, audit: AuditEntry, alert: Alert | None = None) -> None:
        """Store an audit entry of a change outside Firestore, with the alert to operators. A write each."""
        writes = self._client.batch()
        self._record(writes, audit)
        if alert is not None:
            writes.create(self._client.document(f"alerts/{alert.alert_id}"), alert.model_dump(by_alias=True))
        try:
            writes.commit()
        except exceptions.AlreadyExists:
            if not self._recorded(audit):
                raise

    def list_batches(self, limit: int) -> Found[Batch]:
        """Read the newest batches. A read each, one if there are none."""
        query = self._batches.order_by("createdAt", DESCENDING).limit(limit)
        return all_sound(query.stream(), lambda snapshot: as_batch(snapshot).batch)

    def photos_of_day(self, day: str, lane: str) -> tuple[int, int]:
        """Count a day's photos in this lane, and add up their cost in micro-dollars. A read for every thousand."""
        query = self._jobs.where("day", "==", day)
        return _photos(query.where("mode", "==", lane).limit(HOLDS_SUMMED_MAX))

    def photos_of_user(self, uid: str, since: datetime, until: datetime) -> tuple[int, int]:
        """Count a user's photos since, and before `until`, and add up their cost. A read for every thousand."""
        query = self._jobs.where("uid", "==", uid)
        query = query.where("createdAt", ">=", since)
        return _photos(query.where("createdAt", "<", until).limit(HOLDS_SUMMED_MAX))

    def list_letters(self, limit: int, after: str | None = None) -> list[DeadLetter]:
        """Read dead letters by id, which begins with the user's path. A read each, one if there are none."""
        query = self._letters.order_by("__name__").limit(limit)
        if after is not None:
            query = query.start_after({"__name__": self._letters.document(after)})
        return [DeadLetter(letter_id=each.id, **each.fields) for each in query.stream()]

    def get_letter(self, letter_id: str) -> DeadLetter | None:
        """Read one dead letter. One read."""
        read = self._client.get(self._letters.document(letter_id))
        return DeadLetter(letter_id=letter_id, **read.fields) if read.exists else None

    def wallet_of(self, uid: str) -> tuple[Wallet | None, str]:
        """Read a user's wallet. The second value is empty, or says how the wallet is damaged. One read."""
        wallet, problem = self.wallet_at(self._wallet_ref(uid))
        return wallet, "" if problem == NO_DOCUMENT else problem

    def wallet_at(self, path: str) -> tuple[Wallet | None, str]:
        """Read a wallet that may be damaged, and say what is wrong with it, if anything. One read."""
        snapshot = self._client.get(path)
        try:
            wallet = as_wallet(snapshot)
        except DamagedDocumentError as error:
            return None, f"{error.damaged.field}: {error.damaged.problem}"
        return wallet, "" if wallet else NO_DOCUMENT

    def requeue_letter(self, letter: DeadLetter, audit: AuditEntry) -> bool:
        """Put a wallet back on the refresh's schedule, due now, and remove its dead letter. Three writes; False if the
        letter is gone already, or the wallet."""
        # What is due is decided by the wallet's last period: a run too many changes nothing.
        due = {"nextRefreshAt": audit.at, "refreshFailures": 0, "refreshShard": shard_of(letter.uid)}
        return self._without_letter(letter, audit, lambda writes: writes.update(letter.path, due))

    def drop_letter(self, letter: DeadLetter, audit: AuditEntry) -> bool:
        """Remove a dead letter. Two writes; False if it is gone already."""
        return self._without_letter(letter, audit, lambda _writes: None)

    def expedite_batch(self, stored: StoredBatch, audit: AuditEntry) -> bool:
        """Make a batch due for the next run. Two writes; False if it has changed since it was read."""
        ref = self._batches.document(stored.batch.batch_id)
        due = {"dueAt": audit.at}
        version = guarded_update(self._client, ref, stored.version, due, lambda writes: self._record(writes, audit))
        return version is not None or self._recorded(audit)

    def plan(self) -> Plan | None:
        """Read what `plan_ahead` has found, None before its first run. One read."""
        found = self._client.get(self._client.document("forecasts", "current"))
        return sound(found, lambda each: Plan.model_validate(each.fields)) if found.exists else None

    def list_audit(self, limit: int) -> list[dict[str, Any]]:
        """Read the newest audit entries, of the config and of what was done by hand. A read each."""
        found: list[dict[str, Any]] = []
        for entries in (self._audit, self._client.collection("config", "runtime", "audit")):
            query = entries.order_by("at", DESCENDING).limit(limit)
            found += [each.fields for each in query.stream()]
        return sorted(found, key=itemgetter("at"), reverse=True)[:limit]

    def _without_letter(self, letter: DeadLetter, audit: AuditEntry, also: Callable[[Writes], object]) -> bool:
        writes = self._client.batch()
        writes.delete(self._letters.document(letter.letter_id), exists=True)
        also(writes)
        self._record(writes, audit)
        try:
            writes.commit()
        except (exceptions.NotFound, exceptions.FailedPrecondition):
            return self._recorded(audit)
        return True

    def _recorded(self, audit: AuditEntry) -> bool:
        """Tell whether a refused commit had happened before: its reply was lost, and it was retried."""
        return self._client.get(self._audit.document(audit.audit_id)).exists

    def _record(self, writes: Writes, audit: AuditEntry) -> None:
        fields = audit.model_dump(by_alias=True, exclude={"audit_id"})
        writes.create(self._audit.document(audit.audit_id), fields)

    @property
    def _audit(self) -> Collection:
        return self._client.collection("audit")


def _photos(query: Query) -> tuple[int, int]:
    figures = query.sums(seconds=SUM_SECONDS, photos=None, micros="costMicros")
    return figures["photos"], figures["micros"]
