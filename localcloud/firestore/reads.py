"""The RPCs that read documents by name, and those that list documents and collections."""

import base64
import binascii

from .engine import Call, Engine, Session
from .errors import invalid, not_found, unimplemented
from .history import StoredDocument
from .ordered_index import FieldPath, lookup
from .paths import check_id, check_segments, collection_id, document_path, parse_field_path, split_name
from .protos import Document, Message, rpc_types
from .store import Scope
from .transactions import Transaction
from .values import encode_path
from .wire import framed, timestamp
from .writes import set_field

PAGE_SIZE_DEFAULT = 300

_, BeginTransactionResponse = rpc_types("BeginTransaction")
_, ListDocumentsResponse = rpc_types("ListDocuments")
_, ListCollectionIdsResponse = rpc_types("ListCollectionIds")


def begin_transaction(engine: Engine, request: Message, call: Call) -> list[bytes]:
    """Serve BeginTransaction."""
    _ = call
    begun = engine.session(request.database).transactions.begin(request.options, engine.tick())
    return [BeginTransactionResponse(transaction=begun.id).SerializeToString()]


def rollback(engine: Engine, request: Message, call: Call) -> list[bytes]:
    """Serve Rollback."""
    _ = call
    engine.session(request.database).transactions.rollback(request.transaction)
    return [b""]


def transaction_of(engine: Engine, session: Session, request: Message, call: Call) -> Transaction | None:
    """Return the transaction a read belongs to: the one named, one it asks to begin, or none.

    Raises:
        FirestoreError: UNIMPLEMENTED for reads in the past.
    """
    match request.WhichOneof("consistency_selector"):
        case "read_time":
            raise unimplemented("A read in the past (read_time)")
        case "transaction":
            return session.transactions.get(request.transaction)
        case "new_transaction":
            if call.transaction is None:
                call.transaction = session.transactions.begin(request.new_transaction, engine.tick())
            return call.transaction
    return None


def snapshot_of(transaction: Transaction | None) -> int | None:
    """Return the tick to read at; None is the current state."""
    return transaction.snapshot if transaction is not None else None


def read_document(session: Session, path: str, transaction: Transaction | None, call: Call) -> StoredDocument | None:
    """Return a document as the transaction sees it, with a read lock if it is a read-write one."""
    if transaction is not None and not transaction.read_only:
        session.transactions.locks.read(transaction, path, patient=call.patient)
    return session.database.get(path, snapshot_of(transaction))


def masked(stored: StoredDocument, fields: tuple[FieldPath, ...] | None) -> bytes:
    """Return a stored document's wire form, reduced to `fields` unless that is None."""
    if fields is None:
        return stored.data
    whole = stored.parse()
    part = Document(name=whole.name, create_time=whole.create_time, update_time=whole.update_time)
    for field in fields:
        value = lookup(whole, field)
        if value is not None:
            set_field(part.fields, field, value)
    return bytes(part.SerializeToString())


def mask_of(request: Message) -> tuple[FieldPath, ...] | None:
    """Return the field paths a request wants to see, None for all."""
    if not request.HasField("mask"):
        return None
    return tuple(parse_field_path(path) for path in request.mask.field_paths)


def get_document(engine: Engine, request: Message, call: Call) -> list[bytes]:
    """Serve GetDocument."""
    name, _ = split_name(request.name)
    session = engine.session(name)
    path = document_path(request.name, name)
    mask = mask_of(request)
    stored = read_document(session, path, transaction_of(engine, session, request, call), call)
    engine.bill.read(call.rpc, collection_id(path))
    if stored is None:
        raise not_found(f"Document not found: {request.name}")
    return [masked(stored, mask)]


def batch_get_documents(engine: Engine, request: Message, call: Call) -> list[bytes]:
    """Serve BatchGetDocuments: each document once, in the order asked for."""
    session = engine.session(request.database)
    paths = [document_path(name, session.database.name) for name in dict.fromkeys(request.documents)]
    mask = mask_of(request)
    transaction = transaction_of(engine, session, request, call)
    found = [(path, read_document(session, path, transaction, call)) for path in paths]
    read_time = framed(4, timestamp(snapshot_of(transaction) or engine.tick()).SerializeToString())
    answers = [framed(3, call.transaction.id)] if call.transaction else []
    for path, stored in found:
        engine.bill.read(call.rpc, collection_id(path))
        if stored is None:
            answers.append(framed(2, session.database.full_name(path).encode()) + read_time)
        else:
            answers.append(framed(1, masked(stored, mask)) + read_time)
    return answers


def list_documents(engine: Engine, request: Message, call: Call) -> list[bytes]:
    """Serve ListDocuments: by name, in pages, with the missing ones that have something below them if asked for."""
    name, parent = split_name(request.parent)
    check_id(request.collection_id, request.collection_id)
    if parent:
        check_segments(parent.split("/"), request.parent)
    if request.order_by not in {"", "__name__", "__name__ asc"}:
        raise unimplemented(f'Listing documents in the order "{request.order_by}"')
    if request.show_missing and request.mask.field_paths:
        raise invalid("show_missing cannot be combined with a mask.")
    session = engine.session(name)
    transaction = transaction_of(engine, session, request, call)
    at = snapshot_of(transaction)
    collection = f"{parent}/{request.collection_id}" if parent else request.collection_id
    paths = {path for path, _ in session.database.documents(Scope(collection=collection), at)}
    if request.show_missing:
        paths.update(session.database.missing_documents(collection))
    after = _decode_token(request.page_token)
    ordered = sorted((encode_path(path), path) for path in paths)
    remaining = [path for key, path in ordered if key > after]
    page = remaining[: request.page_size or PAGE_SIZE_DEFAULT]
    response = ListDocumentsResponse()
    for path in page:
        stored = read_document(session, path, transaction, call)
        if stored is None:
            response.documents.add(name=session.database.full_name(path))
        else:
            response.documents.append(Document.FromString(masked(stored, mask_of(request))))
    if len(page) < len(remaining):
        response.next_page_token = _encode_token(encode_path(page[-1]))
    engine.bill.read(call.rpc, request.collection_id, max(1, len(page)))
    return [response.SerializeToString()]


def list_collection_ids(engine: Engine, request: Message, call: Call) -> list[bytes]:
    """Serve ListCollectionIds. Billed as one read: the price list has it so for requests for ids alone."""
    if request.WhichOneof("consistency_selector") is not None:
        raise unimplemented("A read in the past (read_time)")
    name, parent = split_name(request.parent)
    if parent:
        document_path(request.parent, name)
    session = engine.session(name)
    after = _decode_token(request.page_token).decode()
    remaining = [found for found in session.database.collection_ids(parent) if found > after]
    page = remaining[: request.page_size or PAGE_SIZE_DEFAULT]
    response = ListCollectionIdsResponse(collection_ids=page)
    if len(page) < len(remaining):
        response.next_page_token = _encode_token(page[-1].encode())
    engine.bill.read(call.rpc, "")
    return [response.SerializeToString()]


def _encode_token(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode()


def _decode_token(token: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(token.encode())
    except binascii.Error:
        raise invalid("The page token is not one this server has given out.") from None
