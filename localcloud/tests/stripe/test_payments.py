"""Packs: checkout and its page, refunds and disputes, by the real client over the wire."""

import re
from typing import Any

import httpx2
import pytest
import stripe

from localcloud.stripe.errors import ApiError


def test_a_pack_is_paid_on_its_page(world: Any) -> None:
    """The page takes a card and leads back to the app; session, intent and charge then agree."""
    session = world.session(
        client_reference_id="ana", metadata={"payment": "p1"}, payment_intent_data={"metadata": {"payment": "p1"}}
    )
    assert (session.status, session.payment_status, session.amount_total) == ("open", "unpaid", 499)
    page = httpx2.get(session.url)
    assert "Pay 4.99 USD" in page.text
    numbers = re.findall(r'name="number" value="(\d+)"', page.text)
    declined = httpx2.post(session.url, data={"number": numbers[1]})
    assert "Your card was declined." in declined.text
    paid = httpx2.post(session.url, data={"number": numbers[0]})
    assert (paid.status_code, paid.headers["location"]) == (303, "https://app.example/done")
    assert "This session is complete." in httpx2.get(f"{world.standin.base_url}/c/pay/{session.id}").text

    done = world.client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]})
    assert (done.status, done.payment_status, done.client_reference_id) == ("complete", "paid", "ana")
    assert (done.payment_intent.status, done.payment_intent.metadata["payment"]) == ("succeeded", "p1")
    assert done.payment_intent.latest_charge.amount == 499
    items = world.client.v1.checkout.sessions.line_items.list(session.id)
    assert [(each.amount_total, each.price.unit_amount) for each in items.data] == [(499, 499)]
    world.standin.tick()
    assert set(world.receiver.types()) >= {"checkout.session.completed", "payment_intent.succeeded"}


def test_a_declined_card_leaves_the_session_open(world: Any) -> None:
    """Nothing is paid, and another card may be tried."""
    session = world.session()
    with pytest.raises(ApiError, match="insufficient funds"):
        world.standin.pay(session.id, "4000000000009995")
    assert world.client.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert world.standin.pay(session.id)["status"] == "complete"
    with pytest.raises(ApiError, match="complete"):
        world.standin.pay(session.id)


@pytest.mark.parametrize(("number", "ends"), [("000123456789", "succeeded"), ("000111111116", "failed")])
def test_a_bank_debit_is_known_later(world: Any, number: str, ends: str) -> None:
    """The session is complete and unpaid at first; an event of its own says how it ended."""
    session = world.standin.pay(world.session().id, number)
    assert (session["status"], session["payment_status"]) == ("complete", "unpaid")
    world.later(minutes=29)
    assert "checkout.session.completed" in world.receiver.types()
    world.later(minutes=1)
    assert f"checkout.session.async_payment_{ends}" in world.receiver.types()
    paid = world.client.v1.checkout.sessions.retrieve(session["id"]).payment_status
    assert paid == ("paid" if ends == "succeeded" else "unpaid")


def saved(world: Any, number: str = "4242424242424242", **pay: Any) -> dict[str, Any]:
    """Buy a pack and save the card; return what asks for a payment by it."""
    data = {"payment_intent_data": {"setup_future_usage": "off_session"}}
    session = world.standin.pay(world.session(**data).id, number)
    (method,) = world.client.v1.customers.payment_methods.list(session["customer"]).data
    customer = {"customer": session["customer"], "payment_method": method.id}
    return {"amount": 200, "currency": "usd", "confirm": True, "off_session": True, **customer, **pay}


def test_a_saved_card_pays_with_nobody_there(world: Any) -> None:
    """It is the customer's from then on, and an idempotency key pays once."""
    asked, once = saved(world, metadata={"pack": "p1"}), {"idempotency_key": "p1"}
    first, second = (world.client.v1.payment_intents.create(asked, once) for _ in range(2))
    assert (first.status, first.amount_received, first.metadata["pack"], second.id) == (
        "succeeded",
        200,
        "p1",
        first.id,
    )
    session = world.standin.pay(world.session().id)
    assert world.client.v1.customers.payment_methods.list(session["customer"]).data == []


@pytest.mark.parametrize(
    ("number", "code"), [("4000000000000341", "card_declined"), ("4000002760003184", "authentication_required")]
)
def test_a_bank_may_refuse_what_nobody_is_there_for(world: Any, number: str, code: str) -> None:
    """The error says why, under the same key too; the intent is there, unpaid."""
    asked = saved(world, number)
    for _ in range(2):
        with pytest.raises(stripe.CardError) as refused:
            world.client.v1.payment_intents.create(asked, {"idempotency_key": "p1"})
        assert refused.value.code == code
    unpaid = world.client.v1.payment_intents.list({"customer": asked["customer"], "limit": 1}).data[0]
    assert (unpaid.status, unpaid.last_payment_error.code) == ("requires_payment_method", code)


def test_what_cannot_be_paid_by_a_saved_card_is_refused(world: Any) -> None:
    """A payment with somebody there, another customer's card, one that nobody has."""
    asked, stranger = saved(world), world.client.v1.customers.create({}).id
    for wrong in ({"off_session": False}, {"customer": stranger}, {"payment_method": "pm_none"}):
        with pytest.raises(stripe.InvalidRequestError):
            world.client.v1.payment_intents.create({**asked, **wrong})
    attach = world.client.v1.payment_methods.attach
    assert attach("pm_card_visa", {"customer": stranger}).customer == stranger
    for method, params in (("pm_other", {"customer": stranger}), ("pm_card_visa", {})):
        with pytest.raises(stripe.InvalidRequestError):
            attach(method, params)


