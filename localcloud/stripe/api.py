"""The HTTP face of the engine: a WSGI application with Stripe's routes, forms, errors, idempotency keys and faults."""

import json
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from werkzeug.wrappers import Request, Response

from localcloud.standins.connection import CONNECTION, Connection
from localcloud.standins.counts import RequestCounts
from localcloud.standins.faults import Fault
from localcloud.standins.routes import Routes
from localcloud.stripe import pages
from localcloud.stripe.engine import Engine
from localcloud.stripe.errors import ApiError, invalid, missing, no_such
from localcloud.stripe.events import notification
from localcloud.stripe.money import new, number
from localcloud.stripe.objects import Object
from localcloud.stripe.settings import KEY_SECONDS, LIST_DEFAULT, LIST_MAX, REQUEST_BYTES_MAX

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Handler = Callable[..., Object]

LISTED = {
    "charges": ("charge", ("customer", "payment_intent")),
    "checkout/sessions": ("checkout.session", ("customer", "payment_intent", "status", "subscription")),
    "customers": ("customer", ("email",)),
    "disputes": ("dispute", ("charge", "payment_intent")),
    "events": ("event", ("type",)),
    "invoice_payments": ("invoice_payment", ("invoice", "status")),
    "invoices": ("invoice", ("customer", "status")),
    "payment_intents": ("payment_intent", ("customer",)),
    "prices": ("price", ("product",)),
    "products": ("product", ()),
    "refunds": ("refund", ("charge", "payment_intent")),
    "subscriptions": ("subscription", ("customer",)),
}
"""What can be read and listed: its kind, and the fields that a list is narrowed by."""


TEST_CARD, TEST_NUMBER = "pm_card_visa", "4242424242424242"
"""Stripe's own test payment method, which can be attached to any customer: https://docs.stripe.com/testing."""


class Kept(NamedTuple):
    """What an idempotency key is bound to, and how it was answered."""

    until: float
    asked: tuple[str, str]
    status: int
    body: bytes


