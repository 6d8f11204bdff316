"""The RPCs that write: Commit and BatchWrite, and the three that wrap a single write."""

import secrets
import string
from collections.abc import Iterable, Sequence
from dataclasses import replace

from google.rpc.status_pb2 import Status
from grpc import StatusCode

from .engine import Call, Engine, Session
from .errors import FirestoreError, invalid
from .history import StoredDocument
from .locks import Owner
from .paths import check_id, collection_id, document_path, split_name
from .protos import DocumentPb, Message, Precondition, Write, WritePb, WriteResult, rpc_types
from .reads import mask_of, masked
from .security import Change
from .transactions import Transaction
from .wire import timestamp
from .writes import apply_write, check_precondition, target_name

_, CommitResponse = rpc_types("Commit")
_, BatchWriteResponse = rpc_types("BatchWrite")
_ID_ALPHABET = string.ascii_letters + string.digits


def commit(engine: Engine, request: Message, call: Call) -> list[bytes]:
    """Serve Commit: all writes or none. Whatever the outcome, the transaction is over."""
    session = engine.session(request.database)
    if not request.transaction:
        tick, results = _commit_alone(engine, session, request.writes, call)
    else:
        transaction = session.transactions.get(request.transaction)
        try:
            tick, results = _commit_transaction(engine, session, transaction, request.writes, call)
        except FirestoreError as error:
            if error.code is StatusCode.ABORTED:
                session.transactions.note_conflict(transaction)
            session.transactions.end(transaction)
            raise
    return [CommitResponse(write_results=results, commit_time=timestamp(tick)).SerializeToString()]


def batch_write(engine: Engine, request: Message, call: Call) -> list[bytes]:
    """Serve BatchWrite: every write for itself, in no promised order, none twice on one document."""
    session = engine.session(request.database)
    paths = _paths(session, request.writes)
    if len(set(paths)) < len(paths):
        raise invalid("A document cannot be written to multiple times in the same batch.")
    response = BatchWriteResponse()
    for write in request.writes[len(call.done) :]:
        try:
            _, results = _commit_alone(engine, session, [write], call)
            call.done.append(results[0])
        except FirestoreError as error:
            call.done.append(Status(code=error.code.value[0], message=error.message))
    for outcome in call.done:
        failed = isinstance(outcome, Status)
        response.write_results.append(WriteResult() if failed else outcome)
        response.status.append(outcome if failed else Status())
    return [response.SerializeToString()]


def create_document(engine: Engine, request: Message, call: Call) -> list[bytes]:
    """Serve CreateDocument; without a document id it invents one."""
    document_id = request.document_id or "".join(secrets.choice(_ID_ALPHABET) for _ in range(20))
    check_id(request.collection_id, request.collection_id)
    check_id(document_id, document_id)
    write = Write(update=request.document, current_document=Precondition(exists=False))
    write.update.name = f"{request.parent}/{request.collection_id}/{document_id}"
    return _write_one(engine, write, request, call)


def update_document(engine: Engine, request: Message, call: Call) -> list[bytes]:
    """Serve UpdateDocument."""
    write = Write(update=request.document)
    if request.HasField("update_mask"):
        write.update_mask.CopyFrom(request.update_mask)
    if request.HasField("current_document"):
        write.current_document.CopyFrom(request.current_document)
    return _write_one(engine, write, request, call)


def delete_document(engine: Engine, request: Message, call: Call) -> list[bytes]:
    """Serve DeleteDocument."""
    write = Write(delete=request.name)
    if request.HasField("current_document"):
        write.current_document.CopyFrom(request.current_document)
    session = engine.session(split_name(request.name)[0])
    _commit_alone(engine, session, [write], call)
    return [b""]


def _write_one(engine: Engine, write: WritePb, request: Message, call: Call) -> list[bytes]:
    """Commit one update and answer with the document as it is then."""
    session = engine.session(split_name(write.update.name)[0])
    mask = mask_of(request)
    _commit_alone(engine, session, [write], call)
    stored = session.database.get(document_path(write.update.name, session.database.name))
    assert stored is not None  # noqa: S101 - an update has just left a document here
    return [masked(stored, mask)]


