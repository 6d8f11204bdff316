"""The stand-in for RevenueCat as its users hold it; its HTTP face, which is one route; and what can go wrong."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypedDict, Unpack

from pydantic import BaseModel, ConfigDict
from werkzeug.wrappers import Request, Response

from localcloud.clock import Clock, utc_now
from localcloud.revenuecat.subscribers import Subscribers
from localcloud.standins.agenda import Agenda
from localcloud.standins.base import StandIn
from localcloud.standins.connection import CONNECTION, Connection
from localcloud.standins.deliveries import Deliveries, Delivery, Send, post, signature
from localcloud.standins.faults import WEBHOOKS, Faults
from localcloud.standins.ids import Ids
from localcloud.stripe.objects import Objects

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ENDPOINT = "GET /v1/subscribers/{app_user_id}"
RETRY_SECONDS = (300, 600, 1_200, 2_400, 4_800)
"""RevenueCat tries five more times: after 5, 10, 20, 40 and 80 minutes."""

KINDS: dict[str, tuple[str, str, str]] = {
    "rate_limited": ("request", "*", "429"),
    "bad_key": ("request", "*", "401, as for a key that was revoked"),
    "server_error": ("request", "*", "500"),
    "timeout": ("request", "*", "no answer until the caller gives up, at most `seconds`"),
    "connection_reset": ("request", "*", "connection reset"),
    "empty_answer": ("empty", "*", "a subscriber without any purchase, as by the key of another project"),
    "state_stale": ("read", "*", "what is read is as it was `seconds` ago"),
    **WEBHOOKS,
}
"""Kind -> (the point where it is consulted, default endpoint pattern, what it does)."""

REFUSALS = {
    "rate_limited": (429, 7_227, "Too many requests."),
    "bad_key": (401, 7_224, "Invalid API Key."),
    "server_error": (500, 7_110, "Internal server error."),
}


class Settings(BaseModel):
    """Settings of a running stand-in; the admin endpoint reads and changes them by these names."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    webhook_url: str | None = None
    webhook_secret: str | None = None
    """What events are signed with; None sends no signature."""
    webhook_authorization: str | None = None
    """The `Authorization` header of each event; None sends none."""


class SettingsArguments(TypedDict, total=False):
    """The fields of Settings, as keyword arguments."""

    webhook_url: str | None
    webhook_secret: str | None
    webhook_authorization: str | None


class RevenueCatStandIn(StandIn):
    """Tells what users have bought in the stores, and sends events about it. A phone's part is `buy` and the others."""

    settings: Settings

    def __init__(
        self,
        port: int = 0,
        clock: Clock = utc_now,
        *,
        seed: int = 0,
        send_webhook: Send = post,
        signing_time: Callable[[], float] = time.time,
        **settings: Unpack[SettingsArguments],
    ) -> None:
        """Put the parts together; nothing listens before `start`.

        Args:
            port: Where to listen on 127.0.0.1; 0 takes a free port.
            clock: Returns the time as an aware datetime; everything but webhook signatures reads it.
            seed: What identifiers and faults are drawn from.
            send_webhook: How events are sent (URL, body, headers to HTTP status); by default over HTTP.
            signing_time: Seconds since 1970 for webhook signatures.
            settings: Fields of Settings, such as `webhook_url`.
        """
        super().__init__("revenuecat", port)
        self.settings, self.faults, self.application = Settings(**settings), Faults(seed, KINDS), self._api
        self._agenda, self._signing_time = Agenda(clock), signing_time
        objects = Objects(self._agenda.now)
        self._lock: threading.RLock = objects.lock
        self._deliveries = Deliveries(
            self.faults, send_webhook, lambda: self.settings.webhook_url, self._headers, RETRY_SECONDS
        )
        self._subscribers = Subscribers(objects, self._agenda, self._announce, Ids(seed).dice("subscribers"))

    def tick(self) -> int:
        """Move to where the clock is, deliver due webhooks, return how many were accepted."""
        with self._lock:
            self._agenda.catch_up()
        return self._deliveries.deliver_due(self._agenda.now())

    def buy(
        self, uid: str, product: str, amount: float = 4.99, *, store: str = "app_store", sandbox: bool = False
    ) -> str:
        """Buy a pack on a phone, and return the store's transaction id. `amount` is in dollars."""
        with self._lock:
            return self._subscribers.buy(uid, product, amount, store, sandbox=sandbox)

    def subscribe(
        self,
        uid: str,
        product: str,
        amount: float = 8.99,
        *,
        store: str = "app_store",
        sandbox: bool = False,
        days: int = 30,
    ) -> str:
        """Subscribe on a phone, and return the id of the first period's transaction."""
        with self._lock:
            return self._subscribers.subscribe(uid, product, amount, store, sandbox=sandbox, days=days)

    def unsubscribe(self, transaction: str) -> None:
        """Let a subscription end with its period."""
        with self._lock:
            self._subscribers.unsubscribe(transaction)

    def fail(self, transaction: str) -> None:
        """Have the renewal of a subscription fail: 16 days of grace, and then it expires."""
        with self._lock:
            self._subscribers.fail(transaction)

    def refund(self, transaction: str) -> None:
        """Have the store refund a purchase."""
        with self._lock:
            self._subscribers.refund(transaction)

    def purchases(self, kind: str) -> list[dict[str, object]]:
        """Return all that was bought, newest first, as the stand-in keeps it: each `non_subscription`, or each period
        of each `subscription`."""
        with self._lock:
            self._agenda.catch_up()
            return self._subscribers.bought(kind)

    def transfer(self, giver: str, taker: str) -> None:
        """Give all purchases of one user to another."""
        with self._lock:
            self._subscribers.transfer(giver, taker)

    def _announce(self, event: str, event_id: str, body: bytes) -> None:
        if self.settings.webhook_url is not None:
            self._deliveries.queue(event, event_id, body, self._agenda.now())

    def _headers(self, delivery: Delivery) -> Mapping[str, str]:
        headers = {"content-type": "application/json", "user-agent": "RevenueCat (stand-in)"}
        if self.settings.webhook_authorization is not None:
            headers["authorization"] = self.settings.webhook_authorization
        if self.settings.webhook_secret is not None:
            signed = signature(self.settings.webhook_secret, int(self._signing_time()), delivery.body)
            headers["x-revenuecat-webhook-signature"] = signed
        return headers

    def _api(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        status, body = self._subscriber(Request(environ), environ[CONNECTION])
        response = Response(json.dumps(body), status, content_type="application/json")
        return response(environ, start_response)

    def _subscriber(self, request: Request, connection: Connection) -> tuple[int, object]:
        found = re.fullmatch("/v1/subscribers/(.+)", request.path)
        if found is None or request.method != "GET":
            return _refusal(404, 7_259, "Not found.")
        self.requests.add(ENDPOINT)
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not key.strip():
            return _refusal(*REFUSALS["bad_key"])
        if struck := self.faults.strike("request", ENDPOINT):
            if struck.kind == "timeout":
                connection.hang(struck.seconds)
            if struck.kind == "connection_reset":
                connection.reset()
            return _refusal(*REFUSALS[struck.kind])
        empty, stale = self.faults.strike("empty", ENDPOINT), self.faults.strike("read", ENDPOINT)
        with self._lock:
            self._agenda.catch_up()
            at = None if stale is None else self._agenda.now() - stale.seconds
            return 200, self._subscribers.shown(found[1], at, empty=empty is not None)


def _refusal(status: int, code: int, message: str) -> tuple[int, object]:
    return status, {"code": code, "message": message}
