"""Events: what has happened, kept for a month and sent to one endpoint, whole or thin.

Signature: `localcloud.standins.deliveries.signature` as `Stripe-Signature` (https://docs.stripe.com/webhooks/signature).
As the client checks it by the machine's clock, the timestamp is the one thing here that is not read from the clock
handed in; `signing_time` replaces it.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from localcloud.standins.deliveries import Deliveries, Delivery, Send, signature
from localcloud.standins.faults import Faults
from localcloud.standins.ids import Ids
from localcloud.stripe.objects import Object, Objects
from localcloud.stripe.settings import API_VERSION, RETRY_SECONDS, Settings

PATHS = {
    "charge": "charges",
    "checkout.session": "checkout/sessions",
    "customer": "customers",
    "dispute": "disputes",
    "invoice": "invoices",
    "payment_intent": "payment_intents",
    "refund": "refunds",
    "subscription": "subscriptions",
}
"""Where an object of each kind is read that an event can name."""


class Events:
    """Makes events, and delivers them."""

    def __init__(
        self,
        objects: Objects,
        settings: Settings,
        faults: Faults,
        ids: Ids,
        send: Send,
        signing_time: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        """Send to `settings.webhook_url`, if one is set, signed with `settings.webhook_secret`."""
        self._objects, self._settings, self._ids = objects, settings, ids
        self._signing_time, self._now = signing_time, now
        url, accepted = (lambda: settings.webhook_url), self._accepted
        self._deliveries = Deliveries(faults, send, url, self._headers, RETRY_SECONDS, accepted)

    def emit(self, kind: str, each: Object) -> None:
        """Note that something happened to an object, and queue it for delivery."""
        url = self._settings.webhook_url
        event = self._objects.put(
            {
                "id": self._ids.new("evt_"),
                "object": "event",
                "api_version": API_VERSION,
                "created": int(self._now()),
                "data": {"object": each},
                "livemode": False,
                "pending_webhooks": 0 if url is None else 1,
                "request": {"id": None, "idempotency_key": None},
                "type": kind,
            }
        )
        if url is not None:
            thin = self._settings.webhook_payload == "thin"
            body = json.dumps(notification(event) if thin else event).encode()
            self._deliveries.queue(kind, event["id"], body, self._now())

    def deliver_due(self) -> int:
        """Send what is due and return how many events were accepted."""
        return self._deliveries.deliver_due(self._now())

    def _accepted(self, delivery: Delivery) -> None:
        with self._objects.lock:
            self._objects.change(delivery.event_id, pending_webhooks=0)

    def _headers(self, delivery: Delivery) -> Mapping[str, str]:
        secret, timestamp = self._settings.webhook_secret or "", int(self._signing_time())
        return {
            "content-type": "application/json; charset=utf-8",
            "user-agent": "Stripe/1.0 (stand-in)",
            "stripe-signature": signature(secret, timestamp, delivery.body),
        }


def notification(event: Object) -> Object:
    """Return an event as a thin one: which object, and no word of its state."""
    about = event["data"]["object"]
    url = f"/v1/{PATHS[about['object']]}/{about['id']}"
    return {
        "id": event["id"],
        "object": "v2.core.event",
        "type": f"v1.{event['type']}",
        "created": datetime.fromtimestamp(event["created"], UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
        "livemode": False,
        "context": None,
        "reason": None,
        "related_object": {"id": about["id"], "type": about["object"], "url": url},
    }
