"""The port for everybody: what speaks gRPC reaches the gRPC service, anything else the HTTP side."""

import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from localcloud.firestore import FirestoreServer
from localcloud.firestore.web import Front
from localcloud.firestore.web.front import PREFACE
from localcloud.serving import HOST, PortTakenError, free_port, listen
from localcloud.tests.firestore.support import close, connect

OWNER = {"Authorization": "Bearer owner"}

PATIENCE_SECONDS = 20
SETTINGS = 4  # the type of an HTTP/2 server's first frame, RFC 9113


@pytest.fixture
def plain(server: FirestoreServer) -> Iterator[socket.socket]:
    """A bare connection to the port for everybody."""
    with socket.create_connection(address(server), timeout=PATIENCE_SECONDS) as connection:
        yield connection


def address(server: FirestoreServer) -> tuple[str, int]:
    """Return where the port for everybody is."""
    host, _, port = server.app_host.partition(":")
    return host, int(port)


def test_a_grpc_client_and_a_page_meet_on_one_port(server: FirestoreServer) -> None:
    """What a native SDK's protocol writes, HTTP reads, at the same address."""
    client = connect(server.app_host, project="demo-one")
    client.document("rooms/hall").set({"text": "grüße" * 100_000})
    close(client)

    documents = f"http://{server.app_host}/v1/projects/demo-one/databases/(default)/documents"
    read = httpx.get(f"{documents}/rooms/hall", headers=OWNER)
    assert read.json()["fields"]["text"]["stringValue"] == "grüße" * 100_000


def test_much_goes_both_ways_at_once(server: FirestoreServer) -> None:
    """More than the buffers between the two connections hold arrives whole, in both directions."""
    client = connect(server.app_host)
    for number in range(12):
        client.document(f"rooms/{number}").set({"bytes": bytes(900_000)})

    assert [len(found.get("bytes")) for found in client.collection("rooms").stream()] == [900_000] * 12
    close(client)


def send_in_parts(sender: socket.socket, megabytes: int) -> None:
    """Send this much, a megabyte at a time."""
    for _ in range(megabytes):
        sender.sendall(bytes(1024 * 1024))


def test_a_sender_waits_for_a_slow_reader(server: FirestoreServer) -> None:
    """What the other end does not take is not piled up: the sender is held back instead."""
    with listen() as reader:
        front = Front(server.service, grpc_port=reader.getsockname()[1])
        front.start()
        with socket.create_connection((HOST, front.port)) as sender:
            sender.sendall(PREFACE)
            taken, _ = reader.accept()
            sender.settimeout(0.5)
            with taken, pytest.raises(TimeoutError):
                send_in_parts(sender, 100)
        front.stop()


def test_a_preface_in_pieces_is_http_2(plain: socket.socket) -> None:
    """The first bytes may come one by one; the server's first frame says that it is HTTP/2."""
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for number in PREFACE:
        plain.sendall(bytes([number]))
        time.sleep(0.002)
    plain.sendall(bytes([0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]))

    assert plain.recv(9)[3] == SETTINGS


def test_a_request_that_begins_like_the_preface_is_http_1(plain: socket.socket) -> None:
    """`P` could become either: what follows decides."""
    plain.sendall(b"P")
    time.sleep(0.05)
    plain.sendall(b"OST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")

    assert plain.recv(1000).startswith(b"HTTP/1.1 404")


def test_small_answers_go_out_at_once(server: FirestoreServer) -> None:
    """The parts of an answer do not wait for each other to be acknowledged, which takes 40 ms: the best of thirty, as
    what else the machine does can only make it slower."""
    with httpx.Client() as client:
        for _ in range(20):  # at first a connection acknowledges at once
            client.get(f"http://{server.app_host}/")
        assert min(client.get(f"http://{server.app_host}/").elapsed.total_seconds() for _ in range(30)) < 0.03


def test_nonsense_is_refused(plain: socket.socket) -> None:
    """What is neither gets a 400 and the end."""
    plain.sendall(b"\x16\x03\x01\x02\x00\x01nonsense\r\n\r\n")

    assert plain.recv(1000).startswith(b"HTTP/1.1 400")


def test_it_says_that_it_is_there(server: FirestoreServer) -> None:
    """Tools wait for a 200 at the root. The text is not that of Google's emulator, which we are not taken for."""
    answer = httpx.get(f"http://{server.app_host}/")

    assert answer.status_code == 200
    assert answer.text.startswith("Ok")
    assert answer.text.strip() != "Ok"


def test_what_is_not_served_is_named_in_googles_form(server: FirestoreServer) -> None:
    """A wrong path gets an error that the SDK can show."""
    error = httpx.get(f"http://{server.app_host}/v2/x").json()["error"]

    assert (error["code"], error["status"]) == (404, "NOT_FOUND")
    assert error["message"].startswith("GET /v2/x is not served")


def test_its_port_can_be_chosen_and_is_free_again() -> None:
    """The port asked for is taken, refused to a second server, and free once the server has stopped, connections or
    not."""
    port = free_port()
    server = FirestoreServer(app_port=port)
    server.start()
    with socket.create_connection((HOST, port)) as open_connection:
        open_connection.sendall(PREFACE)
        second = FirestoreServer(app_port=port)
        with pytest.raises(PortTakenError):
            second.start()
        second.stop()
        server.stop()
    free_port(port)


def test_it_can_start_again(server: FirestoreServer) -> None:
    """After a stop the same server serves at the same address, with its documents."""
    url = f"http://{server.app_host}/v1/projects/p/databases/(default)/documents/rooms/hall"
    httpx.patch(url, json={}, headers=OWNER)
    server.stop()
    server.start()

    assert httpx.get(url, headers=OWNER).status_code == 200


def test_a_stop_ends_a_page_that_waits_for_a_lock() -> None:
    """A page's commit that waits behind a transaction is told so, and holds nothing up."""
    server = FirestoreServer()
    server.start()
    root = "projects/p/databases/(default)/documents"
    url = f"http://{server.app_host}/v1/{root}"
    begun = httpx.post(f"{url}:beginTransaction", json={}, headers=OWNER).json()["transaction"]
    httpx.post(f"{url}:batchGet", json={"documents": [f"{root}/rooms/hall"], "transaction": begun}, headers=OWNER)
    answers: list[httpx.Response] = []

    def commit() -> None:
        body = {"writes": [{"update": {"name": f"{root}/rooms/hall"}}]}
        answers.append(httpx.post(f"{url}:commit", json=body, timeout=PATIENCE_SECONDS, headers=OWNER))

    waiting = threading.Thread(target=commit)
    waiting.start()
    locks = server.engine.session("projects/p/databases/(default)").transactions.locks
    while "rooms/hall" not in locks._lines:  # noqa: SLF001 - nobody else can see that it waits
        time.sleep(0.01)
    began = time.monotonic()
    server.stop()
    waiting.join()

    assert time.monotonic() - began < 5
    assert answers[0].json()["error"]["status"] == "CANCELLED"
