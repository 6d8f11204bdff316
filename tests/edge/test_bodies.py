"""Bodies of requests: strangers are not waited for, and nobody for long."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event

import pytest

from functions.deploy.params import CALLERS_AT_ONCE
from functions.edge.bodies import BODY_SECONDS_MAX
from localcloud.cloud import LocalCloud
from localcloud.serving import HOST, unhurried
from scripts.ecolane_cloud import ecolane_cloud
from scripts.functions_alone import Served, answered, served

ANNOUNCED = 200_000
ANSWER_SECONDS_MAX = 5.0


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    """A local cloud."""
    with ecolane_cloud() as cloud:
        yield cloud


@pytest.fixture(scope="module")
def quote(cloud: LocalCloud) -> Iterator[Served]:
    """One instance of one function, as the platform starts it, that answers."""
    with served("quote", cloud.environment) as server:
        answered(server, {"data": {}}, {})
        yield server


def drip(server: Served, headers: str, stop: Event, announced: int = ANNOUNCED) -> tuple[bytes, float]:
    """Announce a body, and send a byte of it now and then. Returns what is answered, and after how many seconds."""
    port = int(server.url.rpartition(":")[2].strip("/"))
    length = f"Content-Length: {announced}" if announced else "Transfer-Encoding: chunked"
    began = time.monotonic()
    with closing(socket.create_connection((HOST, port), timeout=60)) as line:
        head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{length}\r\n{headers}\r\n"
        line.sendall(head.encode() + b"\r\n" * (not head.endswith("\r\n\r\n")))
        line.settimeout(0.2)
        while not stop.is_set():
            try:
                line.sendall(b" " if announced else b"1\r\n \r\n")
                answer = line.recv(4_096)
            except TimeoutError:
                continue
            except OSError:
                answer = b""
            return answer, time.monotonic() - began
    return b"", time.monotonic() - began


def honest(server: Served, cloud: LocalCloud) -> float:
    """Return how long an honest caller waits, with a call that is answered."""
    token = cloud.sign_up().id_token
    began = time.monotonic()
    answer = answered(server, {"data": {}}, {"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    return time.monotonic() - began


@pytest.mark.parametrize("announced", [ANNOUNCED, 30_000_000, 0], ids=["a body", "a long body", "chunks"])
@pytest.mark.parametrize("headers", ["", "Authorization: Bearer junk\r\n"], ids=["no token", "a bad token"])
def test_nobody_is_waited_for_who_has_not_said_who_they_are(
    quote: Served, cloud: LocalCloud, headers: str, announced: int
) -> None:
    """Three instances full of strangers who never finish their calls keep no caller waiting: each is told at once."""
    stop = Event()
    with ThreadPoolExecutor(3 * CALLERS_AT_ONCE) as strangers:
        calls = [strangers.submit(drip, quote, headers, stop, announced) for _ in range(3 * CALLERS_AT_ONCE)]
        try:
            assert honest(quote, cloud) < unhurried(ANSWER_SECONDS_MAX)
            answers = [call.result(timeout=120) for call in calls]
        finally:
            stop.set()
    assert {answer.split(b"\r\n")[0] for answer, _ in answers} == {b"HTTP/1.1 401 UNAUTHORIZED"}


def test_a_signed_in_caller_is_waited_for_for_a_while(quote: Served, cloud: LocalCloud) -> None:
    """Whoever has a token and never finishes has a thread for ten seconds, and is told what was wrong."""
    token, stop = cloud.sign_up().id_token, Event()
    with ThreadPoolExecutor(CALLERS_AT_ONCE) as slow:
        headers = f"Authorization: Bearer {token}\r\n"
        calls = [slow.submit(drip, quote, headers, stop) for _ in range(CALLERS_AT_ONCE)]
        try:
            time.sleep(1)
            assert honest(quote, cloud) < unhurried(BODY_SECONDS_MAX + ANSWER_SECONDS_MAX)
            answers = [call.result(timeout=120) for call in calls]
        finally:
            stop.set()
    assert {answer.split(b"\r\n")[0] for answer, _ in answers} == {b"HTTP/1.1 400 BAD REQUEST"}
    assert all(
        BODY_SECONDS_MAX - 1 < seconds < unhurried(BODY_SECONDS_MAX + ANSWER_SECONDS_MAX) for _, seconds in answers
    )


def test_a_refusal_reaches_whoever_sent_everything(quote: Served) -> None:
    """A whole call of the largest size without a token is refused, and the sender gets to read it."""
    answer = answered(quote, {"data": {"x": "y" * 250_000}}, {})
    assert answer.status_code == 401
    assert answer.json()["error"]["details"] == {"reason": "UNAUTHENTICATED"}
