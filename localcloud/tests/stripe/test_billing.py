"""Subscriptions: periods, invoices, failed renewals, changes and the portal, by the real client over the wire."""

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
import stripe


def period(sub: Any) -> tuple[str, str]:
    """The days on which a subscription's period begins and ends."""
    item = sub["items"].data[0]
    begins, ends = (datetime.fromtimestamp(item[f"current_period_{end}"], UTC) for end in ("start", "end"))
    return begins.date().isoformat(), ends.date().isoformat()


def invoices(world: Any, sub: Any) -> list[tuple[str, str, int]]:
    """Why each invoice was made, its state and what was paid, oldest first."""
    found = world.client.v1.invoices.list({"subscription": sub.id}).data
    return [(each.billing_reason, each.status, each.amount_paid) for each in reversed(found)]


def test_a_first_period_is_paid_at_checkout(world: Any) -> None:
    """The subscription carries the metadata of its session; its invoice names it, the period, and its payment."""
    sub = world.subscribed(subscription_data={"metadata": {"uid": "ana"}})
    assert (sub.status, sub.metadata["uid"], period(sub)) == ("active", "ana", ("2026-11-21", "2026-12-21"))
    invoice = world.client.v1.invoices.retrieve(sub.latest_invoice)
    assert (invoice.status, invoice.amount_paid, invoice.billing_reason) == ("paid", 900, "subscription_create")
    assert invoice.parent.subscription_details.subscription == sub.id
    item = sub["items"].data[0]
    assert invoice.lines.data[0].period.start == item.current_period_start
    (payment,) = world.client.v1.invoice_payments.list({"invoice": invoice.id}).data
    intent = payment.payment.payment_intent
    by_intent = {"payment": {"type": "payment_intent", "payment_intent": intent}}
    assert [each.invoice for each in world.client.v1.invoice_payments.list(by_intent).data] == [invoice.id]
    assert world.client.v1.payment_intents.retrieve(intent).amount_received == 900


def test_a_new_period_begins_before_it_is_paid(world: Any) -> None:
    """For an hour the subscription is active in a period whose invoice is a draft; two months make two invoices."""
    sub = world.subscribed()
    world.later(days=30)
    renewed = world.client.v1.subscriptions.retrieve(sub.id)
    assert (renewed.status, period(renewed)) == ("active", ("2026-12-21", "2027-01-21"))
    assert invoices(world, sub)[1:] == [("subscription_cycle", "draft", 0)]
    world.later(hours=1)
    assert invoices(world, sub)[1:] == [("subscription_cycle", "paid", 900)]
    world.later(days=62)
    assert period(world.client.v1.subscriptions.retrieve(sub.id)) == ("2027-02-21", "2027-03-21")
    assert len(invoices(world, sub)) == 4


def test_the_last_day_of_a_month_stays_one(world: Any) -> None:
    """A period that begins on the 31st ends on the last day of a shorter month."""
    world.clock.now = datetime(2027, 1, 31, 12, tzinfo=UTC)
    assert period(world.subscribed()) == ("2027-01-31", "2027-02-28")


def test_a_failed_renewal_is_collected_for_days_and_then_canceled(world: Any) -> None:
    """Past due meanwhile; nothing is paid; the subscription ends after the last attempt."""
    sub = world.subscribed("4000000000000341")
    world.later(days=30, hours=1)
    assert world.client.v1.subscriptions.retrieve(sub.id).status == "past_due"
    assert invoices(world, sub)[1:] == [("subscription_cycle", "open", 0)]
    invoice = world.client.v1.invoices.list({"subscription": sub.id}).data[0]
    assert (invoice.attempt_count, invoice.next_payment_attempt) == (1, world.clock.seconds + 86_400)
    world.later(days=1 + 3)
    assert world.client.v1.subscriptions.retrieve(sub.id).status == "past_due"
    world.later(days=5)
    assert world.client.v1.subscriptions.retrieve(sub.id).status == "canceled"
    assert world.receiver.types().count("invoice.payment_failed") == 4
    assert world.receiver.types().count("customer.subscription.deleted") == 1


def test_a_plan_is_cancelled_in_the_portal_and_kept_again(world: Any) -> None:
    """It ends with its period, unless the user thinks better of it."""
    sub = world.subscribed()
    portal = world.client.v1.billing_portal.sessions.create(
        {"customer": sub.customer, "return_url": "https://app.example/"}
    )
    for cancel, ends in (("true", True), ("false", False), ("true", True)):
        answer = httpx2.post(portal.url, data={"subscription": sub.id, "cancel": cancel}, follow_redirects=True)
        assert ("cancelled" in answer.text) is ends
        assert world.client.v1.subscriptions.retrieve(sub.id).cancel_at_period_end is ends
    assert httpx2.post(portal.url, data={"subscription": "sub_of_somebody"}).status_code == 404
    world.later(days=30)
    ended = world.client.v1.subscriptions.retrieve(sub.id)
    assert (ended.status, len(invoices(world, sub))) == ("canceled", 1)
    assert "canceled" in httpx2.get(portal.url).text


def test_an_upgrade_begins_a_new_period_at_the_full_price(world: Any) -> None:
    """With the anchor moved to now and no proration; the old period's renewal never comes."""
    sub = world.subscribed()
    world.later(days=10)
    dearer = world.price(2_900, recurring={"interval": "month"})
    item = {"id": sub["items"].data[0].id, "price": dearer}
    change: Any = {"items": [item], "proration_behavior": "none", "billing_cycle_anchor": "now"}
    upgraded = world.client.v1.subscriptions.update(sub.id, change)
    assert (period(upgraded), upgraded["items"].data[0].price.unit_amount) == (("2026-12-01", "2027-01-01"), 2_900)
    assert invoices(world, sub)[1:] == [("subscription_update", "paid", 2_900)]
    world.later(days=25)
    assert len(invoices(world, sub)) == 2
    with pytest.raises(stripe.InvalidRequestError, match="prorates nothing"):
        world.client.v1.subscriptions.update(sub.id, {"items": [item]})


def test_a_downgrade_is_paid_from_the_next_period_on(world: Any) -> None:
    """The price changes, the period does not."""
    sub = world.subscribed()
    cheaper: Any = {"id": sub["items"].data[0].id, "price": world.price(300, recurring={"interval": "month"})}
    world.client.v1.subscriptions.update(sub.id, {"items": [cheaper], "proration_behavior": "none"})
    world.later(days=30, hours=1)
    assert invoices(world, sub) == [("subscription_create", "paid", 900), ("subscription_cycle", "paid", 300)]


def test_a_canceled_plan_is_over(world: Any) -> None:
    """At once, and it cannot be changed any more; the list shows it to whoever asks for all."""
    sub = world.subscribed()
    assert world.client.v1.subscriptions.cancel(sub.id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError):
        world.client.v1.subscriptions.cancel(sub.id)
    world.later(days=31)
    listed = world.client.v1.subscriptions.list
    assert [each.id for each in listed({"customer": sub.customer, "status": "all"}).data] == [sub.id]
    assert listed({"customer": sub.customer, "status": "active"}).data == []


def test_a_bank_debit_pays_no_subscription_here(world: Any) -> None:
    """The stand-in says so."""
    price = world.price(900, recurring={"interval": "year"})
    session = world.session(price, "subscription")
    assert "cards alone" in httpx2.post(session.url, data={"number": "000123456789"}).text
