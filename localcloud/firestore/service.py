"""The RPCs by name, and what is done around each: size limit, parsing, faults, waiting for locks, cleaning up."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import grpc
from google.protobuf.message import DecodeError

from . import commits, partitions, queries, reads
from .engine import Call, Caller, Engine
from .errors import FirestoreError, invalid, unimplemented
from .faults import Faults
from .locks import Blocked, Owner
from .protos import (
    CreateDocumentRequest,
    DeleteDocumentRequest,
    GetDocumentRequest,
    Message,
    RollbackRequest,
    UpdateDocumentRequest,
    rpc_types,
)
from .security import denied
from .turns import Turns
from .write_log import WriteLogs
from .writes import target_name

REQUEST_BYTES_MAX = 10 * 1024 * 1024

Handler = Callable[[Engine, Message, Call], list[bytes]]
Wait = Callable[[Owner, float], bool]
"""How a blocked call passes the time: told who waits and when to look again (seconds); returns False to give up."""


@dataclass(frozen=True, slots=True)
class Rpc:
    """One served RPC."""

    request: Message
    streams: bool
    handle: Handler


RPCS: dict[str, Rpc] = {
    "GetDocument": Rpc(GetDocumentRequest, False, reads.get_document),
    "ListDocuments": Rpc(rpc_types("ListDocuments")[0], False, reads.list_documents),
    "CreateDocument": Rpc(CreateDocumentRequest, False, commits.create_document),
    "UpdateDocument": Rpc(UpdateDocumentRequest, False, commits.update_document),
    "DeleteDocument": Rpc(DeleteDocumentRequest, False, commits.delete_document),
    "BatchGetDocuments": Rpc(rpc_types("BatchGetDocuments")[0], True, reads.batch_get_documents),
    "BeginTransaction": Rpc(rpc_types("BeginTransaction")[0], False, reads.begin_transaction),
    "Commit": Rpc(rpc_types("Commit")[0], False, commits.commit),
    "Rollback": Rpc(RollbackRequest, False, reads.rollback),
    "RunQuery": Rpc(rpc_types("RunQuery")[0], True, queries.run_query),
    "RunAggregationQuery": Rpc(rpc_types("RunAggregationQuery")[0], True, queries.run_aggregation_query),
    "PartitionQuery": Rpc(rpc_types("PartitionQuery")[0], False, partitions.partition_query),
    "BatchWrite": Rpc(rpc_types("BatchWrite")[0], False, commits.batch_write),
    "ListCollectionIds": Rpc(rpc_types("ListCollectionIds")[0], False, reads.list_collection_ids),
}

WRITING = frozenset({"Commit", "BatchWrite", "Write", "CreateDocument", "UpdateDocument", "DeleteDocument"})
FOR_SERVERS = frozenset({"BatchWrite", "ListCollectionIds", "PartitionQuery"})
"""What Google's emulator, too, refuses to apps, whatever the rules say."""

UNSERVED = ("ExecutePipeline",)


def waiting(at_most: float, on_end: Callable[[Callable[[], None]], object], ended: Callable[[], bool]) -> Wait:
    """Return how a client's calls wait: all together for `at_most` seconds, and not longer than the client does.

    Args:
        at_most: seconds.
        on_end: takes what is to be called when the client has gone.
        ended: whether it has.
    """
    deadline: list[float] = []

    def wait(owner: Owner, look_again: float) -> bool:
        now = time.monotonic()
        if not deadline:
            deadline.append(now + at_most)
            on_end(owner.wake.set)
        if now >= deadline[0]:
            return False
        owner.wake.wait(min(look_again + 0.001, deadline[0] - now))
        if ended():
            raise FirestoreError(grpc.StatusCode.CANCELLED, "The client has gone.")
        return True

    return wait


