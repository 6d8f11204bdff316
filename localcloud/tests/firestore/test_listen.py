"""Listeners on the embedded server: what exactly is said, resuming, billing, and clients that are slow or gone."""

import base64
import json
import queue
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import md5
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.cloud.firestore import Client

from localcloud.firestore import FirestoreServer, Timing, in_process_client
from localcloud.firestore.listen import ListenRequest, ListenResponse, ListenStream
from localcloud.firestore.protos import Message
from localcloud.firestore.targets import PENDING_MAX
from localcloud.firestore.transfer import export_lines, import_lines
from localcloud.serving import unhurried
from localcloud.tests.firestore.streaming import Listening, View, query_target, snapshots
from localcloud.tests.firestore.support import close, connect, filtered


@pytest.fixture
def listening(server: FirestoreServer, strict: Client) -> Iterator[Listening]:
    """An open stream of Listen."""
    with Listening(server.host, strict) as stream:
        yield stream


def unsigned(claims: dict[str, Any]) -> str:
    """Return an ID token as emulators accept it."""
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}."


class LateListener(View):
    """A client that looks at its stream only when it is told to: without a socket, nothing happens by itself."""

    def __init__(self, server: FirestoreServer, client: Client) -> None:
        super().__init__()
        self._client, self._stream = client, ListenStream(server.service)

    def listen(self, query: Any, **fields: Any) -> View:
        """Add a target 2 for a query, and return the client."""
        wanted = query_target(self._client, 2, query, **fields)
        self._stream.receive(ListenRequest(database=self._client._database_string, add_target=wanted))  # noqa: SLF001
        return self.look()

    def remembered(self) -> int:
        """Return how many changes the server keeps for the client to look at."""
        (target,) = self._stream._targets.values()  # noqa: SLF001
        return len(target._pending)  # noqa: SLF001

    def look(self) -> View:
        """Take in all that there is now."""
        for raw in self._stream.take(0) or []:
            self.take(ListenResponse.FromString(raw))
        return self


@pytest.fixture
def unserved() -> FirestoreServer:
    """A server without a socket."""
    return FirestoreServer(enforce_indexes=False)


@pytest.fixture
def inside(unserved: FirestoreServer) -> Iterator[Client]:
    """A client of it."""
    client = in_process_client(unserved)
    yield client
    close(client)


def write(client: Client, **numbers: int | None) -> None:
    """Set the field `n` of documents of the collection `c`, or delete them, in one commit."""
    batch = client.batch()
    for name, number in numbers.items():
        if number is None:
            batch.delete(client.document(f"c/{name}"))
        else:
            batch.set(client.document(f"c/{name}"), {"n": number})
    batch.commit()


# What is said


def test_a_target_is_acknowledged_filled_and_current(listening: Listening, strict: Client) -> None:
    """A new target is told in this order: ADD, its documents, CURRENT, and that all is consistent."""
    write(strict, a=1)
    listening.query(2, strict.collection("c"))
    assert listening.snapshot() == ["ADD [2]", "document_change a in [2] not in []", "CURRENT [2]", "NO_CHANGE []"]


def test_a_change_is_told_once_for_all_targets(listening: Listening, strict: Client) -> None:
    """One message tells which targets a document is in now and which it has left; nothing else is sent again."""
    write(strict, a=1, stays=1)
    listening.query(2, strict.collection("c"))
    listening.query(4, filtered(strict.collection("c"), ("n", ">", 5)))
    listening.until(lambda told: told.current == {2, 4}).told()
    write(strict, a=7)
    assert listening.snapshot() == ["document_change a in [2, 4] not in []", "NO_CHANGE []"]
    write(strict, a=3)
    assert listening.snapshot() == ["document_change a in [2] not in [4]", "NO_CHANGE []"]
    write(strict, a=None)
    assert listening.snapshot() == ["document_delete a in [] not in [2]", "NO_CHANGE []"]


