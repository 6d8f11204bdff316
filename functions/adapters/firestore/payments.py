"""Payers, their payments and checkouts: `billing/{uid}`, `payments/{paymentId}`, `checkouts/{checkoutId}`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from functions.adapters.firestore.query import Collection
from functions.adapters.firestore.reading import Found, all_sound, sound, sound_fields
from functions.adapters.firestore.transactions import Transaction
from functions.adapters.firestore.values import Snapshot
from functions.adapters.firestore.wallet import WalletDocuments, as_wallet, in_use, open_or_none
from functions.adapters.firestore.wire import SUM_SECONDS
from functions.adapters.firestore.writes import OUTCOME_UNKNOWN, guarded_update, run_transaction
from functions.core.payments.billing import Billing, Books
from functions.core.payments.checkouts import Checkout
from functions.core.payments.looks import Look
from functions.core.payments.payments import Payment
from functions.core.payments.sales import Heard, Sales
from functions.core.shared.records import Fields
from functions.core.wallet.ledger import Reason
from functions.core.wallet.team_wallet import wallet_name

HELD_MAX = 500
"""Packs of one user that are looked for in a whole look: the newest would have to be missing from more than that."""

PAID = (Reason.BUY, Reason.PERIOD)
"""What entries of payments are."""

SUMMED_MAX = 10_000_000
"""Payments, and entries of them, that are added up: ten thousand reads."""

EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class StoredBilling:
    """What is known of a payer, and its version; None for nothing."""

    uid: str
    billing: Billing
    version: datetime | None


class PaymentDocuments(WalletDocuments):
    """Reads and writes of payments."""

    def look_at_billing(self, uid: str) -> StoredBilling:
        """Read what is known of a payer. One read."""
        return _stored_billing(self._client.get(self._billing.document(uid)))

    def due_billing(self, now: datetime, limit: int) -> Found[StoredBilling]:
        """Read the payers whom it is time to look at. A read each, one if there are none."""
        found = self._billing.where("lookAt", "<=", now).order_by("lookAt").limit(limit).stream()
        return all_sound(found, _stored_billing)

    def put_off_billing(self, stored: StoredBilling, fields: Fields) -> bool:
        """Write these fields if the payer is as they were at the version. One write. False if somebody was faster."""
        path, version = self._billing.document(stored.uid), stored.version
        return version is not None and guarded_update(self._client, path, version, fields) is not None

    def settle_payments(
        self, look: Look, version: datetime | None, decide: Callable[[Books], Books]
    ) -> tuple[Books, Books] | None:
        """Store what `decide` makes of the books of a look, in one transaction: a read for the payer, their wallet, and
        each payment and its payee; a write for each of these that changes, and for each entry. Returns the books before
        and after; None if the payer is not at this version any more.
        """

        def body(transaction: Transaction) -> tuple[Books, Books] | None:
            names = [each.payment_id for each in look.payments]
            paths = [self._billing.document(look.uid), *(self._payments.document(name) for name in names)]
            billing, *shown = self._client.get_all(paths, transaction)
            if (billing.update_time if billing.exists else None) != version:
                return None
            payments = {each.id: as_payment(each) for each in shown if each.exists}
            if look.tells_by_absence:
                held = self.held_packs(look.uid, transaction)  # another seller's may be a team's, and that damaged
                payments |= {each.payment_id: each for each in held if look.tells_of(each.payment_id)}
            new = {wallet_name(look.uid, each.team_id) for each in look.payments}
            names = sorted({look.uid, *new, *(each.payee for each in payments.values() if each.payee)})
            read = self._client.get_all([self._named_wallet(name) for name in names], transaction)
            wallets = dict(zip(names, map(open_or_none, read), strict=True))
            before = Books(_stored_billing(billing).billing, payments, wallets)
            after = decide(before)
            self._write_books(transaction, look.uid, before, after)
            return before, after

        return run_transaction(self._client.transaction(), body)

    def held_packs(self, uid: str, transaction: Transaction | None = None) -> list[Payment]:
        """Read the packs that a user is known to hold. A read each, one if there are none."""
        query = self._payments.where("holder", "==", uid).where("reason", "==", Reason.BUY).limit(HELD_MAX)
        return [as_payment(each) for each in query.stream(transaction)]

    def _write_books(self, transaction: Transaction, uid: str, before: Books, after: Books) -> None:
        if after.billing != before.billing:
            transaction.set(self._billing.document(uid), after.billing.model_dump(by_alias=True))
        for name, payment in after.payments.items():
            if payment != before.payments.get(name):
                fields = payment.model_dump(by_alias=True, exclude={"payment_id"})
                transaction.set(self._payments.document(name), fields)
        for name, account in after.accounts.items():
            self._write_account(transaction, name, account)

    def _named_wallet(self, name: str) -> str:
        """Return the path of a wallet that `wallet_name` has named."""
        team_id = name.partition("team/")[2]
        return self._wallet_ref(name, team_id or None)

    def due_top_ups(self, now: datetime, limit: int) -> Found[str]:
        """Read whose automatic pack is due: those whose wallet can be read. A read each, one if there are none."""
        query = self._client.collection_group("wallet").where("topUpAt", "<=", now).order_by("topUpAt").limit(limit)

        def whose(snapshot: Snapshot) -> str:
            as_wallet(snapshot)
            return snapshot.path.split("/")[1]

        return all_sound(query.stream(), whose)

    def put_off_top_up(self, uid: str, at: datetime | None, below: int | None = None) -> None:
        """Say when a user's automatic pack is due, and below which balance if that changes; None for when the balance
        is low the next time, which changes nothing if it is low by now. A read and a write. Raises AccountDeleted."""
        fields = {"topUpAt": at} if below is None else {"topUpAt": at, "topUpBelow": below}

        def body(transaction: Transaction) -> None:
            wallet = in_use(as_wallet(self._client.get(self._wallet_ref(uid), transaction)))
            if wallet and (at or wallet.balance >= (wallet.top_up_below if below is None else below)):
                transaction.update(self._wallet_ref(uid), fields)

        run_transaction(self._client.transaction(), body)

    def open_checkout(self, wanted: Checkout) -> Checkout:
        """Store a checkout, or return the one that is there. A write; a read more if it was there."""
        path = self._checkouts.document(wanted.checkout_id)
        try:
            self._client.batch().create(path, _fields(wanted)).commit()
        except OUTCOME_UNKNOWN:
            stored = self.get_checkout(wanted.checkout_id)
            if stored is None:
                raise
            return stored
        return wanted

    def get_checkout(self, checkout_id: str) -> Checkout | None:
        """Read a checkout. One read."""
        snapshot = self._client.get(self._checkouts.document(checkout_id))
        return sound(snapshot, _checkout) if snapshot.exists else None

    def change_checkout(self, checkout_id: str, fields: Fields) -> None:
        """Write these fields of a checkout. One write."""
        self._client.batch().update(self._checkouts.document(checkout_id), fields).commit()

    def due_checkouts(self, now: datetime, limit: int) -> Found[Checkout]:
        """Read the checkouts that it is time to look at. A read each, one if there are none."""
        found = self._checkouts.where("lookAt", "<=", now).order_by("lookAt").limit(limit).stream()
        return all_sound(found, _checkout)

    def sales(self) -> tuple[Sales, Heard]:
        """Read what was sold, and when events last arrived. Two reads."""
        paths = [self._client.document(f"stats/{name}") for name in ("sales", "heard")]
        sales, heard = self._client.get_all(paths)
        return sound_fields(Sales, sales)[0], sound_fields(Heard, heard)[0]

    def store_sales(self, sales: Sales) -> None:
        """Store what was sold. One write."""
        path = self._client.document("stats/sales")
        self._client.batch().set(path, sales.model_dump(by_alias=True)).commit()

    def note_heard(self, provider: str, now: datetime) -> None:
        """Store that an event has arrived. One write."""
        self._client.batch().merge(self._client.document("stats/heard"), {"at": {provider: now}}).commit()

    def payments_between(self, field: str, since: datetime, until: datetime, limit: int) -> list[Payment]:
        """Read the payments met (`metAt`), or taken back (`reversedAt`), since then and before. A read each, one if
        there are none."""
        query = self._payments.where(field, ">=", since).where(field, "<", until).order_by(field)
        return list(all_sound(query.limit(limit).stream(), as_payment))

    def unclaimed_payments(self, limit: int) -> list[Payment]:
        """Read payments without a payer, the oldest first. A read each, one if there are none."""
        query = self._payments.where("unclaimedSince", ">", EPOCH).order_by("unclaimedSince")
        return list(all_sound(query.limit(limit).stream(), as_payment))

    def count_unclaimed(self, limit: int) -> int:
        """Count these. A read for every thousand."""
        return self._payments.where("unclaimedSince", ">", EPOCH).limit(limit).count()

    def sum_given(self) -> tuple[int, int]:
        """Add up the tokens that payments have given, and those that the ledgers have from them, at one moment. A read
        for every thousand of each."""

        return run_transaction(
            self._client.transaction(read_only=True),
            lambda transaction: (self._given(transaction), self._booked(transaction)),
        )

    def _given(self, transaction: Transaction) -> int:
        return self._payments.limit(SUMMED_MAX).sums(transaction, seconds=SUM_SECONDS, tokens="given")["tokens"]

    def _booked(self, transaction: Transaction) -> int:
        entries = self._client.collection_group("ledger").where("reason", "in", PAID).limit(SUMMED_MAX)
        return entries.sums(transaction, seconds=SUM_SECONDS, tokens="bought")["tokens"]

    @property
    def _billing(self) -> Collection:
        return self._client.collection("billing")

    @property
    def _payments(self) -> Collection:
        return self._client.collection("payments")

    @property
    def _checkouts(self) -> Collection:
        return self._client.collection("checkouts")


def _fields(checkout: Checkout) -> Fields:
    return checkout.model_dump(by_alias=True, exclude={"checkout_id"})


def _checkout(snapshot: Snapshot) -> Checkout:
    return Checkout.model_validate({**snapshot.fields, "checkoutId": snapshot.id})


def as_payment(snapshot: Snapshot) -> Payment:
    """Return a stored payment. Raises DamagedDocumentError for one that does not validate."""
    return sound(snapshot, lambda each: Payment.model_validate({**each.fields, "paymentId": each.id}))


def _stored_billing(snapshot: Snapshot) -> StoredBilling:
    version = snapshot.update_time if snapshot.exists else None
    return StoredBilling(snapshot.id, sound(snapshot, lambda each: Billing.model_validate(each.fields)), version)
