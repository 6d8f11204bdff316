"""Bad input and vanishing clients get a clear status; the server neither crashes nor leaks nor stays locked."""

import asyncio
import json
import random
import socket
import struct
import time
import urllib.error
import urllib.request
from typing import Any

import grpc
import pytest
from google.api_core.exceptions import InvalidArgument
from google.cloud.firestore import Client

from localcloud.firestore import FirestoreServer
from localcloud.firestore.protos import Value
from localcloud.firestore.service import RPCS, UNSERVED
from localcloud.serving import unhurried
from localcloud.tests.firestore.support import AS_OWNER, documents_root, raw_call, request_of

DATABASE = "projects/demo/databases/(default)"
ROOT = f"{DATABASE}/documents"


def failure(host: str, rpc: str, payload: bytes) -> tuple[grpc.StatusCode, str]:
    """Return the status and text of a call that fails."""
    with pytest.raises(grpc.RpcError) as caught:
        raw_call(host, rpc, payload)
    return caught.value.code(), caught.value.details()


def test_an_unknown_rpc_is_unimplemented(server: FirestoreServer) -> None:
    """An RPC that does not exist is UNIMPLEMENTED."""
    assert failure(server.host, "Frobnicate", b"")[0] is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("rpc", UNSERVED)
def test_what_is_not_served_points_to_the_official_emulator(server: FirestoreServer, rpc: str) -> None:
    """Pipelines are UNIMPLEMENTED, and the text says where they work."""
    with grpc.insecure_channel(server.host) as channel:
        method = f"/google.firestore.v1.Firestore/{rpc}"
        with pytest.raises(grpc.RpcError, match="FIRESTORE=official") as caught:
            list(channel.stream_stream(method)(iter([b""]), timeout=5))
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("rpc", RPCS)
def test_malformed_bytes_are_refused(server: FirestoreServer, rpc: str) -> None:
    """Bytes that are no message, cut-off ones included, are INVALID_ARGUMENT for every RPC."""
    for payload in (b"\xff\xff\xff", b"\x0a\x7fabc"):
        code, text = failure(server.host, rpc, payload)
        assert (code, text[:28]) == (grpc.StatusCode.INVALID_ARGUMENT, "The request is not a valid R"[:28]) or (
            code is grpc.StatusCode.INVALID_ARGUMENT and "not a valid" in text
        )


@pytest.mark.parametrize("rpc", RPCS)
def test_empty_requests_are_refused(server: FirestoreServer, rpc: str) -> None:
    """A request without a database or name is INVALID_ARGUMENT for every RPC."""
    assert failure(server.host, rpc, b"")[0] is grpc.StatusCode.INVALID_ARGUMENT


def test_random_bytes_never_crash_the_server(server: FirestoreServer) -> None:
    """Whatever the bytes, the answer is one of the codes a client knows, and the server goes on."""
    chance = random.Random(7)  # noqa: S311
    valid = request_of("Commit", database=DATABASE, writes=[{"update": {"name": f"{ROOT}/a/b"}}]).SerializeToString()
    known = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND}
    for rpc in RPCS:
        for _ in range(25):
            damaged = bytearray(valid)
            for _ in range(chance.randint(1, 6)):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            try:
                raw_call(server.host, rpc, bytes(damaged))
            except grpc.RpcError as error:
                assert error.code() in known, (rpc, bytes(damaged), error)  # noqa: PT017 - success is fine too


def test_requests_over_10_mebibytes_are_refused(strict: Client) -> None:
    """A request beyond the documented size is INVALID_ARGUMENT; one just below it is fine."""
    batch = strict.batch()
    for number in range(11):
        batch.set(strict.document(f"big/d{number}"), {"text": "x" * 1_000_000})
    with pytest.raises(InvalidArgument, match="payload size exceeds the limit"):
        batch.commit()
    batch = strict.batch()
    for number in range(10):
        batch.set(strict.document(f"big/d{number}"), {"text": "x" * 1_000_000})
    batch.commit()
    assert len(strict.collection("big").get()) == 10