@pytest.mark.parametrize(("number", "said"), [(4, "document_change"), (7, "document_remove")])
def test_an_app_is_shown_what_has_left_its_query_if_it_may_read_it(tmp_path: Path, number: int, said: str) -> None:
    """An app hears that a document has left its query; what it is now, it hears if the rules allow it to get it."""
    rules = tmp_path / "firestore.rules"
    allowed = "match /databases/{d}/documents/c/{id} { allow list; allow get: if resource.data.n < 5; }"
    rules.write_text(f"rules_version = '2';\nservice cloud.firestore {{ {allowed} }}")
    server = FirestoreServer(security_rules=rules)
    server.start()
    client = connect(server.host)
    write(client, a=1)
    token = f"Bearer {unsigned({'sub': 'u1', 'aud': client.project, 'exp': 2**35})}"
    with Listening(server.host, client, token) as app:
        app.query(2, filtered(client.collection("c"), ("n", "<", 3)))
        assert app.snapshot()[1:] == ["document_change a in [2] not in []", "CURRENT [2]", "NO_CHANGE []"]
        write(client, a=number)
        assert app.snapshot() == [f"{said} a in [] not in [2]", "NO_CHANGE []"]
    close(client)
    server.stop()


def test_what_does_not_concern_a_target_is_not_told(listening: Listening, strict: Client) -> None:
    """Other collections, documents that never matched, and writes that change nothing wake nobody."""
    write(strict, a=1)
    listening.query(2, filtered(strict.collection("c"), ("n", "<", 5)))
    listening.until(lambda told: told.current == {2}).told()
    strict.document("d/a").set({"n": 1})
    write(strict, b=9)
    write(strict, a=1)
    write(strict, c=2)
    assert listening.snapshot() == ["document_change c in [2] not in []", "NO_CHANGE []"]


def test_a_target_can_be_asked_for_once(listening: Listening, strict: Client) -> None:
    """A target with `once` is removed when it has been told of a consistent state."""
    write(strict, a=1)
    listening.query(2, strict.collection("c"), once=True)
    listening.until(lambda told: told.current == {2})
    assert not listening.follow()
    assert listening.told()[-1] == "REMOVE [2]"
    listening.query(2, strict.collection("d"))
    assert listening.snapshot()[0] == "ADD [2]"


def test_a_server_client_can_leave_the_id_to_the_server(listening: Listening, strict: Client) -> None:
    """A target without an id gets one that is free."""
    listening.query(7, strict.collection("c"))
    listening.query(0, strict.collection("c"))
    listening.until(lambda told: told.current == {7, 8})


def test_fields_that_are_not_asked_for_are_not_told(listening: Listening, strict: Client) -> None:
    """A projection holds for the first result and for every change."""
    strict.document("c/a").set({"n": 1, "secret": 2})
    listening.query(2, strict.collection("c").select(["n"]))
    listening.snapshot()
    assert list(listening.targets[2].values()) == [{"n": 1}]
    strict.document("c/a").set({"n": 5, "secret": 6})
    listening.snapshot()
    assert list(listening.targets[2].values()) == [{"n": 5}]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "adds a target or removes one"),
        ({"add_target": {"target_id": -2, "documents": {}}}, "positive"),
        ({"database": "nonsense", "remove_target": 2}, "not a database name"),
    ],
)
def test_a_bad_request_ends_the_stream(listening: Listening, fields: dict[str, Any], text: str) -> None:
    """What is no request is INVALID_ARGUMENT, and the text says why."""
    listening.send(**fields)
    with pytest.raises(grpc.RpcError, match=text) as caught:
        listening.follow()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_an_id_is_used_once_at_a_time(listening: Listening, strict: Client) -> None:
    """A second target of the same id ends the stream with INVALID_ARGUMENT."""
    listening.query(2, strict.collection("c"))
    listening.snapshot()
    listening.query(2, strict.collection("d"))
    with pytest.raises(grpc.RpcError, match="target 2"):
        listening.follow()


def test_a_missing_index_ends_the_target(listening: Listening, strict: Client, index_file: Path) -> None:
    """A query that production would refuse is refused with the JSON to add, and served once it has been added."""
    query = filtered(strict.collection("c"), ("m", "==", 1)).order_by("n")
    listening.query(2, query)
    while 2 not in listening.causes:
        listening.follow()
    assert listening.causes[2].code == grpc.StatusCode.FAILED_PRECONDITION.value[0]
    advice = listening.causes[2].message.partition("firestore.indexes.json: ")[2]
    index_file.write_text(f'{{"indexes": [{advice}]}}')
    listening.query(2, query)
    listening.until(lambda told: told.current == {2})


