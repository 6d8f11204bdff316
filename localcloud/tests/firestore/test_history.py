"""The store's past: every tick within the hour reads as it was, and what is older goes."""

from datetime import UTC, datetime, timedelta

import pytest
from google.api_core.exceptions import FailedPrecondition
from hypothesis import given
from hypothesis import strategies as st

from localcloud.firestore import FirestoreServer, history, in_process_client
from localcloud.firestore.history import RETENTION_TICKS, History
from localcloud.firestore.ordered_index import NAME, Order, Shape
from localcloud.firestore.protos import Document
from localcloud.firestore.store import EVERYWHERE, Database, Scope, Ticker
from localcloud.tests.firestore.support import call, documents_root

NAME_OF_DATABASE = "projects/p/databases/d"
PATHS = ["a/1", "a/2", "a/1/b/1", "c/1/b/1", "c/1/b/2"]
BY_NAME = Shape((), None, (Order(NAME, descending=False),))

State = dict[str, int]


def database_of(past: History | None = None) -> Database:
    """Return an empty database."""
    return Database(NAME_OF_DATABASE, past or History())


def write(database: Database, path: str, value: int | None, tick: int) -> None:
    """Put a document with one number, or delete it."""
    document = None
    if value is not None:
        document = Document(name=database.full_name(path))
        document.fields["n"].integer_value = value
    database.put(path, document, tick)


def state_at(database: Database, tick: int | None) -> State:
    """Return the numbers of all documents."""
    return {path: stored.parse().fields["n"].integer_value for path, stored in database.documents(EVERYWHERE, tick)}


writes = st.lists(st.tuples(st.sampled_from(PATHS), st.none() | st.integers(0, 9), st.booleans()), max_size=30)


@given(writes=writes)
def test_every_tick_reads_as_it_was(writes: list[tuple[str, int | None, bool]]) -> None:
    """Documents, indexes, collections and missing documents at a tick are those of a copy made at that tick."""
    database = database_of()
    states: list[State] = [{}]
    for tick, (path, value, look_between) in enumerate(writes, start=1):
        write(database, path, value, tick)
        states.append(state_at(database, None))
        if look_between:  # a past that is kept ready must follow later writes
            assert state_at(database, tick // 2) == states[tick // 2]
    for tick, state in enumerate(states):
        assert state_at(database, tick) == state
        assert {
            path: (found := database.get(path, tick)) and found.parse().fields["n"].integer_value for path in PATHS
        } == ({path: state.get(path) for path in PATHS})
        group = Scope(group="b")
        indexed = [path for _, path in database.index(group, BY_NAME, tick).scan(b"", b"", None)]
        assert indexed == sorted(path for path in state if "/b/" in path)
        assert database.collection_ids("", tick) == sorted({path.split("/")[0] for path in state})
        below = {path for path in ("a/1", "c/1") if any(other.startswith(f"{path}/") for other in state)}
        for collection in ("a", "c"):
            missing = [path for path in sorted(below - state.keys()) if path.startswith(collection)]
            assert database.missing_documents(collection, tick) == missing


@given(writes=writes, version=st.integers(0, 30))
def test_what_has_changed_since_a_version(writes: list[tuple[str, int | None, bool]], version: int) -> None:
    """`since` names all documents whose state differs, and only written ones, with their old state."""
    database = database_of()
    states: list[State] = [{}]
    for tick, (path, value, _) in enumerate(writes, start=1):
        write(database, path, value, tick)
        states.append(state_at(database, None))
    before = states[min(version, len(writes))]
    changed = database.history.since(version)
    written = {path for path, _, _ in writes[version:]}
    assert {path for path in PATHS if before.get(path) != states[-1].get(path)} <= changed.keys() <= written
    for path, replaced in changed.items():
        assert (replaced and replaced.parse().fields["n"].integer_value) == before.get(path)


def test_the_past_is_an_hour_long() -> None:
    """A version goes an hour after it was replaced; from then on the history says that it begins later."""
    database = database_of()
    for second in range(0, 7200, 600):
        write(database, "a/1", second, second * 1_000_000 + 1)
    assert database.history.complete_since == 3000 * 1_000_000 + 1
    assert len(database.history) == 6
    oldest = database.history.complete_since
    assert state_at(database, oldest) == {"a/1": oldest // 1_000_000}


def test_what_is_held_stays() -> None:
    """What an open snapshot needs outlives the hour, until it is released."""
    database = database_of()
    write(database, "a/1", 1, 1)
    database.history.hold(1)
    for number in range(2, 5):
        write(database, "a/1", number, number * RETENTION_TICKS)
    assert state_at(database, 1) == {"a/1": 1}
    database.history.release(1)
    write(database, "a/1", 5, 5 * RETENTION_TICKS)
    assert database.history.complete_since == 4 * RETENTION_TICKS


def test_the_past_takes_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit of bytes the oldest versions go, hour or not."""
    monkeypatch.setattr(history, "BYTES_MAX", 10_000)
    database = database_of()
    for number in range(1, 1001):
        write(database, "a/1", number, number)
    assert 10 < len(database.history) < 100
    oldest = database.history.complete_since
    assert state_at(database, oldest) == {"a/1": oldest}


def test_ticks_never_stand_still() -> None:
    """A clock that stands, or goes back, gives rising ticks all the same."""
    moments = [datetime(2026, 1, 1, tzinfo=UTC) - timedelta(seconds=second) for second in (0, 0, 5)]
    tick = Ticker(iter(moments).__next__)
    first, second, third = tick(), tick(), tick()
    assert (second, third) == (first + 1, first + 2)


def test_the_hour_is_that_of_the_servers_clock() -> None:
    """A read 59 minutes back is served, one 61 minutes back is FAILED_PRECONDITION, by the clock the server was given;
    a read-only transaction that began in time goes on."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    server = FirestoreServer(clock=lambda: now)
    client = in_process_client(server)
    document = client.document("a/1")
    then = document.set({"n": 1}).update_time
    document.set({"n": 2})
    now += timedelta(minutes=59)
    document.set({"n": 3})
    assert document.get(read_time=then).to_dict() == {"n": 1}
    options = {"read_only": {"read_time": then}}
    database = client._database_string  # noqa: SLF001
    transaction = call(client, "begin_transaction", database=database, options=options).transaction
    now += timedelta(minutes=2)
    document.set({"n": 4})
    with pytest.raises(FailedPrecondition, match="too old"):
        document.get(read_time=then)
    name = f"{documents_root(client)}/a/1"
    assert call(client, "get_document", name=name, transaction=transaction).fields["n"].integer_value == 1


def test_a_cleared_server_has_no_past() -> None:
    """What was before everything was dropped cannot be read any more: it is refused, not empty."""
    server = FirestoreServer()
    client = in_process_client(server)
    then = client.document("a/1").set({"n": 1}).update_time
    server.engine.clear()
    with pytest.raises(FailedPrecondition, match="too old"):
        client.document("a/1").get(read_time=then)
