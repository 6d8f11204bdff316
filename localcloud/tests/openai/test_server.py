"""The stand-in behind a socket: concurrent callers, clean ends, and the admin endpoints."""

import asyncio
import json
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from localcloud.openai import OpenAIStandIn
from localcloud.serving import unhurried

ROOT = Path(__file__).parents[3]


def test_async_client_through_both_lanes(make_world: Callable[..., Any], kit: Any) -> None:
    """The asynchronous client gets answers, uploads, batches and downloads as the synchronous one does."""
    world = make_world(socket=True)

    async def story() -> tuple[Any, str]:
        async with AsyncOpenAI(api_key="x", base_url=world.standin.base_url, max_retries=0) as client:
            body = world.body(messages=kit.showing(kit.data_url(kit.picture())))
            answer = await client.chat.completions.create(**body)
            lines = "\n".join(json.dumps(line) for line in world.lines(3)).encode()
            file = await client.files.create(file=("in.jsonl", lines), purpose="batch")
            batch = await client.batches.create(
                input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
            )
            world.clock.advance(minutes=20)
            batch = await client.batches.retrieve(batch.id)
            content = await client.files.content(batch.output_file_id or "")
            return answer, content.text

    answer, output = asyncio.run(story())
    assert answer.choices[0].message.content.startswith("Stand-in answer:")
    assert len(output.splitlines()) == 3


def test_64_callers_and_a_slow_model(make_world: Callable[..., Any]) -> None:
    """64 concurrent callers at 200 ms latency all get answers, side by side and not one after the other."""
    world = make_world(socket=True, latency_ms=200)

    async def story() -> list[Any]:
        limits = httpx2.Limits(max_connections=64)
        async with AsyncOpenAI(
            api_key="x",
            base_url=world.standin.base_url,
            max_retries=0,
            http_client=httpx2.AsyncClient(limits=limits, timeout=30),
        ) as client:
            calls = [client.chat.completions.create(**world.body()) for _ in range(256)]
            return list(await asyncio.gather(*calls, return_exceptions=True))

    begin = time.monotonic()
    answers = asyncio.run(story())
    seconds = time.monotonic() - begin
    assert [answer for answer in answers if isinstance(answer, BaseException)] == []
    assert 0.8 <= seconds < unhurried(8)  # 256 / 64 * 0.2 s at best; 51 s one after the other
    assert world.standin.requests["POST /v1/chat/completions"] == 256