def test_a_silent_listener_gets_a_new_token(index_file: Path) -> None:
    """When nothing has happened for a while the client gets a token of now, so that it need not resume from long ago,
    and pays nothing."""
    server = FirestoreServer(timing=Timing(listen_silence_seconds=0.1))
    server.start()
    client = connect(server.host)
    with Listening(server.host, client) as listening:
        listening.query(2, client.collection("c"))
        listening.snapshot()
        token, reads = listening.token, server.bill.snapshot()["totals"]["reads"]
        assert listening.snapshot() == ["NO_CHANGE []"]
        assert listening.token != token
    assert server.bill.snapshot()["totals"]["reads"] == reads
    close(client)
    server.stop()


# Resuming


def test_only_what_has_changed_is_told_on_resuming(unserved: FirestoreServer, inside: Client) -> None:
    """A client that has kept its documents is told of those that came, changed and went, and of no other."""
    write(inside, stays=1, changes=2, goes=3, leaves=4)
    query = filtered(inside.collection("c"), ("n", "<", 9))
    token = LateListener(unserved, inside).listen(query).token
    write(inside, changes=5, goes=None, leaves=10, comes=6, flies=7)
    write(inside, flies=None)
    said = LateListener(unserved, inside).listen(query, resume_token=token).told()
    assert sorted(said) == [
        "ADD [2]",
        "CURRENT [2]",
        "NO_CHANGE []",
        "document_change changes in [2] not in []",
        "document_change comes in [2] not in []",
        "document_change leaves in [] not in [2]",
        "document_delete goes in [] not in [2]",
    ]


def test_a_window_is_resumed(unserved: FirestoreServer, inside: Client) -> None:
    """A document that has moved into the window is told, though it has not changed itself."""
    write(inside, a=1, b=2, c=3)
    query = inside.collection("c").order_by("n").limit(2)
    token = LateListener(unserved, inside).listen(query).token
    write(inside, a=None)
    said = LateListener(unserved, inside).listen(query, resume_token=token).told()
    assert said[1:-2] == ["document_delete a in [] not in [2]", "document_change c in [2] not in []"]


