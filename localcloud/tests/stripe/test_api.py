"""Keys, pages, events and faults: what the real client relies on, over the wire."""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
import stripe


def test_a_key_has_one_answer(world: Any) -> None:
    """A repeated request makes nothing again; other parameters under the same key are an error; a day later it is
    forgotten."""
    intent = world.bought()
    create, params = world.client.v1.refunds.create, {"payment_intent": intent.id, "amount": 100}
    once = {"idempotency_key": "refund-1"}
    first, second = create(params, once), create(params, once)
    assert (first.id, second.last_response.headers["idempotent-replayed"]) == (second.id, "true")
    with pytest.raises(stripe.IdempotencyError):
        create({**params, "amount": 200}, once)
    world.later(hours=24)
    assert create(params, once).id != first.id


def test_a_lost_reply_is_found_by_its_key(world: Any) -> None:
    """The session exists though nobody heard of it; asking again returns it."""
    price = world.price()
    params: Any = {"mode": "payment", "line_items": [{"price": price, "quantity": 1}], "success_url": "https://a.b"}
    world.standin.faults.add("reply_lost", endpoint="POST /v1/checkout/sessions")
    for failed in (True, False):
        try:
            world.client.v1.checkout.sessions.create(params, {"idempotency_key": "intent-1"})
        except stripe.APIConnectionError:
            assert failed
    assert len(world.client.v1.checkout.sessions.list().data) == 1
    assert world.standin.requests["POST /v1/checkout/sessions"] == 2


def test_what_was_not_begun_is_not_kept(world: Any) -> None:
    """A wrong parameter can be corrected under the same key."""
    once = {"idempotency_key": "price-1"}
    product = world.client.v1.products.create({"name": "100 tokens"}).id
    with pytest.raises(stripe.InvalidRequestError, match="Missing required param: unit_amount"):
        world.client.v1.prices.create({"product": product, "currency": "usd"}, once)
    assert world.client.v1.prices.create({"product": product, "currency": "usd", "unit_amount": 5}, once).id


def test_lists_come_in_pages(world: Any) -> None:
    """Newest first; the client's own paging reads all of them."""
    made = [world.client.v1.customers.create({"email": f"{number}@app.example"}).id for number in range(7)]
    page = world.client.v1.customers.list({"limit": 3})
    assert ([each.id for each in page.data], page.has_more) == (made[:3:-1], True)
    assert [each.id for each in page.auto_paging_iter()] == made[::-1]
    for wrong in ({"limit": 101}, {"starting_after": "cus_none"}):
        with pytest.raises(stripe.InvalidRequestError):
            world.client.v1.customers.list(wrong)


def test_events_are_signed_as_the_client_checks_it(world: Any) -> None:
    """Another secret, another body and an old signature are refused; the event carries its object."""
    world.bought()
    assert world.standin.tick() == len(world.receiver.attempts) > 0
    completed = world.receiver.events()[world.receiver.types().index("checkout.session.completed")]
    assert completed.data.object.payment_status == "paid"
    body, header = world.receiver.attempts[0]
    for attempt in ((body, header, "whsec_another"), (body + b" ", header, world.receiver.secret)):
        with pytest.raises(stripe.SignatureVerificationError, match="No signatures found matching"):
            world.client.construct_event(*attempt)


def test_an_old_signature_is_refused(make_world: Callable[..., Any]) -> None:
    """The client compares its timestamp with the machine's time."""
    world = make_world(signing_time=lambda: time.time() - 600)
    world.bought()
    world.standin.tick()
    with pytest.raises(stripe.SignatureVerificationError, match="tolerance"):
        world.receiver.events()


def test_thin_events_name_their_object_alone(make_world: Callable[..., Any]) -> None:
    """The real client reads them, and fetches the object from where it says."""
    world = make_world(webhook_payload="thin")
    sub = world.subscribed()
    world.bought("4000000000000259")
    world.later(minutes=30)
    read, secret = world.client.parse_event_notification, world.receiver.secret
    notes = {note.type: note for note in (read(*attempt, secret) for attempt in world.receiver.attempts)}
    assert notes["v1.customer.subscription.created"].related_object.id == sub.id
    assert notes["v1.invoice.paid"].fetch_related_object().status == "paid"
    assert notes["v1.charge.dispute.created"].fetch_related_object().status == "needs_response"
    assert notes["v1.checkout.session.completed"].fetch_related_object().status == "complete"
    assert b"amount" not in b"".join(body for body, _ in world.receiver.attempts)
    event = notes["v1.invoice.paid"].fetch_event()
    assert world.client.v1.events.retrieve(event.snapshot_event).type == "invoice.paid"


