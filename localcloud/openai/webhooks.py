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
from collections.abc import Callable, Mapping

from localcloud.openai.settings import Settings
from localcloud.standins.deliveries import Deliveries, Delivery, Send
from localcloud.standins.faults import Faults
from localcloud.standins.ids import Ids

RETRY_SECONDS = (5, 60, 300, 1800, 7200, 28800, 86400)  # OpenAI: "for up to 72 hours, with exponential backoff"


class Webhooks:
    """The events that are still to be delivered. Safe to use from several threads."""

    def __init__(
        self, settings: Settings, faults: Faults, ids: Ids, send: Send, signing_time: Callable[[], float]
    ) -> None:
        """Send to `settings.webhook_url`, if one is set, signed with `settings.webhook_secret`."""
        self._settings, self._ids, self._signing_time = settings, ids, signing_time
        self._deliveries = Deliveries(faults, send, lambda: settings.webhook_url, self._headers, RETRY_SECONDS)

    def announce(self, event: str, batch_id: str, moment: int) -> None:
        """Queue an event such as `batch.completed`; nothing is sent before `deliver_due`."""
        if self._settings.webhook_url is None:
            return
        event_id = self._ids.new("evt_")
        payload = {"id": event_id, "object": "event", "created_at": moment, "type": event, "data": {"id": batch_id}}
        self._deliveries.queue(event, event_id, json.dumps(payload).encode(), moment)

    def deliver_due(self, now: int) -> int:
        """Send what is due and return how many events were accepted. What was not is tried again later."""
        return self._deliveries.deliver_due(now)

    def _headers(self, delivery: Delivery) -> Mapping[str, str]:
        timestamp = str(int(self._signing_time()))
        return {
            "content-type": "application/json",
            "user-agent": "OpenAI/1.0 (stand-in)",
            "webhook-id": delivery.event_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": sign(self._settings.webhook_secret or "", delivery.event_id, timestamp, delivery.body),
        }


def sign(secret: str, event_id: str, timestamp: str, body: bytes) -> str:
    """Return the `webhook-signature` header, `v1,<base64>`; `secret` is `whsec_<base64>` or a plain text."""
    key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    signed = f"{event_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
