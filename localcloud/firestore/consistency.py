"""Which moment a read sees: the present, a time in the past, or that of its transaction.

The protocol calls it the consistency selector. A `read_time` lies within the past hour. Production also serves whole
minutes of the past seven days where point-in-time recovery is enabled, which is not played here. Source:
https://firebase.google.com/docs/firestore/pitr
"""

from datetime import UTC, datetime
from typing import NamedTuple

from .engine import Call, Engine, Session
from .errors import failed_precondition, invalid
from .history import RETENTION_TICKS, StoredDocument
from .protos import Message
from .transactions import Transaction
from .wire import TICKS_PER_SECOND, tick_of, timestamp

_NANOS_PER_SECOND = 1_000_000_000


class Reading(NamedTuple):
    """How one request reads."""

    at: int | None = None  # the tick whose state it sees; None: the present
    locking: Transaction | None = None  # the read-write transaction that it takes its locks for

    def time(self, engine: Engine) -> Message:
        """Return the read time to answer with."""
        return timestamp(self.at or engine.tick())


def reading_of(engine: Engine, session: Session, request: Message, call: Call) -> Reading:
    """Return how a request reads: as it says, in a transaction that it asks to begin, or the present.

    Raises:
        FirestoreError: as `past_tick` does; INVALID_ARGUMENT for a transaction that is not open.
    """
    match request.WhichOneof("consistency_selector"):
        case "read_time":
            return Reading(past_tick(engine, session, request.read_time))
        case "transaction":
            return _within(session.transactions.get(request.transaction))
        case "new_transaction":
            if call.transaction is None:
                call.transaction = begin(engine, session, request.new_transaction)
            return _within(call.transaction)
    return Reading()


def begin(engine: Engine, session: Session, options: Message) -> Transaction:
    """Start a transaction as asked by `TransactionOptions`; a read-only one reads at its `read_time`, else as of now.

    Raises:
        FirestoreError: as `past_tick` and `Transactions.begin` do.
    """
    in_past = options.read_only.HasField("read_time")
    tick = past_tick(engine, session, options.read_only.read_time) if in_past else engine.tick()
    return session.transactions.begin(options, tick)


def past_tick(engine: Engine, session: Session, moment: Message) -> int:
    """Return a `read_time` as a tick that the history knows and that no later commit will have.

    Raises:
        FirestoreError: INVALID_ARGUMENT for a time in the future, and for one that is none or is finer than a
            microsecond; FAILED_PRECONDITION for one that is too old.
    """
    if not 0 <= moment.nanos < _NANOS_PER_SECOND:
        raise invalid("Invalid timestamp: nanos must lie between 0 and 999,999,999.")
    if moment.nanos % 1000:
        raise invalid("timestamp cannot have more than microseconds precision")
    tick, now = tick_of(moment), engine.tick()
    if tick <= 0:
        raise invalid("Only timestamps past epoch are supported.")
    if tick > now:
        raise invalid("The requested 'read_time' cannot be in the future.")
    oldest = max(now - RETENTION_TICKS, session.database.history.complete_since)
    if tick < oldest:
        since = datetime.fromtimestamp(oldest / TICKS_PER_SECOND, UTC).isoformat()
        raise failed_precondition(f"The requested 'read_time' is too old. The past is kept since {since}.")
    return tick


def read_document(session: Session, path: str, reading: Reading, call: Call) -> StoredDocument | None:
    """Return a document as a request sees it, with a read lock if its transaction wants one."""
    if reading.locking is not None:
        session.transactions.locks.read(reading.locking, path, patient=call.patient)
    return session.database.get(path, reading.at)


def _within(transaction: Transaction) -> Reading:
    return Reading(transaction.snapshot, None if transaction.read_only else transaction)
