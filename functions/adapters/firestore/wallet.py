"""Wallets with their ledger, and the devices that earn: what is below `users/{uid}`, and `devices/{hash}`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from functions.adapters.firestore.client import Documents
from functions.adapters.firestore.query import DESCENDING, Collection
from functions.adapters.firestore.reading import sound
from functions.adapters.firestore.transactions import Transaction, Writes
from functions.adapters.firestore.values import Snapshot
from functions.adapters.firestore.writes import OUTCOME_UNKNOWN, run_transaction
from functions.core.shared.errors import EcolaneError
from functions.core.shared.records import Fields
from functions.core.shared.utc_days import day_of
from functions.core.wallet.accounts import Account, reopened_account
from functions.core.wallet.ledger import LedgerEntry, Reason, Wallet, entry_id
from functions.core.wallet.quotas import DeviceDay
from functions.core.wallet.refusals import AccountDeleted
from functions.core.wallet.team_wallet import TeamWallet, nobodys

LEDGER_READ_MAX = 5_000
"""Entries read to make a lost wallet anew: years of daily use."""


@dataclass(frozen=True)
class StoredWallet:
    """A wallet as read, and the version to guard the next write with."""

    wallet: Wallet
    version: datetime


class WalletDocuments(Documents):
    """Reads and writes of wallets. Every change of a balance is a transaction that writes its ledger entry too."""

    def get_wallet(self, uid: str, team_id: str | None = None) -> Wallet | None:
        """Read the wallet that a user spends from, their own or a team's. One read. Raises AccountDeleted if it is
        closed, as everything here does that would use it."""
        stored = self.look_at_wallet(uid, team_id)
        return stored.wallet if stored else None

    def look_at_wallet(self, uid: str, team_id: str | None = None) -> StoredWallet | None:
        """Read a wallet that may be written under its version. One read."""
        snapshot = self._client.get(self._wallet_ref(uid, team_id))
        wallet = spent_from(snapshot, uid) if team_id else in_use(as_wallet(snapshot))
        return StoredWallet(wallet, snapshot.update_time) if wallet else None

    def open_wallet(self, uid: str, decide: Callable[[Wallet | None], Account]) -> Wallet:
        """Store what `decide` makes of the wallet, in one transaction; for a contact that finds something due."""

        def body(transaction: Transaction) -> Wallet:
            account = decide(self._wallet_in(transaction, uid))
            self._write_account(transaction, uid, account)
            return account.wallet

        try:
            return run_transaction(self._client.transaction(), body)
        except OUTCOME_UNKNOWN:
            wallet = self.get_wallet(uid)
            if wallet is None:
                raise
            return wallet

    def claim_prompt(self, uid: str, day: str) -> bool:
        """Note that a user is shown a plan on this day, in one transaction: a read and a write. False if they were
        already, and if nobody knows whether it was noted."""

        def body(transaction: Transaction) -> bool:
            wallet = as_wallet(self._client.get(self._wallet_ref(uid), transaction))
            if wallet is None or wallet.prompted_day >= day:
                return False
            transaction.update(self._wallet_ref(uid), {"promptedDay": day})
            return True

        try:
            return run_transaction(self._client.transaction(), body)
        except OUTCOME_UNKNOWN:
            return False

    def post_entry(
        self,
        uid: str,
        key: str,
        decide: Callable[[Wallet | None, DeviceDay | None], tuple[Account, DeviceDay | None]],
        device_id: str | None = None,
    ) -> LedgerEntry:
        """Post an entry once, in one transaction: a read, and a write for wallet and entry each; the same for the
        device.

        `key` is the entry's id. If it exists it is returned as it is, whatever `decide` says to a second one.
        """
        device_ref = self._client.collection("devices").document(device_id) if device_id else None

        def body(transaction: Transaction) -> LedgerEntry:
            wallet = self._wallet_in(transaction, uid)
            device = self._device_in(transaction, device_ref) if device_ref else None
            account, used = decide(wallet, device)
            self._write_account(transaction, uid, account)
            if device_ref is not None and used is not None:
                transaction.set(device_ref, used.model_dump(by_alias=True))
            return next(entry for entry in account.new_entries if entry.entry_id == key)

        try:
            return run_transaction(self._client.transaction(), body)
        except (*OUTCOME_UNKNOWN, EcolaneError):
            # A refusal stands only if the key is new; a commit whose reply was lost has made the entry.
            snapshot = self._client.get(self._ledger(uid).document(key))
            if not snapshot.exists:
                raise
            return as_entry(snapshot)

    def list_entries(self, uid: str, before_seq: int | None, limit: int) -> list[LedgerEntry]:
        """Read a page of the ledger, newest first. A read each, one if there are none."""
        query = self._ledger(uid).order_by("seq", DESCENDING).limit(limit)
        if before_seq is not None:
            query = query.where("seq", "<", before_seq)
        return [as_entry(snapshot) for snapshot in query.stream()]

    def _ledger(self, uid: str, team_id: str | None = None) -> Collection:
        if team_id:
            return self._client.collection("teams", team_id, "ledger")
        return self._client.collection("users", uid, "ledger")

    def _associates(self, team_id: str) -> Collection:
        return self._client.collection("teams", team_id, "associations")

    def _wallet_ref(self, uid: str, team_id: str | None = None) -> str:
        if team_id:
            return self._client.document("teams", team_id, "wallet", "main")
        return self._client.document("users", uid, "wallet", "main")

    def _wallet_in(self, transaction: Transaction, uid: str, team_id: str | None = None) -> Wallet | None:
        """Read the wallet that a user spends from in a transaction. A user's that was removed is made anew from the
        ledger: welcome comes once. A team's is never: nobody would know its members.

        None on first contact, which is known by one further read: there is no welcome entry.
        """
        if team_id:
            return spent_from(self._client.get(self._wallet_ref(uid, team_id), transaction), uid)
        wallet = in_use(as_wallet(self._client.get(self._wallet_ref(uid), transaction)))
        if wallet is not None:
            return wallet
        welcome = self._ledger(uid).document(entry_id(Reason.WELCOME, None))
        if not self._client.get(welcome, transaction).exists:
            return None
        query = self._ledger(uid).order_by("seq").limit(LEDGER_READ_MAX)
        entries = [as_entry(found) for found in query.stream(transaction)]
        if len(entries) == LEDGER_READ_MAX:
            raise RuntimeError(f"the wallet of {uid} is gone and its ledger too long to make it anew here")
        return in_use(reopened_account(entries, entries[-1].ts).wallet)

    def _device_in(self, transaction: Transaction, ref: str) -> DeviceDay | None:
        snapshot = self._client.get(ref, transaction)
        return sound(snapshot, lambda each: DeviceDay.model_validate(each.fields)) if snapshot.exists else None

    def _write_account(self, transaction: Transaction, uid: str, account: Account) -> None:
        """Write the wallet, this user's or the team's that it is, with associates that have changed, and its new
        entries."""
        wallet = account.wallet
        transaction.set(self._wallet_ref(uid, _team_of(account)), stored_fields(wallet))
        if isinstance(wallet, TeamWallet):
            for other, member in wallet.changed_associates().items():
                ref = self._associates(wallet.team_id).document(other)
                transaction.set(ref, member.model_dump(by_alias=True)) if member else transaction.delete(ref)
        self._write_entries(transaction, uid, account)

    def _write_entries(self, writes: Writes, uid: str, account: Account) -> None:
        """Create the entries that are new, each with its `day`, for sums by day. A second one with the same id fails
        the whole commit."""
        for entry in account.new_entries:
            ref = self._ledger(uid, _team_of(account)).document(entry.entry_id)
            writes.create(ref, {**entry.model_dump(by_alias=True, exclude={"entry_id"}), "day": day_of(entry.ts)})


def as_entry(snapshot: Snapshot) -> LedgerEntry:
    """Return the entry in a snapshot that exists. Raises DamagedDocumentError if it does not validate."""

    def read(each: Snapshot) -> LedgerEntry:
        fields = {**each.fields, "entryId": each.id}
        fields.pop("day", None)
        return LedgerEntry.model_validate(fields)

    return sound(snapshot, read)


def as_wallet(snapshot: Snapshot) -> Wallet | None:
    """Return the wallet in a snapshot, None if there is none. Raises DamagedDocumentError if it does not validate."""
    return sound(snapshot, lambda each: Wallet.model_validate(each.fields)) if snapshot.exists else None


def as_team(snapshot: Snapshot) -> TeamWallet | None:
    """Return the team's wallet in a snapshot, None if there is none, or it is closed. Raises DamagedDocumentError if it
    does not validate."""
    team = open_or_closed_team(snapshot)
    return team if team and team.closed_at is None else None


def open_or_closed_team(snapshot: Snapshot) -> TeamWallet | None:
    """The same, but for one that is closed, which has no members."""

    def read(each: Snapshot) -> TeamWallet:
        return TeamWallet.model_validate({**each.fields, "teamId": each.path.split("/")[1]})

    return sound(snapshot, read) if snapshot.exists else None


def spent_from(snapshot: Snapshot, uid: str) -> TeamWallet:
    """Return the team's wallet in a snapshot, for somebody who wants to spend from it: where there is none, one
    without members, which refuses everybody."""
    team = as_team(snapshot) or nobodys(snapshot.path.split("/")[1])
    return team.entered_by(uid)


def stored_fields(wallet: Wallet) -> Fields:
    """Return the fields of a wallet to store."""
    return wallet.to_store() if isinstance(wallet, TeamWallet) else wallet.model_dump(by_alias=True)


def _team_of(account: Account) -> str | None:
    return account.wallet.team_id if isinstance(account.wallet, TeamWallet) else None


def open_or_none(snapshot: Snapshot) -> Wallet | None:
    """Return the wallet in a snapshot, a user's or a team's. None if there is none or it is closed: nobody is there to
    give anything to."""
    wallet = open_or_closed_team(snapshot) if snapshot.path.startswith("teams/") else as_wallet(snapshot)
    return wallet if wallet and wallet.closed_at is None else None


def in_use(wallet: Wallet | None) -> Wallet | None:
    """Return a wallet as it is. Raises AccountDeleted if it is closed."""
    if wallet is not None and wallet.closed_at is not None:
        raise AccountDeleted("This account was deleted. Sign out, and sign in with another one.")
    return wallet