def test_connections_are_kept(wire: Any) -> None:
    """Many requests share one connection, also after an error and after an upload that was not read."""
    wire.standin.faults.add(kind="unavailable", endpoint="POST /v1/files")
    with socket.create_connection(("127.0.0.1", _port(wire))) as connection, connection.makefile("rb") as replies:
        for target, body in (("GET /v1/batches", b""), ("POST /v1/files", b"x" * 100_000), ("GET /v1/files", b"")):
            head = f"{target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            status = replies.readline().split()[1]
            length = 0
            while (line := replies.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            replies.read(length)
            assert status == (b"503" if target == "POST /v1/files" else b"200")


def _port(world: Any) -> int:
    return httpx2.URL(world.standin.base_url).port or 0


def test_chunked_uploads(wire: Any) -> None:
    """An upload without a known length arrives whole."""

    def body() -> Any:
        yield b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        for _ in range(100):
            yield b"0123456789" * 1000
        yield b"\r\n--b--\r\n"

    headers = {"authorization": "Bearer k", "content-type": "multipart/form-data; boundary=b"}
    response = httpx2.post(f"{wire.standin.base_url}/files", content=body(), headers=headers)
    assert (response.status_code, response.json()["bytes"]) == (200, 1_000_000)


def test_callers_that_vanish(wire: Any) -> None:
    """Callers that leave in the middle of a request, or send nonsense, harm nobody and leave nothing behind."""
    head = b"POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\nContent-Length: 9999\r\n"
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nabc'
    for sent in (
        b"",
        b"GET",
        b"\x00\xff\r\n\r\n",
        head,
        head + b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" + part,
    ):
        with socket.create_connection(("127.0.0.1", _port(wire))) as connection:
            connection.sendall(sent)
    assert wire.client.files.list().data == []
    deadline = time.monotonic() + 60
    directory = wire.standin.engine.files.new_path().parent
    while list(directory.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert list(directory.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the memory in use from Linux's /proc")
def test_large_uploads_do_not_sit_in_memory(wire: Any) -> None:
    """A 60 MB input is spooled to disk: the process grows by far less while it arrives, is validated and read back."""
    line = json.dumps({**wire.lines(1)[0], "pad": "x" * 600_000}).encode()
    content = b"\n".join(line.replace(b"job-0", f"job-{number}".encode()) for number in range(100))
    before = _resident_mb()
    peak = threading.Event()
    highest = [before]

    def watch() -> None:
        while not peak.wait(0.005):
            highest[0] = max(highest[0], _resident_mb())

    thread = threading.Thread(target=watch)
    thread.start()
    request = httpx2.Request(
        "POST",
        f"{wire.standin.base_url}/files",
        headers={"authorization": "Bearer k", "content-type": "multipart/form-data; boundary=b"},
        content=_multipart(content),
    )
    with httpx2.Client(timeout=30) as client:
        file_id = client.send(request).json()["id"]
    wire.client.batches.create(input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h")
    wire.clock.advance(minutes=20)
    [batch] = wire.client.batches.list().data
    peak.set()
    thread.join()
    assert batch.request_counts.completed == 100
    assert highest[0] - before < 30


def _multipart(content: bytes) -> Any:
    yield b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    for start in range(0, len(content), 65536):
        yield content[start : start + 65536]
    yield b"\r\n--b--\r\n"


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def test_stopping_ends_everything(clock: Any) -> None:
    """Stopping frees the port, ends kept connections and hanging answers, removes the files, and may be repeated."""
    before = set(threading.enumerate())
    standin = OpenAIStandIn(clock=clock).start()
    directory = standin.engine.files.new_path().parent
    with OpenAI(api_key="x", base_url=standin.base_url, max_retries=0) as client:
        client.files.create(file=("f", b"x"), purpose="batch")
        standin.faults.add(kind="timeout", seconds=60)
        failures: list[Exception] = []
        thread = threading.Thread(target=_call, args=(client, failures))
        thread.start()
        time.sleep(0.2)
        begin = time.monotonic()
        standin.stop()
        standin.stop()
        thread.join(timeout=60)
        assert time.monotonic() - begin < unhurried(2)
        assert [type(failure) for failure in failures] == [openai.APIConnectionError]
        with pytest.raises(openai.APIConnectionError):
            client.files.list()
    assert not directory.exists()
    assert "openai-standin" not in {thread.name for thread in set(threading.enumerate()) - before}


def test_stopping_ends_idle_connections(clock: Any) -> None:
    """A kept connection that waits for its next request is closed when the stand-in stops."""
    standin = OpenAIStandIn(clock=clock).start()
    port = httpx2.URL(standin.base_url).port or 0
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"GET /__/healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        standin.stop()
        assert connection.recv(1) == b""


def test_a_reset_is_a_reset(wire: Any) -> None:
    """A connection cut by a fault ends with a TCP reset, not with a polite end."""
    wire.standin.faults.add(kind="connection_reset")
    with socket.create_connection(("127.0.0.1", _port(wire)), timeout=60) as connection:
        connection.sendall(b"GET /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_hanging_answers_end_with_their_callers(wire: Any) -> None:
    """When the caller of a hanging answer leaves, the thread that kept it waiting ends soon after."""
    before = set(threading.enumerate())
    wire.standin.faults.add(kind="timeout", seconds=60)
    with pytest.raises(openai.APITimeoutError):
        wire.client.with_options(timeout=0.2).files.list()
    deadline = time.monotonic() + 60
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert set(threading.enumerate()) - before == set()


def _call(client: OpenAI, failures: list[Exception]) -> None:
    try:
        client.files.list()
    except openai.APIError as error:
        failures.append(error)


def test_admin_endpoints(make_world: Callable[..., Any]) -> None:
    """Another process can watch, fault and steer the stand-in over HTTP."""
    world = make_world(socket=True, webhook_secret="whsec_c2VjcmV0")
    with httpx2.Client(base_url=world.standin.admin_url) as admin:
        assert admin.get("/healthz").json() == {"status": "ok"}
        fault = admin.post("/faults", json={"kind": "server_error", "endpoint": "POST /v1/batches"}).json()["id"]
        [listed] = admin.get("/faults").json()
        assert (listed["id"], listed["kind"], listed["fired"]) == (fault, "server_error", 0)
        with pytest.raises(openai.InternalServerError):
            world.submit(world.lines(1))
        assert admin.get("/requests").json() == {"POST /v1/files": 1, "POST /v1/batches": 1}
        admin.post("/requests/reset")
        assert admin.get("/requests").json() == {}
        assert admin.delete("/faults", params={"id": fault}).json() == {"removed": True}
        assert admin.delete("/faults", params={"id": fault}).json() == {"removed": False}
        admin.post("/faults", json={"kind": "refusal"})
        admin.delete("/faults")
        assert admin.get("/faults").json() == []
        changed = admin.patch("/settings", json={"batch_minutes": 5, "latency_ms": 1}).json()
        assert (changed["batch_minutes"], world.standin.settings.batch_minutes) == (5, 5)
        assert admin.get("/settings").json() == changed
        assert "webhook_secret" not in changed
        assert admin.post("/tick").json() == {"webhooks_accepted": 0}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/faults", b'{"kind": "earthquake"}', 400),
        ("POST", "/faults", b"{}", 400),
        ("POST", "/faults", b"[]", 400),
        ("POST", "/faults", b"{", 400),
        ("PATCH", "/settings", b'{"batch_minutes": 0}', 400),
        ("PATCH", "/settings", b'{"batch_minutes": 3, "colour": "red"}', 400),
        ("GET", "/nowhere", b"", 404),
        ("PUT", "/settings", b"", 404),
    ],
)
def test_admin_refuses_nonsense(wire: Any, method: str, path: str, body: bytes, status: int) -> None:
    """Bad input to the admin endpoints is a 4xx with a reason, and changes nothing."""
    response = httpx2.request(method, wire.standin.admin_url + path, content=body)
    assert response.status_code == status
    assert response.json()["error"]
    assert wire.standin.settings.batch_minutes == 20
    assert wire.standin.faults.list() == []


def test_counts_are_resettable(world: Any) -> None:
    """Requests are counted by endpoint, whatever ids are in their paths, and start again when reset."""
    first, second = world.submit(world.lines(1)), world.submit(world.lines(1))
    for batch in (first, second, second):
        world.client.batches.retrieve(batch.id)
    assert world.standin.requests == {"POST /v1/files": 2, "POST /v1/batches": 2, "GET /v1/batches/{batch_id}": 3}
    assert world.standin.requests["GET /v1/files"] == 0
    assert "GET /v1/files" not in world.standin.requests
    world.standin.requests.reset()
    assert dict(world.standin.requests) == {}


def test_as_a_process_of_its_own() -> None:
    """The module runs on its own, says where it listens, answers, and ends on a signal."""
    command = [sys.executable, "-m", "localcloud.openai", "--batch-minutes", "3"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own module
        assert process.stdout
        base_url = process.stdout.readline().split()[0].removeprefix("OPENAI_BASE_URL=")
        with OpenAI(api_key="x", base_url=base_url, max_retries=0) as client:
            answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    assert answer.system_fingerprint == "fp_standin"