class Api:
    """The WSGI application."""

    def __init__(self, engine: Engine, requests: RequestCounts) -> None:
        """Serve `engine`, and count `requests`."""
        self._engine, self._requests = engine, requests
        self._kept: dict[str, Kept] = {}
        money, billing = engine.money, engine.billing
        routes: list[tuple[str, str, Handler]] = [
            ("POST", "/v1/products", self._create_product),
            ("POST", "/v1/prices", self._create_price),
            ("POST", "/v1/customers", engine.checkout.customer),
            ("POST", "/v1/checkout/sessions", lambda asked: engine.checkout.create(asked, self._origin)),
            ("POST", "/v1/checkout/sessions/{id}/expire", lambda _, each: engine.checkout.expire(each)),
            ("GET", "/v1/checkout/sessions/{id}/line_items", self._line_items),
            ("GET", "/v1/customers/{id}/payment_methods", self._payment_methods),
            ("POST", "/v1/payment_methods/{id}/attach", self._attach),
            ("POST", "/v1/payment_intents", lambda asked: money.confirm(asked, engine.settle_seconds)),
            ("POST", "/v1/refunds", lambda asked: money.refund(asked, engine.settle_seconds)),
            ("POST", "/v1/disputes/{id}", lambda asked, each: money.answer_dispute(each, asked)),
            ("POST", "/v1/disputes/{id}/close", lambda _, each: money.close_dispute(each)),
            ("POST", "/v1/subscriptions/{id}", lambda asked, each: billing.change(each, asked)),
            ("DELETE", "/v1/subscriptions/{id}", lambda _, each: billing.cancel(each)),
            ("POST", "/v1/billing_portal/sessions", lambda asked: engine.checkout.open_portal(asked, self._origin)),
            ("GET", "/v2/core/events/{id}", self._thin_event),
        ]
        for path, (kind, filters) in LISTED.items():
            routes.append(("GET", f"/v1/{path}", self._lister(path, kind, filters)))
            routes.append(("GET", f"/v1/{path}/{{id}}", self._reader(kind)))
        self._routes = Routes(routes)
        self._origin = ""
        self._seen_at: float | None = None

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        return self._respond(Request(environ), environ[CONNECTION])(environ, start_response)

    def _respond(self, request: Request, connection: Connection) -> Response:
        self._engine.catch_up()
        if request.path.startswith(("/c/", "/p/")):
            return pages.answer(self._engine, request)
        response = self._answer(request, connection)
        response.headers["request-id"] = self._engine.ids.new("req_")
        return response

    def _answer(self, request: Request, connection: Connection) -> Response:
        try:
            endpoint, handler, arguments = self._route(request)
            self._requests.add(endpoint)
            _check_key(request)
            if struck := self._engine.faults.strike("request", endpoint):
                _refuse(struck, connection)
            asked = form(request)
            status, body, replayed = self._serve(request, endpoint, handler, arguments, asked)
        except ApiError as error:
            return _json(json.dumps(error.body()).encode(), error.status)
        struck = self._engine.faults.strike("reply", endpoint)
        if struck is not None and struck.kind == "reply_lost":
            connection.reset()
        response = _json(body if struck is None else body[: len(body) // 2], status)
        if replayed:
            response.headers["idempotent-replayed"] = "true"
        return response

    def _route(self, request: Request) -> tuple[str, Handler, tuple[str, ...]]:
        found = self._routes.find(request)
        if found is None:
            raise ApiError(404, f"Unrecognized request URL ({request.method}: {request.path}).")
        return found

    def _serve(
        self, request: Request, endpoint: str, handler: Handler, arguments: tuple[str, ...], asked: Object
    ) -> tuple[int, bytes, bool]:
        """Answer by the key, or do what is asked and keep the answer; one request at a time."""
        engine, key = self._engine, request.headers.get("idempotency-key", "")
        bound = (f"{request.method} {request.path}", json.dumps(asked, sort_keys=True))
        with engine.lock:
            kept = self._kept.get(key) if key and request.method == "POST" else None
            if kept is not None and kept.until > engine.now():
                if kept.asked != bound:
                    message = f"Keys for idempotent requests can only be used with the same parameters: '{key}'."
                    raise ApiError(400, message, kind="idempotency_error")
                return kept.status, kept.body, True
            stale = engine.faults.strike("read", endpoint)
            self._seen_at = None if stale is None else engine.now() - stale.seconds
            self._origin = request.host_url.rstrip("/")
            expand = asked.pop("expand", {})
            try:
                status, answer = 200, self._expanded(handler(asked, *arguments), expand)
            except ApiError as error:
                if error.status == 400:  # what was not even begun is not kept
                    raise
                status, answer = error.status, error.body()
            body = json.dumps(answer).encode()
            if key and request.method == "POST":
                self._kept[key] = Kept(engine.now() + KEY_SECONDS, bound, status, body)
            return status, body, False

    def _expanded(self, answer: Object, paths: Object) -> Object:
        steps = [path.split(".") for path in paths.values()]
        for path in (each[:length] for each in steps for length in range(1, len(each) + 1)):
            for holder, name in _places(answer, path):
                if self._engine.objects.has(holder.get(name)):
                    holder[name] = self._engine.objects.get(holder[name], at=self._seen_at)
        return answer

    def _reader(self, kind: str) -> Handler:
        return lambda _asked, each: self._engine.objects.get(each, kind, self._seen_at)

    def _lister(self, path: str, kind: str, filters: tuple[str, ...]) -> Handler:
        def page(asked: Object) -> Object:
            fields = {name: asked[name] for name in filters if name in asked}
            found = self._engine.objects.all(kind, self._seen_at, **fields)
            return paged([each for each in found if _matches(each, asked)], asked, f"/v1/{path}")

        return page

    def _line_items(self, asked: Object, session_id: str) -> Object:
        self._engine.objects.get(session_id, "checkout.session")
        items = self._engine.objects.all("item", session=session_id)
        for each in items:
            each["price"] = self._engine.objects.get(each["price"])
        return paged(items, asked, f"/v1/checkout/sessions/{session_id}/line_items")

    def _payment_methods(self, asked: Object, customer: str) -> Object:
        self._engine.objects.get(customer, "customer")
        found = self._engine.objects.all("payment_method", customer=customer)
        return paged(found, asked, f"/v1/customers/{customer}/payment_methods")

    def _attach(self, asked: Object, method: str) -> Object:
        if method != TEST_CARD:
            raise no_such("PaymentMethod", method)
        if "customer" not in asked:
            raise missing("customer")
        customer = self._engine.objects.get(asked["customer"], "customer")["id"]
        return self._engine.money.method(TEST_NUMBER, customer)

    def _create_product(self, asked: Object) -> Object:
        if "name" not in asked:
            raise missing("name")
        fields = {"name": asked["name"], "metadata": asked.get("metadata", {}), "active": True}
        return self._engine.objects.put(self._new("prod_", "product", **fields))

    def _create_price(self, asked: Object) -> Object:
        if "product" not in asked:
            raise missing("product")
        if not re.fullmatch("[a-z]{3}", asked.get("currency", "")):
            raise invalid("currency", "Invalid currency: must be a three-letter code in lower case.")
        recurring = asked.get("recurring")
        if recurring is not None:
            if recurring.get("interval") not in {"day", "week", "month", "year"}:
                raise invalid("recurring[interval]", "Invalid recurring[interval]: must be day, week, month or year.")
            recurring = {"interval": recurring["interval"], "interval_count": number(recurring, "interval_count", 1)}
        fields = {"product": self._engine.objects.get(asked["product"], "product")["id"], "active": True}
        fields |= {"currency": asked["currency"], "unit_amount": number(asked, "unit_amount"), "recurring": recurring}
        fields |= {"metadata": asked.get("metadata", {}), "type": "recurring" if recurring else "one_time"}
        return self._engine.objects.put(self._new("price_", "price", **fields))

    def _thin_event(self, _asked: Object, event_id: str) -> Object:
        event = self._engine.objects.get(event_id, "event")
        return {**notification(event), "changes": None, "snapshot_event": event["id"]}

    def _new(self, prefix: str, kind: str, **fields: Any) -> Object:
        return new(self._engine.ids.new(prefix), kind, self._engine.now(), **fields)


def form(request: Request) -> Object:
    """Return the parameters of query or body as Stripe reads them: `a[b][0]=c` is `{"a": {"b": {"0": "c"}}}`."""
    if (request.content_length or 0) > REQUEST_BYTES_MAX:
        raise ApiError(413, "The request is too large.")
    asked: Object = {}
    for name, value in (request.args if request.method in {"GET", "DELETE"} else request.form).items(multi=True):
        keys = [part for part in re.split(r"[\[\]]+", name) if part]
        holder = asked
        for key in keys[:-1]:
            holder = holder.setdefault(key, {})
            if not isinstance(holder, dict):
                raise invalid(name, f"Invalid {name}: it is a value already.")
        last = keys[-1] if keys else name
        holder[last if not name.endswith("[]") else str(len(holder))] = value
    return asked


def paged(found: list[Object], asked: Object, url: str) -> Object:
    """Return a page of objects, newest first. Raises ApiError for a cursor that is none of them."""
    limit = number(asked, "limit", LIST_DEFAULT)
    if not 1 <= limit <= LIST_MAX:
        raise invalid("limit", f"Invalid integer: limit must be between 1 and {LIST_MAX}.")
    ids = [each["id"] for each in found]
    first = 0
    if cursor := asked.get("starting_after"):
        if cursor not in ids:
            raise no_such("object", cursor, "starting_after")
        first = ids.index(cursor) + 1
    shown = found[first : first + limit]
    return {"object": "list", "data": shown, "has_more": len(found) > first + limit, "url": url}


def _matches(each: Object, asked: Object) -> bool:
    """Tell whether an object is in a list by what is no field of its own: times, deliveries, what it belongs to."""
    created = asked.get("created", {})
    bounds = {"gte": each["created"].__ge__, "gt": each["created"].__gt__, "lte": each["created"].__le__}
    bounds["lt"] = each["created"].__lt__
    if isinstance(created, dict) and not all(bounds[name](int(value)) for name, value in created.items()):
        return False
    if each["object"] == "event":
        delivered = asked.get("delivery_success")
        return delivered is None or (each["pending_webhooks"] == 0) is (delivered == "true")
    if each["object"] == "subscription":
        return asked.get("status", "all") in {"all", each["status"]}
    if each["object"] == "invoice":
        return asked.get("subscription") in {None, each["parent"]["subscription_details"]["subscription"]}
    if each["object"] == "invoice_payment":
        return all(each["payment"].get(name) == value for name, value in asked.get("payment", {}).items())
    return True


def _places(holder: Any, path: list[str]) -> Iterable[tuple[Object, str]]:
    if isinstance(holder, list):
        for each in holder:
            yield from _places(each, path)
    elif isinstance(holder, dict) and len(path) > 1:
        yield from _places(holder.get(path[0]), path[1:])
    elif isinstance(holder, dict):
        yield holder, path[0]


def _check_key(request: Request) -> None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() not in {"bearer", "basic"} or not key.strip():
        raise ApiError(401, "You did not provide an API key.")


def _refuse(fault: Fault, connection: Connection) -> None:
    if fault.kind == "timeout":
        connection.hang(fault.seconds)
    if fault.kind == "connection_reset":
        connection.reset()
    raise {
        "rate_limited": ApiError(429, "Too many requests.", code="rate_limit"),
        "bad_key": ApiError(401, "Expired API Key provided: sk_test_***", code="api_key_expired"),
        "server_error": ApiError(500, "An unknown error occurred.", kind="api_error"),
        "unavailable": ApiError(503, "Stripe is not available.", kind="api_error"),
        "not_found": ApiError(404, "No such object.", code="resource_missing", param="id"),
    }[fault.kind]


def _json(body: bytes, status: int) -> Response:
    return Response(body, status, content_type="application/json")
