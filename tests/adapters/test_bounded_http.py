"""A provider that drips, floods or sends elsewhere, over a socket: every call ends in time and fits into the memory."""

import gzip
import io
import json
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime

import pytest

from functions.adapters.bounded_http import provider_http
from functions.adapters.providers import openai as adapter
from functions.adapters.providers.anthropic import AnthropicProvider
from functions.adapters.providers.openai import OpenAIProvider, bounded_client
from functions.core.model.dialects.openai import batch_line, completion_request
from functions.core.model.parsing import parse_answer
from functions.core.model.prompts import image_data_url
from functions.core.model.provider_errors import Trouble
from functions.core.model.refusals import ProviderDownError
from localcloud.serving import unhurried
from tests.builders import answer, answer_text, completion_body

LIMIT = 0.4
"""Seconds that stand for any limit in these tests."""

LATE = LIMIT + 2
"""After this a call has not kept to its limit. A drip falls every tenth of a second, so a read never waits for long."""

Serve = Callable[[socket.socket], None]


@contextmanager
def serving(serve: Serve) -> Iterator[str]:
    """Answer each connection by this. Yields the base URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=talk, args=(connection,), daemon=True).start()

        def talk(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                serve(connection)

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """All limits are short."""
    monkeypatch.setattr(adapter, "CONTROL_TIMEOUT_SECONDS", LIMIT)
    monkeypatch.setattr(adapter, "TRANSFER_TIMEOUT_SECONDS", LIMIT)


def request_read(connection: socket.socket) -> bytes:
    """Read a request: its head, and what has come with it."""
    read = b""
    while b"\r\n\r\n" not in read:
        read += connection.recv(65_536)
    return read


def dripping(head: bytes, drop: bytes, pause: float = 0.1) -> Serve:
    """Send the head of an answer at once, and then a drop every tenth of a second, without end."""

    def serve(connection: socket.socket) -> None:
        request_read(connection)
        connection.sendall(head)
        while True:
            connection.sendall(drop)
            time.sleep(pause)

    return serve


def flooding(head: bytes, drop: bytes) -> Serve:
    """The same as fast as it goes."""
    return dripping(head, drop, pause=0)


def silent(connection: socket.socket) -> None:
    """Take the request, and that is all."""
    while connection.recv(65_536):
        pass


def unread(connection: socket.socket) -> None:
    """Do not even take it: an upload fills the system's buffers and stops."""
    del connection
    time.sleep(3 * LATE)


JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
DRIPS: dict[str, Serve] = {
    "nothing": silent,
    "headers": dripping(b"HTTP/1.1 200 OK\r\n", b"x-more: 1\r\n"),
    "a header without end": dripping(b"HTTP/1.1 200 OK\r\nx-more: ", b"1"),
    "blank lines of a body": dripping(JSON + b"Content-Length: 1000000\r\n\r\n", b"\r\n"),
    "a body until it hangs up": dripping(JSON + b"\r\n", b" "),
    "chunks without end": dripping(JSON + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "the size of a chunk": dripping(JSON + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "the body of an error": dripping(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 1000\r\n\r\n", b" "),
    "interim answers": dripping(b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
}

PHOTO = image_data_url(b"jpeg")
CALLS: dict[str, Callable[[OpenAIProvider], object]] = {
    "complete": lambda provider: provider.complete(completion_request("gpt-6-luna", PHOTO, "US", "en"), LIMIT),
    "upload_input": lambda provider: provider.upload_input("b.jsonl", io.BytesIO(batch_line("job-1", {}))),
    "create_batch": lambda provider: provider.create_batch("batch-1", "file-1"),
    "find_batch": lambda provider: provider.find_batch("batch-1", datetime(2026, 11, 21, tzinfo=UTC)),
    "retrieve_batch": lambda provider: provider.retrieve_batch("batch_abc"),
    "cancel_batch": lambda provider: provider.cancel_batch("batch_abc"),
    "read_lines": lambda provider: list(provider.read_lines("file-1", 0)),
}


def asked(url: str, call: Callable[[OpenAIProvider], object]) -> ProviderDownError:
    """Return how a call ends, which has to be soon."""
    with closing(bounded_client("key", url)) as client:
        started = time.monotonic()
        with pytest.raises(ProviderDownError) as down:
            call(OpenAIProvider(client))
        assert time.monotonic() - started < unhurried(LATE)
    return down.value


@pytest.mark.parametrize("serve", DRIPS.values(), ids=DRIPS.keys())
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_a_call_has_one_limit_however_the_answer_drips(call: Callable[[OpenAIProvider], object], serve: Serve) -> None:
    """The limit is for all of the call: what comes in meanwhile does not begin it anew."""
    with serving(serve) as url:
        assert asked(url, call).trouble is Trouble.UNREACHABLE


@pytest.mark.parametrize("serve", DRIPS.values(), ids=DRIPS.keys())
def test_a_call_to_anthropic_has_the_same_limit(serve: Serve) -> None:
    """By another client of ours over the same streams."""
    with serving(serve) as url, closing(provider_http()) as http:
        started = time.monotonic()
        with pytest.raises(ProviderDownError) as down:
            AnthropicProvider(http, url, "key").complete({}, LIMIT)
        assert time.monotonic() - started < unhurried(LATE)
        assert down.value.may_be_billed


def test_an_upload_that_nobody_takes_has_the_same_limit() -> None:
    """Sending counts as well as waiting."""
    with serving(unread) as url:
        large = io.BytesIO(b"x" * 20_000_000)
        assert asked(url, lambda provider: provider.upload_input("b.jsonl", large)).trouble is Trouble.UNREACHABLE


def test_the_pages_of_a_list_have_one_limit_together() -> None:
    """A list that is always answered, and never ends, is not followed for ever."""
    served = iter(range(1_000_000))

    def serve(connection: socket.socket) -> None:
        request_read(connection)
        time.sleep(0.1)
        batch = {
            "id": f"batch_{next(served)}",
            "object": "batch",
            "status": "completed",
            "created_at": 1_900_000_000,
            "endpoint": "/v1/chat/completions",
            "input_file_id": "file-1",
            "completion_window": "24h",
        }
        body = json.dumps({"object": "list", "data": [batch], "has_more": True}).encode()
        connection.sendall(JSON + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        silent(connection)

    with serving(serve) as url:
        asked(url, CALLS["find_batch"])


def test_all_addresses_of_a_host_have_one_limit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host with six addresses, none of which answers, takes no six times as long. No request was sent: nothing can be
    billed."""
    with ExitStack() as stack:
        full = socket.create_server(("127.0.0.1", 0), backlog=0)
        stack.enter_context(full)
        for _ in range(3):  # its queue is full: whoever comes next is not answered
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        port = full.getsockname()[1]
        found = socket.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM)

        def lookup(host: str, *_args: object, **_options: object) -> Sequence[object]:
            return found * (6 if host == "openai.example" else 1)

        monkeypatch.setattr(socket, "getaddrinfo", lookup)
        assert not asked(f"http://openai.example:{port}/v1", CALLS["complete"]).may_be_billed


@pytest.mark.parametrize("addresses", [OSError("no such host"), []])
def test_a_host_without_an_address_is_not_reached(
    monkeypatch: pytest.MonkeyPatch, addresses: OSError | list[object]
) -> None:
    """A name that leads nowhere is an outage, and nothing is billed."""

    def lookup(*_args: object, **_options: object) -> list[object]:
        if isinstance(addresses, OSError):
            raise addresses
        return addresses

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    assert not asked("http://openai.example/v1", CALLS["complete"]).may_be_billed


FLOODS: dict[str, Serve] = {
    "a body": flooding(JSON + b"\r\n", b" " * 65_536),
    "chunks": flooding(JSON + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 65_536 + b"\r\n"),
    "headers": flooding(b"HTTP/1.1 200 OK\r\n", b"x-more: " + b"1" * 65_000 + b"\r\n"),
}


@pytest.mark.parametrize("serve", FLOODS.values(), ids=FLOODS.keys())
def test_an_answer_that_never_ends_fits_into_the_memory(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast it comes: what is longer than any answer should be is not kept."""
    monkeypatch.setattr(adapter, "ANSWER_BYTES_MAX", 1_000_000)
    tracemalloc.start()
    with serving(serve) as url:
        asked(url, lambda provider: provider.complete({}, 1.9))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000


def test_few_bytes_that_unpack_to_many_are_not_unpacked() -> None:
    """A hundred kilobytes of gzip may come to a hundred megabytes: an answer that is compressed is refused unread."""
    bomb = gzip.compress(b" " * 50_000_000, 1)
    head = JSON + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    tracemalloc.start()
    with serving(dripping(head + bomb, b"")) as url:
        down = asked(url, lambda provider: provider.complete({}, 1.9))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (down.trouble, peak < 8_000_000) == (Trouble.UNREACHABLE, True)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_a_redirect_is_not_followed(call: Callable[[OpenAIProvider], object], status: int) -> None:
    """Neither in a loop nor to anybody else: the photo goes where the operator sends it, or nowhere."""
    requests: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        requests.append(request_read(connection))
        connection.sendall(b"HTTP/1.1 %d Moved\r\nLocation: /v1/again\r\nContent-Length: 0\r\n\r\n" % status)
        silent(connection)

    with serving(serve) as url:
        down = asked(url, call)
    assert (down.trouble, down.status, len(requests)) == (Trouble.CONFIGURATION, status, 1)


def test_a_slow_answer_in_time_is_an_answer() -> None:
    """Limits end what takes too long, and nothing else; nothing compressed is asked for."""
    heads: list[bytes] = []
    body = json.dumps(completion_body(answer_text())).encode()

    def serve(connection: socket.socket) -> None:
        heads.append(request_read(connection).lower())
        connection.sendall(JSON + b"Content-Length: %d\r\n\r\n" % len(body))
        for start in range(0, len(body), 200):
            connection.sendall(body[start : start + 200])
            time.sleep(0.01)
        silent(connection)  # whoever hangs up before all of the request is read takes the answer back

    with serving(serve) as url, closing(bounded_client("key", url)) as client:
        assert parse_answer(OpenAIProvider(client).complete({}, 10)) == answer()
    assert b"\r\naccept-encoding: identity\r\n" in heads[0]


def test_outside_of_a_call_the_client_is_an_ordinary_one() -> None:
    """Whoever uses it without an allowance has its own limits."""
    body = json.dumps({"object": "list", "data": []}).encode()

    def serve(connection: socket.socket) -> None:
        request_read(connection)
        connection.sendall(JSON + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        silent(connection)

    with serving(serve) as url, closing(bounded_client("key", url)) as client:
        assert client.models.list().data == []
