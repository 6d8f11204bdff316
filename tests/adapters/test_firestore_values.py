"""What goes over the wire, byte for byte as the client library writes it, and what is read back."""

import math
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore import DELETE_FIELD, Client, FieldFilter, Increment
from google.cloud.firestore import Query as LibraryQuery
from google.cloud.firestore_v1 import _helpers
from google.cloud.firestore_v1.types import Document, Value
from hypothesis import given
from hypothesis import strategies as st

from functions.adapters.firestore import wire
from functions.adapters.firestore.client import Database
from functions.adapters.firestore.query import DESCENDING, Query
from functions.adapters.firestore.transactions import Writes
from functions.adapters.firestore.values import decoded, encode, snapshot
from functions.core.jobs.jobs import Status
from localcloud.firestore import FirestoreServer, in_process_client
from localcloud.serving import HOST
from scripts.ecolane_cloud import PROJECT

# Field names of any kind: the library takes names between underscores for types of its own.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAMES = TEXTS.filter(lambda name: name and not name.startswith("__"))
TIMES = st.datetimes(timezones=st.just(UTC))
# The library's wrappers go wrong by a second before 1970, and thousands of years later.
VERSIONS = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  (see timezones)
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    TEXTS,
    st.sampled_from(Status),
    st.binary(max_size=8),
    TIMES,
)
VALUES = st.recursive(
    PLAIN, lambda some: st.lists(some, max_size=4) | st.dictionaries(NAMES, some, max_size=4), max_leaves=12
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=5)
CHANGES = st.one_of(VALUES, st.just(DELETE_FIELD), st.builds(Increment, st.integers(-1000, 1000) | st.floats(-9, 9)))
MERGED = st.recursive(
    st.dictionaries(NAMES, CHANGES, max_size=4),
    lambda some: st.dictionaries(NAMES, CHANGES | some, max_size=4),
    max_leaves=8,
)
PATH = "things/a"


@pytest.fixture(scope="module")
def library() -> Client:
    """The library's client of a Firestore in this process."""
    return in_process_client(FirestoreServer(), PROJECT)


def wired(message: Any) -> bytes:
    """Return a message as it is sent, with its maps in order."""
    raw = getattr(message, "_pb", message)
    return bytes(raw.SerializeToString(deterministic=True))


def encoded(value: Any) -> Any:
    """Return a value's message."""
    message = Value.pb()()
    encode(value, message)
    return message


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same, with what is no number the same as itself."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return bool(one == other)


@given(VALUES)
def test_a_value_is_written_as_the_library_writes_it(value: Any) -> None:
    """Texts, numbers, times, constants, lists and maps, in each other."""
    assert wired(encoded(value)) == wired(_helpers.encode_value(value))


@given(VALUES)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    """To the microsecond, and as the library reads it."""
    message = encoded(value)
    assert same(decoded(message), value)
    assert same(decoded(message), _helpers.decode_value(message, None))


@pytest.mark.parametrize(
    "value",
    [
        Value(reference_value="projects/p/databases/d/documents/a/b"),
        Value(geo_point_value={"latitude": 52.5, "longitude": 13.4}),
        Value(map_value={"fields": {"__type__": {"string_value": "__vector__"}, "value": {"array_value": {}}}}),
    ],
)
def test_a_value_that_only_others_store_is_written_back_as_it_was(value: Value) -> None:
    """A place, a reference or a vector, which a newer release or a hand has put into a document."""
    assert wired(encoded([decoded(Value.pb(value))])) == wired(Value(array_value={"values": [value]}))


@pytest.mark.parametrize(
    ("value", "error"),
    [(object(), TypeError), ({1: 2}, TypeError), (2**63, ValueError), ("\ud800", ValueError)],
    ids=["object", "number for a name", "beyond 64 bits", "half a character"],
)
def test_what_cannot_be_stored_is_an_error(value: Any, error: type[Exception]) -> None:
    """It is found before anything is sent."""
    with pytest.raises(error):
        encoded(value)