class Service:
    """Answers RPCs given as bytes or as messages, whatever carried them here."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.faults = Faults(engine.seconds)
        self.write_logs = WriteLogs()
        self.turns = Turns()

    def answer_bytes(self, rpc: str, raw: bytes, wait: Wait, caller: Caller | None = None) -> list[bytes]:
        """Answer a request in its wire form. See `answer` for errors; malformed bytes are INVALID_ARGUMENT."""
        if rpc not in RPCS:
            raise unimplemented(f"The RPC {rpc}")
        if len(raw) > REQUEST_BYTES_MAX:
            raise invalid(f"Request payload size exceeds the limit: {REQUEST_BYTES_MAX} bytes.")
        try:
            request = RPCS[rpc].request.FromString(raw)
        except DecodeError as error:
            raise invalid(f"The request is not a valid {rpc} message: {error}") from error
        return self.answer(rpc, request, wait, caller)

    def answer(self, rpc: str, request: Message, wait: Wait, caller: Caller | None = None) -> list[bytes]:
        """Run one RPC and return its answers in wire form: exactly one unless the RPC streams. See `perform`."""
        return self.perform(rpc, request, RPCS[rpc].handle, wait, caller)

    def perform(
        self, rpc: str, request: Message, handle: Handler, wait: Wait, caller: Caller | None = None
    ) -> list[bytes]:
        """Handle a request, with the faults that are due, and return its answers in wire form.

        Without a `caller` it is a server client's, whom no security rules concern.

        Raises:
            FirestoreError: the RPC's status and text.
        """
        call = Call(rpc, caller)
        if caller is not None and rpc in FOR_SERVERS:
            raise denied(f"{rpc} is for server clients alone.")
        if not self.faults:
            return self._run(handle, request, call, wait)
        paths = set(_touched_paths(request))
        try:
            lost = self._strike(rpc, paths)
            with self.faults.writing(paths if rpc in WRITING else ()):
                answers = self._run(handle, request, call, wait)
        except FirestoreError as error:
            if error.code is grpc.StatusCode.ABORTED:
                self._end_transaction(getattr(request, "transaction", b""))
            raise
        if lost:
            raise FirestoreError(grpc.StatusCode.UNAVAILABLE, "The reply was lost on request; the call took effect.")
        return answers

    def _strike(self, rpc: str, paths: Iterable[str]) -> bool:
        """Do to a call what the fault rules say; return whether its reply is to be lost."""
        hits = self.faults.strike(rpc, paths)
        for rule in hits:
            if rule.kind == "delay":
                time.sleep(rule.delay_ms / 1000)
            elif rule.kind == "abort":
                raise FirestoreError(grpc.StatusCode.ABORTED, "Aborted on request.")
            elif rule.kind == "unavailable":
                raise FirestoreError(grpc.StatusCode.UNAVAILABLE, "Unavailable on request.")
        return any(rule.kind == "reply_lost" for rule in hits)

    def _end_transaction(self, transaction_id: bytes) -> None:
        """End a transaction whose call was answered with ABORTED by a fault."""
        with self.engine.mutex:
            for session in self.engine.sessions.values():
                session.transactions.abort(transaction_id)

    def _run(self, handle: Handler, request: Message, call: Call, wait: Wait) -> list[bytes]:
        """Run a handler under the mutex, again and again while it is blocked; waiting happens outside the mutex."""
        try:
            while True:
                try:
                    with self.engine.mutex:
                        return handle(self.engine, request, call)
                except Blocked as blocked:
                    call.patient = self._wait(blocked, wait)
        except FirestoreError:
            if call.transaction is not None:  # its client will never hear of it
                self._end_transaction(call.transaction.id)
            raise
        finally:
            if call.owner is not None and call.session is not None:
                with self.engine.mutex:
                    call.session.transactions.locks.release(call.owner)

    def _wait(self, blocked: Blocked, wait: Wait) -> bool:
        """Wait outside the mutex, at most until one of those waited for may have expired. Return False to give up."""
        with self.engine.mutex:
            look_again = 0.0
            for session in self.engine.sessions.values():
                if session.transactions.locks is blocked.table:
                    session.transactions.expire()
                    look_again = session.transactions.seconds_to_expiry(blocked.owner)
        try:
            return wait(blocked.owner, look_again)
        except BaseException:
            with self.engine.mutex:
                blocked.table.stop_waiting(blocked.owner)
            raise


def _touched_paths(request: Message) -> Iterable[str]:
    """Yield the paths, relative to the database, of the documents or collections a request names."""
    for name in _touched_names(request):
        parts = name.split("/", 5)
        yield parts[5] if len(parts) == 6 else ""


def _touched_names(request: Message) -> Iterable[str]:
    fields = type(request).DESCRIPTOR.fields_by_name
    if "writes" in fields:
        yield from (target_name(write) for write in request.writes)
    elif "documents" in fields:
        yield from request.documents
    elif "document" in fields and "parent" not in fields:
        yield request.document.name
    elif "name" in fields:
        yield request.name
    elif "structured_query" in fields or "structured_aggregation_query" in fields:
        query = (
            request.structured_query
            if "structured_query" in fields
            else request.structured_aggregation_query.structured_query
        )
        yield from (f"{request.parent}/{selector.collection_id}" for selector in query.from_)
    elif "add_target" in fields:
        query = request.add_target.query
        yield from request.add_target.documents.documents
        yield from (f"{query.parent}/{selector.collection_id}" for selector in query.structured_query.from_)
    elif "parent" in fields:
        yield "/".join(
            filter(None, [request.parent, getattr(request, "collection_id", ""), getattr(request, "document_id", "")])
        )