def test_a_session_that_nobody_pays_expires(world: Any) -> None:
    """After a day; or at once if that is asked for."""
    left, closed = world.session(), world.session()
    assert world.client.v1.checkout.sessions.expire(closed.id).status == "expired"
    world.later(hours=24)
    assert world.client.v1.checkout.sessions.retrieve(left.id).status == "expired"
    assert world.receiver.types().count("checkout.session.expired") == 2


def test_refunds_add_up(world: Any) -> None:
    """Each has its own id and amount; more than was paid is refused."""
    intent = world.bought()
    create, retrieve = world.client.v1.refunds.create, world.client.v1.charges.retrieve
    first = create({"payment_intent": intent.id, "amount": 100})
    charge = retrieve(intent.latest_charge.id)
    assert (first.status, charge.amount_refunded, charge.refunded) == ("succeeded", 100, False)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        create({"payment_intent": intent.id, "amount": 400})
    create({"charge": intent.latest_charge.id})
    assert retrieve(intent.latest_charge.id).refunded
    with pytest.raises(stripe.InvalidRequestError) as refused:
        create({"payment_intent": intent.id})
    assert refused.value.code == "charge_already_refunded"
    listed = world.client.v1.refunds.list({"payment_intent": intent.id})
    assert [each.amount for each in listed.data] == [399, 100]


@pytest.mark.parametrize(
    ("number", "first", "last", "refunded"),
    [("4000000000007726", "pending", "succeeded", 499), ("4000000000005126", "succeeded", "failed", 0)],
)
def test_a_refund_may_end_later(world: Any, number: str, first: str, last: str, refunded: int) -> None:
    """One that was pending succeeds; one that had succeeded fails at the bank, and the charge is whole again."""
    intent = world.bought(number)
    refund = world.client.v1.refunds.create({"payment_intent": intent.id})
    assert refund.status == first
    world.later(minutes=30)
    assert world.client.v1.refunds.retrieve(refund.id).status == last
    assert world.client.v1.charges.retrieve(intent.latest_charge.id).amount_refunded == refunded
    assert {"succeeded": "refund.updated", "failed": "refund.failed"}[last] in world.receiver.types()


@pytest.mark.parametrize(
    ("evidence", "status", "event"),
    [
        ("winning_evidence", "won", "charge.dispute.funds_reinstated"),
        ("losing_evidence", "lost", "charge.dispute.closed"),
    ],
)
def test_a_dispute_takes_the_money_when_it_opens(world: Any, evidence: str, status: str, event: str) -> None:
    """It is won or lost by its evidence; while it is open, or lost, the charge cannot be refunded as well."""
    intent = world.bought("4000000000000259")
    world.later(minutes=30)
    (dispute,) = world.client.v1.disputes.list({"payment_intent": intent.id}).data
    assert (dispute.status, dispute.amount, dispute.reason) == ("needs_response", 499, "fraudulent")
    assert "charge.dispute.funds_withdrawn" in world.receiver.types()
    with pytest.raises(stripe.InvalidRequestError, match="charged back"):
        world.client.v1.refunds.create({"payment_intent": intent.id})
    review = world.client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "a receipt"}})
    assert review.status == "under_review"
    ended = world.client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": evidence}})
    assert ended.status == status
    world.standin.tick()
    assert event in world.receiver.types()
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        world.client.v1.disputes.close(dispute.id)


def test_an_inquiry_takes_no_money(world: Any) -> None:
    """It closes without a winner, and no funds are withdrawn for it; a dispute that is given up is lost."""
    inquiry, given_up = world.bought("4000000000001976"), world.bought("4000000000002685")
    world.later(minutes=30)
    (first,) = world.client.v1.disputes.list({"payment_intent": inquiry.id}).data
    assert (first.status, world.receiver.types().count("charge.dispute.funds_withdrawn")) == (
        "warning_needs_response",
        1,
    )
    update = {"evidence": {"uncategorized_text": "winning_evidence"}}
    assert world.client.v1.disputes.update(first.id, update).status == "warning_closed"
    (second,) = world.client.v1.disputes.list({"payment_intent": given_up.id}).data
    assert world.client.v1.disputes.close(second.id).status == "lost"


def test_what_costs_nothing_needs_no_payment(world: Any) -> None:
    """A price of zero is complete without a payment intent."""
    session = world.standin.pay(world.session(world.price(0)).id)
    assert (session["payment_status"], session["payment_intent"]) == ("no_payment_required", None)


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"mode": "gift"}, "mode"),
        ({"mode": "subscription"}, "line_items[0][price]"),
        ({"line_items": []}, "line_items[0][price]"),
        ({"line_items": [{"price": "price_none"}]}, "id"),
        ({"customer": "cus_none"}, "id"),
        ({"expires_at": "soon"}, "expires_at"),
    ],
)
def test_what_cannot_be_sold_is_refused(world: Any, params: Any, param: str) -> None:
    """The error names the parameter."""
    with pytest.raises(stripe.InvalidRequestError) as refused:
        world.session(**params)
    assert refused.value.param == param