def _commit_alone(engine: Engine, session: Session, writes: Sequence[WritePb], call: Call) -> tuple[int, list[Message]]:
    """Commit writes outside of any transaction."""
    paths = _paths(session, writes)
    if call.owner is None or call.session is not session:  # all sessions are new after the server has been cleared
        call.owner, call.session = Owner(seniority=engine.tick()), session
    locks = session.transactions.locks
    locks.admit_commit(call.owner, paths, patient=call.patient)
    try:
        return _apply(engine, session, writes, paths, call)
    finally:
        locks.release(call.owner)


def _commit_transaction(
    engine: Engine, session: Session, transaction: Transaction, writes: Sequence[WritePb], call: Call
) -> tuple[int, list[Message]]:
    if transaction.read_only and writes:
        raise invalid("Cannot modify entities in a read-only transaction.")
    paths = _paths(session, writes)
    session.transactions.locks.admit_commit(transaction, paths, patient=call.patient)
    session.transactions.check_results(transaction)
    outcome = _apply(engine, session, writes, paths, call)
    session.transactions.end(transaction)
    return outcome


def _expected(write: WritePb) -> bool | None:
    """Return whether a write wants its document to exist; None if it does not say."""
    return bool(write.current_document.exists) if write.current_document.HasField("exists") else None


def _paths(session: Session, writes: Iterable[WritePb]) -> list[str]:
    return [document_path(target_name(write), session.database.name) for write in writes]


class _Draft:
    """A document as a commit is about to leave it."""

    def __init__(self, stored: StoredDocument | None, expected: bool | None) -> None:
        self.stored, self.expected = stored, expected
        self.document: DocumentPb | None = stored.parse() if stored else None
        self.created = stored.created if stored else 0
        self.updated = stored.updated if stored else None
        self.changed = False

    def follow(self, after: DocumentPb | None, tick: int) -> None:
        """Take over the state after a write. One that changes nothing leaves the update time as it was."""
        if after is None:
            self.document, self.updated, self.changed = None, None, True
            return
        if self.document is not None and after.fields == self.document.fields:
            return
        if self.document is None:
            self.created = tick
        after.create_time.CopyFrom(timestamp(self.created))
        after.update_time.CopyFrom(timestamp(tick))
        self.document, self.updated, self.changed = after, tick, True


def _apply(
    engine: Engine, session: Session, writes: Sequence[WritePb], paths: list[str], call: Call
) -> tuple[int, list[Message]]:
    """Work all writes out on drafts, then store and bill them: nothing is stored if one fails.

    An app that may not write learns that alone, and not what is there: the rules come before preconditions.
    """
    app = engine.asking(session, call)
    tick = engine.tick()
    drafts, results, unmet = _work_out(session, writes, paths, tick)
    if app is not None:
        changes = [Change(path, draft.stored, draft.document, draft.expected) for path, draft in drafts.items()]
        engine.security.check_changes(replace(app, tick=tick), changes, several=len(writes) > 1)
    if unmet is not None:
        raise unmet
    for path, draft in drafts.items():
        if draft.changed:
            session.database.put(path, draft.document, tick)
    for write, path in zip(writes, paths, strict=True):
        if write.WhichOneof("operation") == "delete":
            engine.bill.delete(call.rpc, collection_id(path))
        else:
            engine.bill.write(call.rpc, collection_id(path), path, tick)
    return tick, results


def _work_out(
    session: Session, writes: Sequence[WritePb], paths: list[str], tick: int
) -> tuple[dict[str, _Draft], list[Message], FirestoreError | None]:
    """Return the drafts by path, the results of the writes, and the first precondition that does not hold."""
    moment = timestamp(tick)
    drafts: dict[str, _Draft] = {}
    results = []
    unmet: FirestoreError | None = None
    for write, path in zip(writes, paths, strict=True):
        draft = drafts.get(path)
        if draft is None:
            draft = drafts[path] = _Draft(session.database.get(path), _expected(write))
        name = session.database.full_name(path)
        try:
            check_precondition(write.current_document, draft.updated, name)
        except FirestoreError as error:
            unmet = unmet or error
        after, result = apply_write(write, name, draft.document, moment)
        draft.follow(after, tick)
        if draft.updated is not None:
            result.update_time.CopyFrom(timestamp(draft.updated))
        results.append(result)
    return drafts, results, unmet