def test_what_was_not_delivered_can_be_listed(world: Any) -> None:
    """A lost event is among the undelivered ones; what was refused comes again, and is then delivered."""
    world.standin.faults.add("webhook_lost", endpoint="checkout.session.completed")
    world.receiver.refuse_with += [503]
    world.bought()
    world.standin.tick()
    undelivered = {"delivery_success": False, "created": {"gte": world.clock.seconds}}
    assert len(world.client.v1.events.list(undelivered).data) == 2
    world.later(seconds=5)
    (lost,) = world.client.v1.events.list(undelivered).data
    assert (lost.type, lost.pending_webhooks) == ("checkout.session.completed", 1)
    assert world.client.v1.events.list({"type": "charge.succeeded", "delivery_success": True}).data


@pytest.mark.parametrize(
    ("kind", "arrived"), [("webhook_duplicated", [0, 1, 1, 2]), ("webhook_reordered", [0, 2, 1]), ("", [0, 1, 2])]
)
def test_events_come_twice_or_in_another_order(world: Any, kind: str, arrived: list[int]) -> None:
    """As real ones do."""
    if kind:
        world.standin.faults.add(kind, skip=1)
    made = [world.client.v1.customers.create({"name": f"{number}"}).id for number in range(3)]
    world.standin.tick()
    assert [made.index(event.data.object.id) for event in world.receiver.events()] == arrived


def test_a_read_can_be_stale(world: Any) -> None:
    """The object is as it was some seconds ago, in a list as well; an object that was not there yet is not found."""
    intent = world.bought()
    world.later(minutes=5)
    refund = world.client.v1.refunds.create({"payment_intent": intent.id})
    world.standin.faults.add("state_stale", seconds=60, count=3)
    assert not world.client.v1.charges.retrieve(intent.latest_charge.id).refunded
    assert world.client.v1.refunds.list({"payment_intent": intent.id}).data == []
    with pytest.raises(stripe.InvalidRequestError):
        world.client.v1.refunds.retrieve(refund.id)
    assert world.client.v1.charges.retrieve(intent.latest_charge.id).refunded


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("rate_limited", stripe.RateLimitError),
        ("bad_key", stripe.AuthenticationError),
        ("server_error", stripe.APIError),
        ("unavailable", stripe.APIError),
        ("not_found", stripe.InvalidRequestError),
        ("connection_reset", stripe.APIConnectionError),
        ("malformed_json", stripe.APIError),
    ],
)
def test_faults_are_the_clients_errors(world: Any, kind: str, error: type[Exception]) -> None:
    """Each once, and the next request is served."""
    customer = world.client.v1.customers.create({}).id
    world.standin.faults.add(kind, endpoint="GET /v1/customers/{id}")
    with pytest.raises(error):
        world.client.v1.customers.retrieve(customer)
    assert world.client.v1.customers.retrieve(customer).id == customer


def test_a_silent_server_is_waited_for_no_longer_than_asked(world: Any) -> None:
    """The client's own time limit ends it."""
    world.standin.faults.add("timeout", endpoint="GET /v1/customers")
    impatient = stripe.StripeClient(
        "sk_test_any",
        base_addresses={"api": world.standin.base_url},
        http_client=stripe.RequestsClient(timeout=0.2),
        max_network_retries=0,
    )
    with pytest.raises(stripe.APIConnectionError):
        impatient.v1.customers.list()


def test_a_request_needs_a_key_and_a_route(world: Any) -> None:
    """401 and 404 in Stripe's shape; the admin endpoints need none."""
    url = world.standin.base_url
    assert httpx2.get(f"{url}/v1/customers").json()["error"]["type"] == "invalid_request_error"
    assert httpx2.get(f"{url}/v1/customers").status_code == 401
    assert httpx2.get(f"{url}/v1/gifts", headers={"authorization": "Bearer x"}).status_code == 404
    added = httpx2.post(f"{world.standin.admin_url}/faults", json={"kind": "unavailable"})
    assert added.json()["id"] == json.loads(httpx2.get(f"{world.standin.admin_url}/faults").text)[0]["id"]