def test_nothing_is_resumed_from_beyond_the_past() -> None:
    """After more than an hour, with writes since, the client is told to forget what it has and gets everything."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    server = FirestoreServer(clock=lambda: now)
    client = in_process_client(server)
    write(client, a=1)
    token = LateListener(server, client).listen(client.collection("c")).token
    now += timedelta(hours=2)
    write(client, a=2, b=1)
    now += timedelta(hours=2)
    write(client, b=2)
    said = LateListener(server, client).listen(client.collection("c"), resume_token=token).told()
    assert said[:2] == ["ADD [2]", "RESET [2]"]
    assert len(said) == 6
    close(client)


@pytest.mark.parametrize("how", ["resume_token", "read_time"])
def test_nothing_is_resumed_from_another_run(unserved: FirestoreServer, inside: Client, how: str) -> None:
    """What a server said before it was restarted says nothing to this one, even if the documents are back."""
    write(inside, a=1)
    before = LateListener(unserved, inside).listen(inside.collection("c"))
    restarted = FirestoreServer()
    import_lines(restarted.engine, export_lines(unserved.engine))
    client = in_process_client(restarted)
    known = {"resume_token": before.token} if how == "resume_token" else {"read_time": before.read_time}
    said = LateListener(restarted, client).listen(client.collection("c"), **known).told()
    assert said[:2] == ["ADD [2]", "RESET [2]"]
    close(client)


def test_a_client_with_another_number_of_documents_gets_a_filter(unserved: FirestoreServer, inside: Client) -> None:
    """If the client says that it has more than it was told of, it learns the number, and which names it may have."""
    write(inside, **{f"d{number}": number for number in range(50)})
    token = LateListener(unserved, inside).listen(inside.collection("c")).token
    write(inside, d0=None)
    late = LateListener(unserved, inside)
    late.listen(inside.collection("c"), resume_token=token, expected_count={"value": 53})
    (told,) = late.filters
    assert (told.target_id, told.count) == (2, 49)
    root = f"{inside._database_string}/documents/c"  # noqa: SLF001
    assert all(might_contain(told.unchanged_names, f"{root}/d{number}") for number in range(1, 50))
    assert not any(might_contain(told.unchanged_names, f"{root}/ghost{number}") for number in range(20))


def test_a_client_with_the_right_number_gets_no_filter(unserved: FirestoreServer, inside: Client) -> None:
    """Nobody has to compare what agrees."""
    write(inside, a=1, b=2)
    token = LateListener(unserved, inside).listen(inside.collection("c")).token
    write(inside, a=None)
    late = LateListener(unserved, inside)
    late.listen(inside.collection("c"), resume_token=token, expected_count={"value": 2})
    assert late.filters == []


def might_contain(names: Message, name: str) -> bool:
    """Look a name up in a bloom filter, as SDKs do."""
    first, second = (int.from_bytes(md5(name.encode()).digest()[part], "little") for part in (slice(8), slice(8, 16)))  # noqa: S324
    bits = 8 * len(names.bits.bitmap) - names.bits.padding
    indexes = [((first + number * second) & (2**64 - 1)) % bits for number in range(names.hash_count)]
    return all(names.bits.bitmap[index >> 3] & 1 << (index & 7) for index in indexes)


# Slow and vanished clients


def test_a_slow_client_gets_the_newest_state(unserved: FirestoreServer, inside: Client) -> None:
    """However many commits a client has not looked at, it gets one message a document, of the state that holds."""
    late = LateListener(unserved, inside)
    late.listen(inside.collection("c")).told()
    for number in range(500):
        write(inside, a=number, b=-number)
    write(inside, b=None)
    assert late.look().told() == ["document_change a in [2] not in []", "NO_CHANGE []"]
    assert late.have(2) == {"a": 499}


def test_a_slow_client_costs_no_memory(unserved: FirestoreServer, inside: Client) -> None:
    """Documents that come and go while a client does not look are forgotten; it still gets what holds."""
    write(inside, old=1)
    late = LateListener(unserved, inside)
    late.listen(inside.collection("c")).told()
    for number in range(PENDING_MAX + 10):
        inside.document(f"c/d{number}").set({"n": number})
        inside.document(f"c/d{number}").delete()
        assert late.remembered() <= PENDING_MAX
    write(inside, old=None, new=1)
    assert sorted(late.look().told()) == [
        "NO_CHANGE []",
        "document_change new in [2] not in []",
        "document_delete old in [] not in [2]",
    ]


def test_a_client_that_does_not_read_holds_up_nobody(server: FirestoreServer, strict: Client) -> None:
    """While the connection of one listener is full, the others hear of everything; stopping does not wait for it."""
    stuck_requests: queue.Queue[bytes] = queue.Queue()
    wanted = query_target(strict, 2, strict.collection("c"))
    stuck_requests.put(ListenRequest(database=strict._database_string, add_target=wanted).SerializeToString())  # noqa: SLF001
    with grpc.insecure_channel(server.host) as channel:
        with snapshots(strict.collection("c")) as told:
            method = channel.stream_stream("/google.firestore.v1.Firestore/Listen")
            stuck = method(iter(stuck_requests.get, b""), metadata=[("authorization", "Bearer owner")])
            assert told.next()[0] == []
            for number in range(100):
                strict.document("c/a").set({"n": number, "padding": "x" * 50_000})
            while told.next()[0] != [("a", 99)]:
                pass
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < unhurried(5)
        stuck_requests.put(b"")
        stuck.cancel()


def test_who_has_gone_is_forgotten(server: FirestoreServer, strict: Client) -> None:
    """When its clients have gone, finished or vanished, a server has neither targets nor threads of theirs."""
    before = threading.active_count()
    for number in range(10):
        with Listening(server.host, strict) as listening:
            listening.query(2, strict.collection("c"))
            listening.documents(4, "c/a")
            listening.until(lambda told: told.current == {2, 4})
            if number % 2:
                listening.finish()
    (session,) = server.engine.sessions.values()
    deadline = time.monotonic() + unhurried(10)
    while session.watchers and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not session.watchers
    assert session.database.on_change is None
    while threading.active_count() > before + 15 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before + 15  # of gRPC's own, and one of the pool for each that was open at once


def test_a_server_stops_with_listeners(index_file: Path) -> None:
    """Stopping ends all streams, and does not wait for their clients; after a start they are served again."""
    server = FirestoreServer(indexes=index_file)
    server.start()
    client = connect(server.host)
    with snapshots(client.collection("c")) as told:
        assert told.next()[0] == []
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < unhurried(5)
        server.start()
        client.document("c/a").set({"n": 1})
        assert told.next()[0] == [("a", 1)]
    close(client)
    server.stop()


def test_a_fault_makes_a_client_resume(server: FirestoreServer, strict: Client) -> None:
    """A stream that is unavailable on request is opened again by the client, which misses nothing."""
    server.faults.add("unavailable", rpc="Listen", path="c", count=2)
    with snapshots(strict.collection("c")) as told:
        assert told.next()[0] == []
        write(strict, a=1)
        assert told.next()[0] == [("a", 1)]
    assert server.faults.snapshot()[0]["struck"] == 2


# Changes that are no commits


def test_clearing_is_heard_of(listening: Listening, strict: Client, server: FirestoreServer) -> None:
    """After everything was dropped, listeners have nothing, and go on."""
    write(strict, a=1)
    listening.query(2, strict.collection("c"))
    listening.documents(4, "c/a")
    listening.until(lambda told: told.current == {2, 4})
    with server.engine.mutex:
        server.engine.clear()
    listening.until(lambda told: told.have(2) == told.have(4) == {})
    write(strict, a=2)
    listening.until(lambda told: told.have(2) == told.have(4) == {"a": 2})


def test_an_import_is_heard_of(listening: Listening, strict: Client, server: FirestoreServer) -> None:
    """Documents that were imported reach listeners as those of a commit do."""
    write(strict, a=1)
    lines = list(export_lines(server.engine))
    write(strict, a=None)
    listening.query(2, strict.collection("c"))
    listening.until(lambda told: told.current == {2})
    import_lines(server.engine, lines)
    listening.until(lambda told: told.have(2) == {"a": 1})


# The bill


def reads(server: FirestoreServer) -> int:
    """Return the reads that listeners were billed since the last time."""
    return int(server.bill.reset()["by_rpc"].get("Listen", {"reads": 0})["reads"])


def test_a_listener_pays_for_what_it_hears(unserved: FirestoreServer, inside: Client) -> None:
    """The first result is a read a document, each change one, and so is leaving by a change; deletions are free."""
    write(inside, a=1, b=2)
    late = LateListener(unserved, inside)
    unserved.bill.reset()
    late.listen(filtered(inside.collection("c"), ("n", "<", 9)))
    assert reads(unserved) == 2
    write(inside, a=3, c=4)
    late.look()
    assert reads(unserved) == 2
    write(inside, a=10)
    late.look()
    assert reads(unserved) == 1
    write(inside, b=None)
    late.look()
    assert reads(unserved) == 0


def test_an_empty_result_is_a_read(unserved: FirestoreServer, inside: Client) -> None:
    """As an empty query is."""
    LateListener(unserved, inside).listen(inside.collection("c"))
    assert reads(unserved) == 1


def test_being_pushed_out_of_a_window_is_free(unserved: FirestoreServer, inside: Client) -> None:
    """The document that comes is a read; the one that goes has not changed."""
    write(inside, a=1, b=2)
    late = LateListener(unserved, inside)
    late.listen(inside.collection("c").order_by("n").limit(2)).told()
    reads(unserved)
    write(inside, z=0)
    assert late.look().told()[:2] == ["document_change b in [] not in [2]", "document_change z in [2] not in []"]
    assert reads(unserved) == 1


@pytest.mark.parametrize(("minutes", "billed"), [(29, 1), (31, 4)])
def test_a_resumed_listener_pays_for_changes_for_half_an_hour(minutes: int, billed: int) -> None:
    """Who comes back within 30 minutes pays for what has changed, later for the whole result again."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    server = FirestoreServer(clock=lambda: now)
    client = in_process_client(server)
    write(client, a=1, b=2, c=3)
    token = LateListener(server, client).listen(client.collection("c")).token
    write(client, d=4)
    server.bill.reset()
    now += timedelta(minutes=minutes)
    LateListener(server, client).listen(client.collection("c"), resume_token=token)
    assert reads(server) == billed
    close(client)
