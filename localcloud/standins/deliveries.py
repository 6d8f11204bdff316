"""Events on their way to a receiver: tried again until it says yes; lost, doubled, late or out of order on request."""

import hashlib
import hmac
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import httpx2

from localcloud.standins.faults import Faults

POST_SECONDS_MAX = 10.0

REORDERED_SECONDS_MAX = 3_600
"""A reordered event comes after the next one, or after this time if there is none."""

Send = Callable[[str, bytes, Mapping[str, str]], int]
"""URL, body and headers to the receiver's HTTP status; 0 when nobody answered."""


@dataclass
class Delivery:
    """One event on its way. `due` is in seconds since 1970."""

    event_id: str
    body: bytes
    due: float
    attempts: int = 0
    held: bool = False


class Deliveries:
    """The events that are still to be delivered. Safe to use from several threads."""

    def __init__(
        self,
        faults: Faults,
        send: Send,
        url: Callable[[], str | None],
        headers: Callable[[Delivery], Mapping[str, str]],
        retry_seconds: Sequence[float],
        accepted: Callable[[Delivery], object] = lambda _: None,
    ) -> None:
        """Send to `url`, if there is one by then, with these `headers`; `accepted` is told of each that was taken."""
        self._faults, self._send, self._url, self._headers = faults, send, url, headers
        self._retry_seconds, self._accepted = retry_seconds, accepted
        self._waiting: list[Delivery] = []
        self._lock = threading.Lock()  # for the list
        self._delivering = threading.Lock()  # so that whoever asks for delivery finds it done, not begun by another

    def queue(self, event: str, event_id: str, body: bytes, moment: float) -> None:
        """Queue an event such as `batch.completed`; nothing is sent before `deliver_due`."""
        struck = {fault.kind: fault for fault in self._faults.strike_all("webhook", event)}
        if "webhook_lost" in struck:
            return
        late, held = struck.get("webhook_delayed"), "webhook_reordered" in struck
        due = moment + (60 * (late.minutes or 0) if late else 0) + (REORDERED_SECONDS_MAX if held else 0)
        copies = 2 if "webhook_duplicated" in struck else 1
        with self._lock:
            passed = [delivery for delivery in self._waiting if delivery.held]
            self._waiting = [delivery for delivery in self._waiting if not delivery.held]
            self._waiting += [Delivery(event_id, body, due, held=held) for _ in range(copies)]
            for delivery in passed:
                delivery.held, delivery.due = False, due
            self._waiting += passed

    def deliver_due(self, now: float) -> int:
        """Send what is due and return how many events were accepted. What was not is tried again later."""
        with self._delivering:
            return self._deliver(now)

    def _deliver(self, now: float) -> int:
        with self._lock:
            due = [delivery for delivery in self._waiting if delivery.due <= now]
            self._waiting = [delivery for delivery in self._waiting if delivery.due > now]
        accepted = 0
        for delivery in due:  # not under the lock: life goes on while the receiver thinks, and it may well call back
            if self._attempt(delivery):
                accepted += 1
                self._accepted(delivery)
            elif delivery.attempts <= len(self._retry_seconds):
                delivery.due = now + self._retry_seconds[delivery.attempts - 1]
                with self._lock:
                    self._waiting.append(delivery)
        return accepted

    def _attempt(self, delivery: Delivery) -> bool:
        url = self._url()
        if url is None:
            return False
        delivery.attempts += 1
        return 200 <= self._send(url, delivery.body, self._headers(delivery)) < 300


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """Return the header by which Stripe and RevenueCat sign: hex of HMAC-SHA256 over `{timestamp}.{body}`."""
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={signed}"


def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Post an event over HTTP; 0 when the receiver could not be reached in time."""
    try:
        return httpx2.post(url, content=body, headers=dict(headers), timeout=POST_SECONDS_MAX).status_code
    except httpx2.HTTPError:
        return 0  # as the services do, an unreachable receiver is simply tried again
