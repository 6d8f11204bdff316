"""Webhooks: signed as the client checks it, delivered until accepted, lost or doubled on request."""

import base64
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import openai
import pytest

SECRET = "whsec_" + base64.b64encode(b"a secret of our own").decode()
URL = "https://app.example/openai_webhook"


@dataclass
class Receiver:
    """Accepts events, or refuses with the statuses set."""

    refuse_with: list[int] = field(default_factory=list)
    attempts: list[tuple[bytes, dict[str, str]]] = field(default_factory=list)

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        assert url == URL
        self.attempts.append((body, dict(headers)))
        return self.refuse_with.pop(0) if self.refuse_with else 200


@pytest.fixture
def receiver() -> Receiver:
    """Who events are sent to."""
    return Receiver()


@pytest.fixture
def world(make_world: Callable[..., Any], receiver: Receiver) -> Any:
    """A stand-in in process that sends events to the receiver."""
    return make_world(webhook_url=URL, webhook_secret=SECRET, send_webhook=receiver)


def _event(world: Any, attempt: tuple[bytes, dict[str, str]], secret: str = SECRET) -> Any:
    body, headers = attempt
    return world.client.webhooks.unwrap(body, headers, secret=secret)


def test_completed_batches_are_announced(world: Any, receiver: Receiver) -> None:
    """A completed batch sends one event that the client's own check accepts, with the batch id and its moment."""
    batch = world.finished(world.lines(1))
    assert receiver.attempts == []  # in process nothing is sent before tick()
    assert world.standin.tick() == 1
    event = _event(world, receiver.attempts[0])
    assert (event.type, event.data.id, event.created_at) == ("batch.completed", batch.id, batch.completed_at)
    assert (event.object, event.id) == ("event", receiver.attempts[0][1]["webhook-id"])
    assert world.standin.tick() == 0
    assert len(receiver.attempts) == 1


def test_each_end_has_its_event(world: Any, receiver: Receiver) -> None:
    """Failed, expired and cancelled batches send their own events."""
    failed = world.submit(b"no json")
    world.standin.faults.add(kind="batch_expires")
    expired = world.submit(world.lines(2))
    cancelled = world.client.batches.cancel(world.submit(world.lines(2)).id)
    world.clock.advance(hours=24)
    assert world.standin.tick() == 3
    events = {(event.type, event.data.id) for event in (_event(world, attempt) for attempt in receiver.attempts)}
    assert events == {
        ("batch.failed", failed.id), ("batch.expired", expired.id), ("batch.cancelled", cancelled.id),
    }  # fmt: skip


def test_forgeries_are_found_out(world: Any, receiver: Receiver) -> None:
    """Another secret, another body and an old signature are all refused by the client's check."""
    world.finished(world.lines(1))
    world.standin.tick()
    body, headers = receiver.attempts[0]
    other = "whsec_" + base64.b64encode(b"another").decode()
    old = {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 600)}
    for attempt, secret in (((body, headers), other), ((body + b" ", headers), SECRET), ((body, old), SECRET)):
        with pytest.raises(openai.InvalidWebhookSignatureError):
            _event(world, attempt, secret)


def test_refused_events_are_tried_again_later(world: Any, receiver: Receiver) -> None:
    """An event that is not accepted comes again, unchanged and under the same id, after 5 seconds and then a minute."""
    receiver.refuse_with += [500, 0]
    world.finished(world.lines(1))
    assert world.standin.tick() == 0
    world.clock.advance(seconds=4)
    assert world.standin.tick() == 0
    assert len(receiver.attempts) == 1
    world.clock.advance(seconds=1)
    assert world.standin.tick() == 0
    world.clock.advance(seconds=60)
    assert world.standin.tick() == 1
    assert len({headers["webhook-id"] for _, headers in receiver.attempts}) == 1
    assert len({body for body, _ in receiver.attempts}) == 1


def test_nobody_is_tried_for_ever(world: Any, receiver: Receiver) -> None:
    """After the last retry an event is given up."""
    receiver.refuse_with += [503] * 100
    world.finished(world.lines(1))
    for _ in range(100):
        world.standin.tick()
        world.clock.advance(hours=24)
    assert len(receiver.attempts) == 8


@pytest.mark.parametrize(("kind", "sent"), [("webhook_lost", 0), ("webhook_duplicated", 2)])
def test_lost_and_doubled(world: Any, receiver: Receiver, kind: str, sent: int) -> None:
    """An event can be lost, or come twice under the same id."""
    world.standin.faults.add(kind=kind, endpoint="batch.completed")
    world.finished(world.lines(1))
    assert world.standin.tick() == sent
    assert len({headers["webhook-id"] for _, headers in receiver.attempts}) == min(sent, 1)


def test_delayed(world: Any, receiver: Receiver) -> None:
    """An event can come late."""
    world.standin.faults.add(kind="webhook_delayed", minutes=60)
    batch = world.finished(world.lines(1))
    assert world.standin.tick() == 0
    world.clock.advance(minutes=60)
    assert world.standin.tick() == 1
    assert _event(world, receiver.attempts[0]).created_at == batch.completed_at


def test_reordered(world: Any, receiver: Receiver) -> None:
    """An event can come after the next one; without a next one it comes an hour late."""
    world.standin.faults.add(kind="webhook_reordered")
    first, second = world.submit(b"no json"), world.submit(b"no json")
    world.clock.advance(minutes=20)
    assert world.standin.tick() == 2
    assert [_event(world, attempt).data.id for attempt in receiver.attempts] == [second.id, first.id]
    world.standin.faults.add(kind="webhook_reordered")
    world.submit(b"no json")
    world.clock.advance(minutes=20)
    assert world.standin.tick() == 0
    world.clock.advance(minutes=60)
    assert world.standin.tick() == 1


def test_without_an_address_nothing_is_sent(make_world: Callable[..., Any], receiver: Receiver) -> None:
    """No webhook_url, no events; set later, only later batches are announced."""
    world = make_world(send_webhook=receiver)
    world.finished(world.lines(1))
    world.standin.settings.webhook_url = URL
    assert world.standin.tick() == 0
    world.finished(world.lines(1))
    assert world.standin.tick() == 1


@pytest.fixture
def site() -> Iterator[tuple[str, list[tuple[bytes, dict[str, str]]]]]:
    """A web server that accepts events: its URL, and what it received."""
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append((body, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/", received
    server.shutdown()
    server.server_close()
    thread.join()


def test_over_the_wire(make_world: Callable[..., Any], site: Any) -> None:
    """A served stand-in notices the moved clock by itself and posts the event over HTTP."""
    url, received = site
    world = make_world(socket=True, webhook_url=url, webhook_secret=SECRET)
    batch = world.submit(world.lines(1))
    world.clock.advance(minutes=20)
    deadline = time.monotonic() + 60
    while not received and time.monotonic() < deadline:
        time.sleep(0.02)
    assert _event(world, received[0]).data.id == batch.id


def test_a_receiver_that_is_away(make_world: Callable[..., Any], site: Any) -> None:
    """An unreachable receiver is tried again when it is back."""
    url, received = site
    world = make_world(webhook_url="http://127.0.0.1:1/", webhook_secret="plain text")
    world.finished(world.lines(1))
    assert world.standin.tick() == 0
    world.standin.settings.webhook_url = url
    world.clock.advance(seconds=5)
    assert world.standin.tick() == 1
    assert _event(world, received[0], "plain text").type == "batch.completed"
