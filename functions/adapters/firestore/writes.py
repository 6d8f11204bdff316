"""Three ways of writing to Firestore, each the cheapest that is safe for its case.

run_transaction   several documents that have to agree: reads lock, and whoever loses tries again
guarded_update    one document, no read: the precondition is the `update_time` that the writer last saw
guarded_bulk      many documents in one call, each under its own precondition, each succeeding or failing alone
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type
from google.rpc import code_pb2

from functions.adapters.firestore.client import Database
from functions.adapters.firestore.transactions import Transaction, Writes
from functions.adapters.firestore.values import Message, Snapshot, decoded_time

CONTENTION_SECONDS = 15.0
"""How long a transaction that loses to others is repeated before the caller is told."""

ATTEMPTS_IN_A_ROW = 5
"""Of a transaction, without a pause between them: Firestore keeps its place in the line."""

BULK_WRITES_MAX = 100
"""Writes in one bulk call: small enough for its 10 MiB even when every one carries a result."""

_BULK_ANSWERED = (code_pb2.OK, code_pb2.FAILED_PRECONDITION, code_pb2.NOT_FOUND)
"""What a write in a bulk call may come to: done, or refused because the document is not as it was."""

Outcome = datetime | Exception | None
"""Result of one write of many: its new version; None if the document has changed; or an error, which leaves it
uncertain."""

OUTCOME_UNKNOWN = (
    exceptions.AlreadyExists,
    exceptions.FailedPrecondition,
    exceptions.ServiceUnavailable,
    exceptions.DeadlineExceeded,
    exceptions.InternalServerError,
    exceptions.InvalidArgument,
)
"""What a commit that may have happened can end with. Commits are repeated on UNAVAILABLE, and the second one then meets
what the first one wrote, or a transaction that is over. So a refusal does not prove that somebody else was faster: the
document is read again and asked whose it is."""

_OVER = re.compile("no longer valid|invalid or closed")
"""How Firestore, and its emulator, speak of a transaction that is over: committed, or not used for a minute."""

_REPEATED = Retry(
    if_exception_type(exceptions.Aborted), initial=0.05, maximum=1.0, multiplier=2.0, timeout=CONTENTION_SECONDS
)
"""ABORTED means that nothing was written, because others were at the same documents: another try is safe."""

T = TypeVar("T")


def run_transaction(transaction: Transaction, body: Callable[[Transaction], T]) -> T:
    """Run a transaction; repeat it while it loses to others. `body` runs more than once, so it must only read and write
    in its transaction.

    Raises:
        google.api_core.exceptions.RetryError: it lost for longer than CONTENTION_SECONDS.
        google.api_core.exceptions.ServiceUnavailable: the transaction is over; whether it was committed is not
        known.
    """

    def attempts() -> T:
        for _ in range(ATTEMPTS_IN_A_ROW - 1):
            try:
                return _attempt(transaction, body)
            except exceptions.Aborted:
                continue
        return _attempt(transaction, body)

    return _REPEATED(attempts)()


def _attempt(transaction: Transaction, body: Callable[[Transaction], T]) -> T:
    try:
        transaction.start_over()
        result = body(transaction)
        transaction.commit()
    except exceptions.InvalidArgument as error:
        transaction.roll_back()
        if _OVER.search(str(error)):
            # Its commit has happened, and the reply was lost; or this process stood still.
            raise exceptions.ServiceUnavailable(str(error)) from error  # type: ignore[no-untyped-call]
        raise
    except BaseException:
        transaction.roll_back()
        raise
    return result


def guarded_update(
    client: Database,
    path: str,
    version: datetime,
    fields: Mapping[str, Any] | None,
    also: Callable[[Writes], object] = lambda _writes: None,
) -> datetime | None:
    """Update a document if it is as it was at `version`, or delete it if there are no `fields`. Returns the new
    version, None if somebody was faster. What `also` writes goes into the same commit, or nowhere."""
    writes = client.batch()
    if fields is None:
        writes.delete(path, version)
    else:
        writes.update(path, fields, version)
    also(writes)
    try:
        _REPEATED(writes.commit)()
    except (exceptions.FailedPrecondition, exceptions.NotFound):
        return None
    return writes.versions[0]


def delete_all(client: Database, found: Sequence[Snapshot]) -> int:
    """Delete these documents in one commit, however they are by now. Returns how many there are. A write each."""
    writes = client.batch()
    for each in found:
        writes.delete(each.path)
    if found:
        writes.commit()
    return len(found)


def guarded_bulk(client: Database, changes: Sequence[tuple[str, datetime, Mapping[str, Any]]]) -> list[Outcome]:
    """Update many documents, each if it is still at its version. Returns, in order, the outcome of each. Raises
    google.api_core.exceptions.GoogleAPICallError if Firestore did not take a call; those before it may be done."""
    outcomes: list[Outcome] = []
    for start in range(0, len(changes), BULK_WRITES_MAX):
        outcomes += _bulk(client, changes[start : start + BULK_WRITES_MAX])
    return outcomes


def _bulk(client: Database, changes: Sequence[tuple[str, datetime, Mapping[str, Any]]]) -> list[Outcome]:
    """Write these in one call. One that cannot be written at all, and would sink the call, is found by halving it."""
    bulk = client.batch()
    try:
        for path, version, fields in changes:
            bulk.update(path, fields, version)
        response = bulk.commit_each()
    except (exceptions.InvalidArgument, TypeError, ValueError) as error:
        if len(changes) == 1:
            return [error]
        middle = len(changes) // 2
        return [*_bulk(client, changes[:middle]), *_bulk(client, changes[middle:])]
    return [
        _outcome(status, result.update_time)
        for result, status in zip(response.write_results, response.status, strict=True)
    ]


def _outcome(status: Message, version: Message) -> Outcome:
    if status.code == code_pb2.OK:
        return decoded_time(version)
    if status.code in _BULK_ANSWERED:
        return None
    error: Exception = exceptions.from_grpc_status(status.code, status.message)  # type: ignore[no-untyped-call]
    return error
