"""The RPCs that read documents by name, and those that list documents and collections."""

from .consistency import begin, read_document, reading_of
from .engine import Call, Engine
from .errors import invalid, not_found, unimplemented
from .history import StoredDocument
from .ordered_index import FieldPath, lookup
from .paging import PAGE_SIZE_DEFAULT, page_of
from .paths import check_id, check_segments, collection_id, document_path, parse_field_path, split_name
from .protos import Document, Message, QueryPb, StructuredQuery, rpc_types
from .store import Scope
from .values import encode_path
from .wire import framed
from .writes import set_field

_, BeginTransactionResponse = rpc_types("BeginTransaction")
_, ListDocumentsResponse = rpc_types("ListDocuments")
_, ListCollectionIdsResponse = rpc_types("ListCollectionIds")


def begin_transaction(engine: Engine, request: Message, call: Call) -> list[bytes]:
    """Serve BeginTransaction."""
    _ = call
    begun = begin(engine, engine.session(request.database), request.options)
    return [BeginTransactionResponse(transaction=begun.id).SerializeToString()]


def rollback(engine: Engine, request: Message, call: Call) -> list[bytes]:
    """Serve Rollback."""
    _ = call
    engine.session(request.database).transactions.rollback(request.transaction)
    return [b""]


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
    reading = reading_of(engine, session, request, call)
    stored = read_document(session, path, reading, call)
    if app := engine.asking(session, call, reading.at):
        engine.security.check_reads(app, [(path, stored)])
    engine.bill.read(call.rpc, collection_id(path))
    if stored is None:
        raise not_found(f"Document not found: {request.name}")
    return [masked(stored, mask)]


def batch_get_documents(engine: Engine, request: Message, call: Call) -> list[bytes]:
    """Serve BatchGetDocuments: each document once, and the missing ones last.

    The protocol promises no order; this one is what the official client's own tests expect of production.
    """
    session = engine.session(request.database)
    paths = [document_path(name, session.database.name) for name in dict.fromkeys(request.documents)]
    mask = mask_of(request)
    reading = reading_of(engine, session, request, call)
    found = [(path, read_document(session, path, reading, call)) for path in paths]
    found.sort(key=lambda each: each[1] is None)
    if app := engine.asking(session, call, reading.at):
        engine.security.check_reads(app, found, several=True)
    read_time = framed(4, reading.time(engine).SerializeToString())
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
    reading = reading_of(engine, session, request, call)
    if app := engine.asking(session, call, reading.at):
        engine.security.check_query(app, request.parent, _as_query(request))
    collection = f"{parent}/{request.collection_id}" if parent else request.collection_id
    paths = {path for path, _ in session.database.documents(Scope(collection=collection), reading.at)}
    if request.show_missing:
        paths.update(session.database.missing_documents(collection, reading.at))
    page, token = page_of(sorted((encode_path(path), path) for path in paths), request)
    response = ListDocumentsResponse(next_page_token=token)
    for path in page:
        stored = read_document(session, path, reading, call)
        if stored is None:
            response.documents.add(name=session.database.full_name(path))
        else:
            response.documents.append(Document.FromString(masked(stored, mask_of(request))))
    engine.bill.read(call.rpc, request.collection_id, max(1, len(page)))
    return [response.SerializeToString()]


def _as_query(request: Message) -> QueryPb:
    """Return the query that a page of a list is, to security rules."""
    query = StructuredQuery(limit={"value": request.page_size or PAGE_SIZE_DEFAULT})
    query.from_.add(collection_id=request.collection_id)
    return query


def list_collection_ids(engine: Engine, request: Message, call: Call) -> list[bytes]:
    """Serve ListCollectionIds. Billed as one read: the price list has it so for requests for ids alone."""
    name, parent = split_name(request.parent)
    if parent:
        document_path(request.parent, name)
    session = engine.session(name)
    reading = reading_of(engine, session, request, call)
    found = session.database.collection_ids(parent, reading.at)
    page, token = page_of([(collection.encode(), collection) for collection in found], request)
    engine.bill.read(call.rpc, "")
    return [ListCollectionIdsResponse(collection_ids=page, next_page_token=token).SerializeToString()]
