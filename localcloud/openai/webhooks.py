"""Signed events about batches, as OpenAI sends them: Standard Webhooks, tried again until the receiver says yes.

Signature: base64 of HMAC-SHA256 over `{webhook-id}.{webhook-timestamp}.{body}` with the decoded part of `whsec_...`,
as `openai.lib._webhooks` checks it. That check compares the timestamp with the machine's time, not with ours, so the
timestamp is the one thing here that is not read from the clock handed in; `signing_time` replaces it where the
receiver's time moves too.
"""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx2

from localcloud.openai.faults import Faults
from localcloud.openai.ids import Ids
from localcloud.openai.settings import Settings

RETRY_SECONDS = (5, 60, 300, 1800, 7200, 28800, 86400)  # OpenAI: "for up to 72 hours, with exponential backoff"
POST_SECONDS_MAX = 10.0

Send = Callable[[str, bytes, Mapping[str, str]], int]
"""URL, body and headers to the receiver's HTTP status; 0 when nobody answered."""


@dataclass
class Delivery:
    """One event on its way. `due` is in seconds since 1970."""

    event_id: str
    body: bytes
    due: float
    attempts: int = 0


class Webhooks:
    """The events that are still to be delivered. Safe to use from several threads."""

    def __init__(
        self, settings: Settings, faults: Faults, ids: Ids, send: Send, signing_time: Callable[[], float]
    ) -> None:
        """Send to `settings.webhook_url`, if one is set, signed with `settings.webhook_secret`."""
        self._settings = settings
        self._faults = faults
        self._ids = ids
        self._send = send
        self._signing_time = signing_time
        self._waiting: list[Delivery] = []
        self._lock = threading.Lock()  # for the list
        self._delivering = threading.Lock()  # so that whoever asks for delivery finds it done, not begun by another

    def announce(self, event: str, batch_id: str, moment: int) -> None:
        """Queue an event such as `batch.completed`; nothing is sent before `deliver_due`."""
        if self._settings.webhook_url is None:
            return
        struck = {fault.kind: fault for fault in self._faults.strike_all("webhook", event)}
        if "webhook_lost" in struck:
            return
        event_id = self._ids.new("evt_")
        payload = {"id": event_id, "object": "event", "created_at": moment, "type": event, "data": {"id": batch_id}}
        late = struck.get("webhook_delayed")
        due = moment + (60 * (late.minutes or 0) if late else 0)
        copies = 2 if "webhook_duplicated" in struck else 1
        with self._lock:
            self._waiting += [Delivery(event_id, json.dumps(payload).encode(), due) for _ in range(copies)]

    def deliver_due(self, now: int) -> int:
        """Send what is due and return how many events were accepted. What was not is tried again later."""
        with self._delivering:
            return self._deliver(now)

    def _deliver(self, now: int) -> int:
        with self._lock:
            due = [delivery for delivery in self._waiting if delivery.due <= now]
            self._waiting = [delivery for delivery in self._waiting if delivery.due > now]
        accepted = 0
        for delivery in due:  # not under the lock: batches go on while the receiver thinks, and it may well call back
            if self._attempt(delivery):
                accepted += 1
            elif delivery.attempts <= len(RETRY_SECONDS):
                delivery.due = now + RETRY_SECONDS[delivery.attempts - 1]
                with self._lock:
                    self._waiting.append(delivery)
        return accepted

    def _attempt(self, delivery: Delivery) -> bool:
        url = self._settings.webhook_url
        if url is None:
            return False
        delivery.attempts += 1
        timestamp = str(int(self._signing_time()))
        headers = {
            "content-type": "application/json",
            "user-agent": "OpenAI/1.0 (stand-in)",
            "webhook-id": delivery.event_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": sign(self._settings.webhook_secret or "", delivery.event_id, timestamp, delivery.body),
        }
        return 200 <= self._send(url, delivery.body, headers) < 300


def sign(secret: str, event_id: str, timestamp: str, body: bytes) -> str:
    """Return the `webhook-signature` header, `v1,<base64>`; `secret` is `whsec_<base64>` or a plain text."""
    key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    signed = f"{event_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Post an event over HTTP; 0 when the receiver could not be reached in time."""
    try:
        return httpx2.post(url, content=body, headers=dict(headers), timeout=POST_SECONDS_MAX).status_code
    except httpx2.HTTPError:
        return 0  # as OpenAI does, an unreachable receiver is simply tried again
