"""The operator's webhook, over a real server on this machine: what it gets, and what becomes of its answers."""

import contextlib
import hashlib
import hmac
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from functions.adapters import alerting
from functions.adapters.alerting import BACKOFF_SECONDS, AlertNotDeliveredError, AlertWebhook, signature
from functions.core.shared.alerts import AlertKind, alert
from functions.use_cases.operations.guard_budget import guard_budget
from localcloud.serving import unhurried
from scripts.inprocess import InProcessCloud
from tests.builders import NOW

ROOT = Path(__file__).parents[2]
SECRET = "a secret that both sides know"
ALERT = alert(AlertKind.CLOSED, "10.00 of 10.00 dollars are spent or held back: nothing more is submitted.", NOW)


@dataclass
class Receiver:
    """An operator's server. `answers` are the statuses that it gives, in order; the last one for ever."""

    answers: list[int] = field(default_factory=lambda: [200])
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    before_answer: Callable[[], None] = lambda: None
    endless: bool = False
    url: str = ""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that listens on this machine while the test runs."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.requests.append((self.path, dict(self.headers.items()), body))
            receiver.before_answer()
            status = receiver.answers.pop(0) if len(receiver.answers) > 1 else receiver.answers[0]
            self.send_response(status)
            self.send_header("location", f"{receiver.url}/elsewhere")
            self.send_header("content-length", str(10**12 if receiver.endless else 0))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield receiver
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between tries, which nobody waits for."""
    waits: list[float] = []
    monkeypatch.setattr(alerting, "sleep", waits.append)
    return waits


def webhook(url: str, secret: str = SECRET) -> AlertWebhook:
    """Return our side of it."""
    return AlertWebhook(url, secret, lambda: NOW)


def test_an_alert_arrives_as_json_with_a_signature_that_checks_out(receiver: Receiver) -> None:
    """Checked as the receiver does it: HMAC-SHA256 over the time and the very bytes of the body."""
    webhook(f"{receiver.url}/hooks/budget?team=1").send(ALERT)
    ((path, headers, body),) = receiver.requests
    assert path == "/hooks/budget?team=1"
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == {
        "id": "closed-2026-11-21",
        "kind": "closed",
        "day": "2026-11-21",
        "text": ALERT.told,
        "since": "2026-11-21T12:00:00Z",
        "overAt": None,
    }
    fields = dict(part.split("=", 1) for part in headers["Ecolane-Signature"].split(","))
    expected = hmac.new(SECRET.encode(), f"{fields['t']}.".encode() + body, hashlib.sha256).hexdigest()
    assert (fields["v1"], int(fields["t"])) == (expected, int(NOW.timestamp()))


def test_the_guides_receiver_takes_ours_and_no_other(receiver: Receiver) -> None:
    """The code in docs/accounting.md, as it stands there: not with another secret or body, an old time, or garbage."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/accounting.md").read_text(), re.DOTALL)
    guide: dict[str, Any] = {}
    exec(code, guide)  # noqa: S102  (our own document)
    is_ours, now = guide["is_ours"], datetime.now(UTC)
    AlertWebhook(receiver.url, SECRET, lambda: now).send(ALERT)
    ((_, headers, body),) = receiver.requests
    header = headers["Ecolane-Signature"]
    assert is_ours(SECRET, header, body)
    assert not is_ours("other", header, body)
    assert not is_ours(SECRET, header, body + b" ")
    assert not is_ours(SECRET, signature(SECRET, now - timedelta(seconds=301), body), body)
    assert not is_ours(SECRET, signature(SECRET, now + timedelta(seconds=330), body), body)
    for garbage in ("", "t=1,v1=", "v1=é", "t=²,v1=x", f"{header.split(',')[0]},v1=ü"):
        assert not is_ours(SECRET, garbage, body)


def test_programs_get_what_an_alert_is_about(receiver: Receiver) -> None:
    """As `data`, times as text; other alerts have none."""
    data = {"totalMicros": 5, "changed": [{"field": "budget.overrideUntil", "before": None, "after": NOW}]}
    webhook(receiver.url).send(ALERT.model_copy(update={"data": data}))
    ((_, _, body),) = receiver.requests
    assert json.loads(body)["data"]["totalMicros"] == 5
    assert json.loads(body)["data"]["changed"][0]["after"] == str(NOW)


def test_a_signature_is_of_one_body_one_time_and_one_secret() -> None:
    """Whoever changes any of them needs the secret; the value for a fixed case stays the same for ever."""
    # printf '1795262400.{}' | openssl dgst -sha256 -hmac 's3cret'
    fixed = signature("s3cret", NOW, b"{}")
    assert fixed == "t=1795262400,v1=b548b0c17d54f73cd51a864d604b637498c7ca646fb146ee65c29976deecf36a"
    others = {signature("other", NOW, b"{}"), signature("s3cret", NOW, b"{ }")}
    others.add(signature("s3cret", NOW + timedelta(seconds=1), b"{}"))
    assert len(others | {fixed}) == 4