@given(DOCUMENTS, VERSIONS)
def test_a_document_is_read_as_the_library_reads_it(fields: dict[str, Any], time: datetime) -> None:
    """Its path, its fields and its version."""
    name = f"projects/p/databases/d/documents/{PATH}"
    document = Document(name=name, fields=_helpers.encode_dict(fields), update_time=time)
    read = snapshot(Document.pb(document))
    assert (read.path, read.id, read.exists, read.update_time) == (PATH, "a", True, time)
    assert same(read.fields, fields)


def all_same(library: Client, write: Callable[[Writes], object], expected: Callable[[str], Any]) -> None:
    """Check that a write is the library's, byte for byte."""
    writes = Database(library).batch()
    write(writes)
    name = library.document(PATH)._document_path  # noqa: SLF001  (the library's own writes begin here)
    pbs = expected(name)
    assert list(map(wired, writes.messages)) == list(map(wired, pbs if isinstance(pbs, list) else [pbs]))


@given(fields=DOCUMENTS)
def test_documents_are_written_as_the_library_writes_them(library: Client, fields: dict[str, Any]) -> None:
    """A new document, and one in place of another."""
    all_same(library, lambda writes: writes.create(PATH, fields), lambda name: _helpers.pbs_for_create(name, fields))
    all_same(library, lambda writes: writes.set(PATH, fields), lambda name: _helpers.pbs_for_set_no_merge(name, fields))


@given(fields=MERGED)
def test_fields_are_merged_as_the_library_merges_them(library: Client, fields: dict[str, Any]) -> None:
    """With names of any characters, in maps, added to or removed: mask and changes are the library's."""

    def expected(name: str) -> Any:
        return _helpers.pbs_for_set_with_merge(name, fields, merge=True)

    all_same(library, lambda writes: writes.merge(PATH, fields), expected)


# The library reads dots and a few other characters in these names as paths, and strips spaces: ours are names.
FIELD_NAMES = NAMES.filter(lambda name: name == name.strip() and not set(name) & set(".~*/[]`\\"))
FIELDS = st.dictionaries(FIELD_NAMES, VALUES, min_size=1, max_size=5)


@given(fields=FIELDS, version=st.none() | VERSIONS)
def test_fields_are_updated_as_the_library_updates_them(
    library: Client, fields: dict[str, Any], version: datetime | None
) -> None:
    """Under a version, or if there is the document; and without asking, as the library calls it to merge whole
    fields."""
    option = library.write_option(last_update_time=version) if version else None

    def put(name: str) -> Any:
        (update,) = _helpers.pbs_for_update(name, fields, option)
        type(update).pb(update).ClearField("current_document")
        return update

    all_same(
        library,
        lambda writes: writes.update(PATH, fields, version),
        lambda name: _helpers.pbs_for_update(name, fields, option),
    )
    all_same(library, lambda writes: writes.put(PATH, fields), put)


@given(version=VERSIONS)
def test_documents_are_removed_as_the_library_removes_them(library: Client, version: datetime) -> None:
    """As they come, if they are there, or at a version."""
    exists, unchanged = library.write_option(exists=True), library.write_option(last_update_time=version)
    all_same(library, lambda writes: writes.delete(PATH), lambda name: _helpers.pb_for_delete(name, None))
    all_same(
        library, lambda writes: writes.delete(PATH, exists=True), lambda name: _helpers.pb_for_delete(name, exists)
    )
    all_same(library, lambda writes: writes.delete(PATH, version), lambda name: _helpers.pb_for_delete(name, unchanged))


NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def queries(client: Client, database: Database) -> Iterator[tuple[Any, Query]]:
    """Yield queries as they are built with the library and with ours."""
    a, b = client.document("things/a"), client.document("things/b")
    theirs: Any = client.collection("things").where(filter=FieldFilter("state", "in", ["a", "b"]))
    ours: Query = database.collection("things").where("state", "in", ["a", "b"])
    yield theirs.limit(3), ours.limit(3)
    theirs, ours = theirs.where(filter=FieldFilter("dueAt", "<=", NOW)), ours.where("dueAt", "<=", NOW)
    yield theirs.order_by("dueAt").limit(3), ours.order_by("dueAt").limit(3)
    theirs, ours = client.collection("users", "ana", "ledger"), database.collection("users", "ana", "ledger")
    yield (
        theirs.order_by("seq", direction=LibraryQuery.DESCENDING).where(filter=FieldFilter("seq", "<", 7)),
        ours.order_by("seq", DESCENDING).where("seq", "<", 7),
    )
    yield (
        theirs.order_by("at").order_by("__name__").start_after({"at": NOW, "__name__": a}).select(["uid"]),
        ours.order_by("at").order_by("__name__").start_after({"at": NOW, "__name__": "things/a"}).select(["uid"]),
    )
    theirs, ours = client.collection("things"), database.collection("things")
    yield theirs.where(filter=FieldFilter("__name__", ">=", a)), ours.where("__name__", ">=", "things/a")
    yield (
        theirs.where(filter=FieldFilter("__name__", "in", [a, b])),
        ours.where("__name__", "in", ["things/a", "things/b"]),
    )
    yield (
        client.collection_group("wallet").where(filter=FieldFilter("tokens", "array_contains", "t")),
        database.collection_group("wallet").where("tokens", "array_contains", "t"),
    )


class _Refusing(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc carries no types
    """A Firestore that notes each request, and what comes with it, and refuses it."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.metadata: dict[str, dict[str, Any]] = {}

    def service(self, handler_call_details: Any) -> Any:
        """Take a call."""
        name = handler_call_details.method.rpartition("/")[2]
        self.metadata[name] = dict(handler_call_details.invocation_metadata)

        def refuse(request: bytes, context: Any) -> None:
            self.requests.append(request)
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "no")

        return grpc.unary_unary_rpc_method_handler(refuse)


@pytest.fixture
def refusing() -> Iterator[tuple[_Refusing, Client]]:
    """A Firestore that refuses everything, and the library's client of it."""
    server, noted = grpc.server(ThreadPoolExecutor(2)), _Refusing()
    server.add_generic_rpc_handlers((noted,))
    port = server.add_insecure_port(f"{HOST}:0")
    server.start()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FIRESTORE_EMULATOR_HOST", f"{HOST}:{port}")
        client = Client(project=PROJECT, credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]
        yield noted, client
        client.close()  # type: ignore[no-untyped-call]
    server.stop(None).wait()


def test_queries_are_asked_as_the_library_asks_them(refusing: tuple[_Refusing, Client]) -> None:
    """Filters, orders, cursors, fields, limits, sums, and where the collection is: the same requests."""
    noted, client = refusing
    for theirs, ours in queries(client, Database(client)):
        for ask in (
            lambda query=theirs: list(query.stream()),
            ours.stream,
            lambda query=theirs: query.count(alias="found").get(),
            ours.count,
            lambda query=theirs: query.sum("a.b", alias="one").count(alias="two").get(),
            lambda query=ours: query.sums(one="a.b", two=None),
        ):
            with suppress(exceptions.PermissionDenied):
                ask()
        assert noted.requests[::2] == noted.requests[1::2]


RPCS = vars(wire)["_RPCS"]


def filled(database: Database, rpc: str) -> Any:
    """Return a request about the document or the collection."""
    request = database.wire.request(rpc)
    if rpc == "GetDocument":
        request.name = database.wire.name(PATH)
    elif "Query" in rpc:
        request.parent = database.wire.root
    return request


def test_each_call_carries_what_the_library_sends_with_it(refusing: tuple[_Refusing, Client]) -> None:
    """Where Google routes it, which client and versions it comes from, and the emulator's key."""
    noted, client = refusing
    database = Database(client)
    api, metadata = client._firestore_api, client._rpc_metadata  # noqa: SLF001  (these are what the library calls with)
    for rpc, kind in RPCS.items():
        call, request = getattr(api, re.sub("(?<!^)([A-Z])", r"_\1", rpc).lower()), filled(database, rpc)
        with suppress(exceptions.PermissionDenied):
            call(kind.request.wrap(request), metadata=metadata)
        theirs = noted.metadata.pop(rpc)
        with suppress(exceptions.PermissionDenied):
            database.wire.call(rpc, request)
        assert noted.metadata.pop(rpc) == theirs
