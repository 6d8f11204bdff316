"""Transactions: beginning, finding, expiring and ending them.

A read-write transaction holds read locks (see `locks`); a read-only one reads from a snapshot and locks nothing.
Queries inside a read-write transaction are run once more before the commit: if another result would come out,
somebody added or removed a match in between, and the transaction aborts. Source:
https://firebase.google.com/docs/firestore/transaction-data-contention
"""

import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from .errors import aborted, invalid
from .locks import CONTENTION, LockTable, Owner
from .protos import Message
from .store import Database

IDLE_SECONDS = 60.0
TOTAL_SECONDS = 270.0
INTENTIONS_MAX = 1000  # of aborted transactions whose clients have not come back

_ID = struct.Struct(
    ">QQ8s"
)  # serial number, seniority, and chance, so that ids of an earlier run are not mistaken for ours


@dataclass(frozen=True, slots=True)
class Timing:
    """How long transactions may live, commits may wait and listeners may hear nothing. Shorter in tests."""

    idle_seconds: float = IDLE_SECONDS
    total_seconds: float = TOTAL_SECONDS
    lock_wait_seconds: float = 30.0
    listen_silence_seconds: float = 30.0


@dataclass(eq=False, slots=True)
class Transaction(Owner):
    """An open transaction."""

    id: bytes = b""
    snapshot: int | None = None  # the tick a read-only transaction reads at
    began: float = 0.0
    used: float = 0.0
    checks: list[Callable[[], bool]] = field(default_factory=list)  # each tells whether a query's result still holds

    @property
    def read_only(self) -> bool:
        """Whether the transaction promised not to write."""
        return self.snapshot is not None


class Transactions:
    """The open transactions of one database. Not thread-safe: used under the service's mutex."""

    def __init__(self, database: Database, timing: Timing, seconds: Callable[[], float]) -> None:
        self.locks = LockTable()
        self._database = database
        self._timing = timing
        self._seconds = seconds
        self._open: dict[bytes, Transaction] = {}
        self._intentions: dict[int, list[str]] = {}  # by seniority, which all attempts of one transaction share
        self._serial = 0
        self._run = secrets.token_bytes(8)

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, options: Message, tick: int) -> Transaction:
        """Start a transaction as asked by `TransactionOptions`; a read-only one reads as of `tick`.

        Raises:
            FirestoreError: INVALID_ARGUMENT for a retried transaction that is not one of ours.
        """
        self.expire()
        self._serial += 1
        retried = options.read_write.retry_transaction
        seniority = self._unpack(retried)[1] if retried else self._serial
        now = self._seconds()
        started = Transaction(seniority=seniority, id=_ID.pack(self._serial, seniority, self._run), began=now, used=now)
        started.intends = self._intentions.pop(seniority, [])
        if options.HasField("read_only"):
            started.snapshot = tick
            self._database.history.hold(tick)
        self._open[started.id] = started
        return started

    def get(self, transaction_id: bytes) -> Transaction:
        """Return an open transaction and note that it was used.

        Raises:
            FirestoreError: INVALID_ARGUMENT when it has expired, has ended, or never was.
        """
        found = self._open.get(transaction_id)
        now = self._seconds()
        if found is None or self._has_expired(found, now):
            if found is not None:
                self.end(found)
            else:
                self._unpack(transaction_id)
            raise invalid("The referenced transaction has expired or is no longer valid.")
        found.used = now
        return found

    def check_results(self, transaction: Transaction) -> None:
        """Raise ABORTED when a query of the transaction would now give another result."""
        if not all(holds() for holds in transaction.checks):
            raise aborted(CONTENTION)

    def note_conflict(self, transaction: Transaction) -> None:
        """Remember what an aborted transaction wanted to write, for when its client starts over."""
        self._intentions[transaction.seniority] = sorted(transaction.writes)
        if len(self._intentions) > INTENTIONS_MAX:
            del self._intentions[next(iter(self._intentions))]

    def rollback(self, transaction_id: bytes) -> None:
        """End a transaction without effect. One that has ended is fine: clients roll back what failed to commit."""
        found = self._open.get(transaction_id)
        if found is None:
            self._unpack(transaction_id)
        else:
            self.end(found)

    def abort(self, transaction_id: bytes) -> None:
        """End a transaction if it is one of this database's: ABORTED means that it is over, and its locks are free."""
        found = self._open.get(transaction_id)
        if found is not None:
            self.end(found)

    def end(self, transaction: Transaction) -> None:
        """Forget a transaction and let go of its locks."""
        if self._open.pop(transaction.id, None) is None:
            return
        self.locks.release(transaction)
        if transaction.snapshot is not None:
            self._database.history.release(transaction.snapshot)

    def end_all(self) -> None:
        """End every open transaction."""
        for transaction in list(self._open.values()):
            self.end(transaction)

    def expire(self) -> None:
        """End all transactions that were idle, or open, for too long."""
        now = self._seconds()
        for transaction in [each for each in self._open.values() if self._has_expired(each, now)]:
            self.end(transaction)

    def seconds_to_expiry(self, owner: Owner) -> float:
        """Return how long until one of those an owner waits for expires."""
        now = self._seconds()
        ends = [
            min(blocker.used + self._timing.idle_seconds, blocker.began + self._timing.total_seconds) - now
            for blocker in self.locks.blockers(owner)
            if isinstance(blocker, Transaction)
        ]
        return max(0.0, min(ends, default=self._timing.idle_seconds))

    def _has_expired(self, transaction: Transaction, now: float) -> bool:
        if transaction.waiting_to_read is not None or transaction.waiting_to_write:
            return False  # a call of it is being served, and that call's own wait is bounded
        idle, total = now - transaction.used, now - transaction.began
        return idle > self._timing.idle_seconds or total > self._timing.total_seconds

    def _unpack(self, transaction_id: bytes) -> tuple[int, int]:
        if len(transaction_id) == _ID.size:
            serial, seniority, run = _ID.unpack(transaction_id)
            if run == self._run and serial <= self._serial:
                return serial, seniority
        raise invalid("Invalid transaction.")