def test_without_a_secret_nothing_pretends_to_be_signed(receiver: Receiver) -> None:
    """The alert arrives, and the receiver sees that it proves nothing."""
    webhook(receiver.url, secret="").send(ALERT)
    ((_, headers, _),) = receiver.requests
    assert "Ecolane-Signature" not in headers


def test_without_an_address_nothing_is_sent_and_nothing_fails(waits: list[float]) -> None:
    """The log entry is the alert then."""
    webhook("").send(ALERT)
    assert waits == []


@pytest.mark.parametrize("first", [[500], [503, 429], [404, 301]], ids=str)
def test_a_server_that_is_not_well_is_tried_again(receiver: Receiver, waits: list[float], first: list[int]) -> None:
    """Whatever it answered; each time after a longer pause, with the same body."""
    receiver.answers = [*first, 204]
    webhook(receiver.url).send(ALERT)
    assert waits == list(BACKOFF_SECONDS[: len(first)])
    assert len({body for _, _, body in receiver.requests}) == 1
    assert len(receiver.requests) == len(first) + 1


def test_after_three_tries_it_is_the_next_guards(receiver: Receiver, waits: list[float]) -> None:
    """The error says what the other side answered, and not where it is or what we sign with."""
    receiver.answers = [500]
    with pytest.raises(AlertNotDeliveredError, match=r"^status 500$"):
        webhook(receiver.url).send(ALERT)
    assert (len(receiver.requests), waits) == (3, list(BACKOFF_SECONDS))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    """An alert goes where the operator has said, and nowhere that a server says instead."""
    receiver.answers = [status]
    with pytest.raises(AlertNotDeliveredError, match=f"status {status}"):
        webhook(receiver.url).send(ALERT)
    assert {path for path, _, _ in receiver.requests} == {"/"}


def test_a_server_that_does_not_answer_holds_nobody_up(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try ends by its limit."""
    monkeypatch.setattr(alerting, "TIMEOUT_SECONDS", 0.05)
    over = threading.Event()

    def answer_late() -> None:
        over.wait(10)

    receiver.before_answer = answer_late
    started = time.monotonic()
    with pytest.raises(AlertNotDeliveredError, match=r"^no answer \(ReadTimeout\)$"):
        webhook(receiver.url).send(ALERT)
    over.set()
    assert time.monotonic() - started < unhurried(5)


@pytest.mark.parametrize("pause", [0.01, 0.0], ids=["slowly", "at once"])
def test_headers_without_end_are_not_waited_for(monkeypatch: pytest.MonkeyPatch, pause: float) -> None:
    """A byte now and then is no answer, nor are a million: a try has one deadline and so many bytes."""
    monkeypatch.setattr(alerting, "TIMEOUT_SECONDS", 0.5)
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def talk() -> None:
        for _ in range(1 + len(BACKOFF_SECONDS)):
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nx: ")
                while not over.wait(pause):
                    connection.sendall(b"x" if pause else b"x" * 10_000)

    talking = threading.Thread(target=talk, daemon=True)
    talking.start()
    started = time.monotonic()
    with listener, pytest.raises(AlertNotDeliveredError, match=r"^no answer"):
        webhook(f"http://127.0.0.1:{listener.getsockname()[1]}").send(ALERT)
    over.set()
    talking.join()
    assert time.monotonic() - started < unhurried(5)


def test_an_answer_that_never_ends_is_not_read(receiver: Receiver) -> None:
    """The status is all that counts."""
    receiver.endless = True
    webhook(receiver.url).send(ALERT)
    assert len(receiver.requests) == 1


def test_nobody_there_is_an_error_that_names_no_address() -> None:
    """The address may hold a token, as those of chat services do."""
    with pytest.raises(AlertNotDeliveredError) as error:
        webhook("http://127.0.0.1:1/services/T0K3N").send(ALERT)
    assert str(error.value) == "no answer (ConnectError)"


@pytest.mark.parametrize("status", [200, 500])
def test_neither_secret_nor_address_is_ever_logged(
    receiver: Receiver, capfd: pytest.CaptureFixture[str], status: int
) -> None:
    """Delivered by the guard or not: the log has the alert, and nothing that would let somebody else send one."""
    receiver.answers = [status]
    cloud = InProcessCloud(seed=1)
    cloud.configure({"budget": {"dailyLimitMicros": 0}})
    cloud.restart(alerting=webhook(f"{receiver.url}/services/T0K3N"))
    counts = guard_budget(cloud.deps)
    assert counts["delivered"] == (counts["raised"] if status == 200 else 0)
    logged = "".join(capfd.readouterr())
    assert "nothing more is sent" in logged
    assert ("alert_undelivered" in logged) == (status == 500)
    assert not any(hidden in logged for hidden in (SECRET, "T0K3N", receiver.url))