def test_a_gigantic_request_does_not_hurt(server: FirestoreServer, strict: Client) -> None:
    """A request of 30 MiB is refused by the transport, and the next call is served."""
    assert failure(server.host, "Commit", b"\0" * 30 * 1024 * 1024)[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not strict.document("a/b").get().exists


def test_absurdly_deep_values_are_refused(server: FirestoreServer) -> None:
    """Maps nested beyond what a parser stands are INVALID_ARGUMENT, in documents and in filters."""
    value = Value(integer_value=1)
    for _ in range(45):
        outer = Value()
        outer.map_value.fields["m"].CopyFrom(value)
        value = outer
    document = {"name": f"{ROOT}/a/b", "fields": {"m": value}}
    commit = request_of("Commit", database=DATABASE, writes=[{"update": document}]).SerializeToString()
    assert failure(server.host, "Commit", commit)[0] is grpc.StatusCode.INVALID_ARGUMENT
    hundred = b""
    for _ in range(2000):
        hundred = b"\x12" + _varint(len(hundred)) + hundred
    assert failure(server.host, "Commit", hundred)[0] is grpc.StatusCode.INVALID_ARGUMENT


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def test_deep_filters_are_refused(server: FirestoreServer) -> None:
    """A filter tree nested without end is INVALID_ARGUMENT."""
    tree: dict[str, Any] = {
        "field_filter": {"field": {"field_path": "a"}, "op": "EQUAL", "value": {"integer_value": 1}}
    }
    for _ in range(25):
        tree = {"composite_filter": {"op": "AND", "filters": [tree]}}
    query = {"from_": [{"collection_id": "a"}], "where": tree}
    with grpc.insecure_channel(server.host) as channel:
        call = channel.unary_stream("/google.firestore.v1.Firestore/RunQuery")
        with pytest.raises(grpc.RpcError) as caught:
            list(
                call(
                    request_of("RunQuery", parent=ROOT, structured_query=query).SerializeToString(),
                    timeout=5,
                    metadata=AS_OWNER,
                )
            )
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_stream_that_is_dropped_halfway_does_no_harm(strict: Client, server: FirestoreServer) -> None:
    """Clients that stop reading a long answer leave nothing behind."""
    batch = strict.batch()
    for number in range(300):
        batch.set(strict.document(f"a/d{number}"), {"n": number})
    batch.commit()
    payload = request_of(
        "RunQuery", parent=documents_root(strict), structured_query={"from_": [{"collection_id": "a"}]}
    ).SerializeToString()
    for _ in range(10):
        with grpc.insecure_channel(server.host) as channel:
            answers = channel.unary_stream("/google.firestore.v1.Firestore/RunQuery")(payload, metadata=AS_OWNER)
            next(answers)
    assert len(strict.collection("a").get()) == 300


def test_garbage_on_the_port_does_no_harm(server: FirestoreServer, strict: Client) -> None:
    """Connections that speak something else, or nothing, or break off, do not disturb the others."""
    port = int(server.host.rpartition(":")[2])
    for rubbish in (b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x02\x00", struct.pack(">I", 2**31 - 1) * 10, b""):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(rubbish)
    strict.document("a/b").set({})
    assert strict.document("a/b").get().exists


def test_many_waiting_clients_do_not_block_the_one_they_wait_for(strict: Client, server: FirestoreServer) -> None:
    """A hundred writers that wait for a transaction leave it a way to end."""
    holder = strict.transaction()
    holder._begin()  # noqa: SLF001 - the public way runs all steps at once
    strict.document("a/b").get(transaction=holder)
    write = {"update": {"name": f"{documents_root(strict)}/a/b", "fields": {"n": Value(integer_value=1)}}}
    payload = request_of("Commit", database=strict._database_string, writes=[write]).SerializeToString()  # noqa: SLF001

    async def scenario() -> None:
        async with grpc.aio.insecure_channel(server.host) as channel:
            method = channel.unary_unary("/google.firestore.v1.Firestore/Commit")
            waiting = [
                asyncio.ensure_future(_completed(method(payload, timeout=10, metadata=AS_OWNER))) for _ in range(100)
            ]
            await asyncio.sleep(0.3)
            started = time.perf_counter()
            await asyncio.to_thread(holder._rollback)  # noqa: SLF001
            await asyncio.gather(*waiting)
            assert time.perf_counter() - started < unhurried(3)

    asyncio.run(scenario())


async def _completed(call: Any) -> None:
    await call


def test_metadata_of_the_emulator_protocol_is_accepted(server: FirestoreServer) -> None:
    """The owner's token that client SDKs send to emulators changes nothing."""
    with grpc.insecure_channel(server.host) as channel:
        method = channel.unary_unary("/google.firestore.v1.Firestore/BeginTransaction")
        payload = request_of("BeginTransaction", database=DATABASE).SerializeToString()
        assert method(payload, metadata=AS_OWNER, timeout=5)


def test_a_port_that_is_taken_is_an_error(server: FirestoreServer) -> None:
    """A second server on the same port fails to start, and says so."""
    second = FirestoreServer(port=int(server.host.rpartition(":")[2]))
    with pytest.raises(RuntimeError):
        second.start()
    second.stop()


def test_a_server_can_be_started_again(server: FirestoreServer, strict: Client) -> None:
    """Stopping and starting keeps port and documents."""
    strict.document("a/b").set({"n": 1})
    host = server.host
    server.stop()
    server.start()
    assert server.host == host
    assert strict.document("a/b").get(timeout=10).to_dict() == {"n": 1}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/import", 405),
        ("POST", "/bill", 405),
        ("POST", "/faults", 400),
        ("POST", "/import", 400),
    ],
)
def test_bad_admin_requests(server: FirestoreServer, method: str, path: str, status: int) -> None:
    """Unknown paths, wrong methods and malformed bodies are answered in JSON with the right status."""
    request = urllib.request.Request(f"{server.admin_url}{path}", data=b"nonsense\n", method=method)  # noqa: S310
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request)  # noqa: S310
    assert refusal.value.code == status
    assert json.load(refusal.value)["error"]
    refusal.value.close()
