"""Subscriptions and their invoices, by the clock: a new period begins, an hour later it is paid, or collection begins.

    renewal   |-- draft, subscription active --| paid
                                               | declined: past due, tried again after days, in the end canceled

As since API 2025-03-31, the period is the item's, an invoice knows its subscription by `parent`, and its payments are
objects of their own (`/v1/invoice_payments`).
"""

from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from localcloud.standins.ids import Ids
from localcloud.stripe.errors import ApiError, invalid
from localcloud.stripe.events import Events
from localcloud.stripe.money import Later, Money, new
from localcloud.stripe.objects import Object, Objects
from localcloud.stripe.settings import COLLECT_AFTER_DAYS, DRAFT_SECONDS

DAY_SECONDS = 24 * 3600
ENDED = {"canceled", "incomplete_expired"}


class Billing:
    """Keeps subscriptions going."""

    def __init__(
        self, objects: Objects, events: Events, ids: Ids, money: Money, later: Later, now: Callable[[], float]
    ) -> None:
        """Begin with no subscription."""
        self._objects, self._events, self._ids, self._money = objects, events, ids, money
        self._later, self._now = later, now

    def subscribe(
        self, price: Object, customer: str, method: Object, metadata: Object, settle_seconds: float
    ) -> Object:
        """Return a subscription whose first period is paid. Raises ApiError if the card is declined."""
        now = int(self._now())
        sub = new(self._ids.new("sub_"), "subscription", now)
        item = {"id": self._ids.new("si_"), "object": "subscription_item", "price": price, "quantity": 1}
        item |= {"current_period_start": now, "current_period_end": _after(now, price), "subscription": sub["id"]}
        sub |= {
            "billing_cycle_anchor": now,
            "cancel_at": None,
            "cancel_at_period_end": False,
            "canceled_at": None,
            "currency": price["currency"],
            "customer": customer,
            "default_payment_method": method["id"],
            "ended_at": None,
            "items": {
                "object": "list",
                "data": [item],
                "has_more": False,
                "url": f"/v1/subscription_items?{sub['id']}",
            },
            "latest_invoice": None,
            "metadata": metadata,
            "start_date": now,
            "status": "active",
        }
        intent = self._money.pay(
            price["unit_amount"], price["currency"], customer, method, {}, settle_seconds=settle_seconds
        )
        self._objects.put(sub)
        invoice = self._invoice(sub, "subscription_create")
        sub = self._objects.change(sub["id"], latest_invoice=invoice["id"])
        self._events.emit("customer.subscription.created", sub)
        self._paid(invoice["id"], intent)
        self._later(_end(sub) - now, lambda: self._renew(sub["id"], _end(sub)))
        return self._objects.get(sub["id"])

    def change(self, sub_id: str, asked: Object) -> Object:
        """Change what a subscription costs or whether it goes on; anything that would be prorated is refused."""
        sub = self._running(sub_id)
        if "cancel_at_period_end" in asked:
            ends = asked["cancel_at_period_end"] == "true"
            sub |= {"cancel_at_period_end": ends, "canceled_at": int(self._now()) if ends else None}
            sub |= {"cancel_at": _end(sub) if ends else None}
        if items := asked.get("items"):
            if asked.get("proration_behavior") != "none":
                raise invalid("proration_behavior", "The stand-in prorates nothing: send proration_behavior=none.")
            price = self._objects.get(items["0"]["price"], "price")
            sub["items"]["data"][0]["price"] = price
        if asked.get("billing_cycle_anchor") == "now":
            now = int(self._now())
            item = sub["items"]["data"][0]
            item |= {"current_period_start": now, "current_period_end": _after(now, item["price"])}
            self._objects.put(sub | {"billing_cycle_anchor": now})
            self._later(_end(sub) - now, lambda: self._renew(sub_id, _end(sub)))
            self._charge(self._invoice(sub, "subscription_update")["id"])
            return self._objects.get(sub_id)
        self._events.emit("customer.subscription.updated", self._objects.put(sub))
        return sub

    def cancel(self, sub_id: str) -> Object:
        """End a subscription now."""
        now = int(self._now())
        sub = self._running(sub_id) | {"status": "canceled", "canceled_at": now, "ended_at": now}
        self._events.emit("customer.subscription.deleted", self._objects.put(sub))
        return sub

    def _running(self, sub_id: str) -> Object:
        sub = self._objects.get(sub_id, "subscription")
        if sub["status"] in ENDED:
            raise ApiError(404, f"No such subscription: '{sub_id}'", code="resource_missing", param="id")
        return sub

    def _renew(self, sub_id: str, end: int) -> None:
        sub = self._objects.get(sub_id)
        if sub["status"] in ENDED or _end(sub) != end:
            return
        if sub["cancel_at_period_end"]:
            self.cancel(sub_id)
            return
        item = sub["items"]["data"][0]
        item |= {"current_period_start": end, "current_period_end": _after(end, item["price"])}
        self._objects.put(sub)
        invoice = self._invoice(sub, "subscription_cycle")
        sub = self._objects.change(sub_id, latest_invoice=invoice["id"])
        self._events.emit("customer.subscription.updated", sub)
        self._later(DRAFT_SECONDS, lambda: self._charge(invoice["id"]))
        self._later(_end(sub) - self._now(), lambda: self._renew(sub_id, _end(sub)))

    def _invoice(self, sub: Object, reason: str) -> Object:
        item = sub["items"]["data"][0]
        period = {"start": item["current_period_start"], "end": item["current_period_end"]}
        amount, details = item["price"]["unit_amount"], {"subscription": sub["id"], "metadata": sub["metadata"]}
        line = {"id": self._ids.new("il_"), "object": "line_item", "amount": amount, "period": period}
        line |= {"pricing": {"type": "price_details", "price_details": {"price": item["price"]["id"]}}}
        invoice = new(
            self._ids.new("in_"),
            "invoice",
            self._now(),
            amount_due=amount,
            amount_paid=0,
            amount_remaining=amount,
            attempt_count=0,
            billing_reason=reason,
            currency=sub["currency"],
            customer=sub["customer"],
            lines={"object": "list", "data": [line], "has_more": False, "url": "/v1/invoices/lines"},
            metadata={},
            next_payment_attempt=None,
            parent={"type": "subscription_details", "subscription_details": details, "quote_details": None},
            status="draft",
            status_transitions={"paid_at": None},
            total=amount,
        )
        self._events.emit("invoice.created", self._objects.put(invoice))
        return invoice

    def _charge(self, invoice_id: str) -> None:
        invoice = self._objects.get(invoice_id)
        sub = self._objects.get(invoice["parent"]["subscription_details"]["subscription"])
        if sub["status"] in ENDED or invoice["status"] == "paid":
            return
        method = self._objects.get(sub["default_payment_method"])
        attempts = invoice["attempt_count"] + 1
        self._objects.change(invoice_id, status="open", attempt_count=attempts)
        try:
            intent = self._money.pay(
                invoice["amount_due"], invoice["currency"], sub["customer"], method, {}, settle_seconds=0, again=True
            )
        except ApiError:
            self._declined(invoice_id, sub["id"], attempts)
        else:
            self._paid(invoice_id, intent)

    def _declined(self, invoice_id: str, sub_id: str, attempts: int) -> None:
        left = COLLECT_AFTER_DAYS[attempts - 1 :]
        again = int(self._now()) + left[0] * DAY_SECONDS if left else None
        invoice = self._objects.change(invoice_id, next_payment_attempt=again)
        self._events.emit("invoice.payment_failed", invoice)
        if again is None:
            self.cancel(sub_id)
            return
        self._events.emit("customer.subscription.updated", self._objects.change(sub_id, status="past_due"))
        self._later(again - self._now(), lambda: self._charge(invoice_id))

    def _paid(self, invoice_id: str, intent: Object) -> None:
        invoice = self._objects.get(invoice_id)
        due = invoice["amount_due"]
        done = {"status": "paid", "amount_paid": due, "amount_remaining": 0, "next_payment_attempt": None}
        invoice = self._objects.change(invoice_id, **done, status_transitions={"paid_at": int(self._now())})
        payment = {"type": "payment_intent", "payment_intent": intent["id"]}
        fields: dict[str, Any] = {"amount_paid": due, "amount_requested": due, "currency": invoice["currency"]}
        fields |= {"invoice": invoice_id, "is_default": True, "payment": payment, "status": "paid"}
        self._objects.put(new(self._ids.new("inpay_"), "invoice_payment", self._now(), **fields))
        self._events.emit("invoice.paid", invoice)
        sub = self._objects.get(invoice["parent"]["subscription_details"]["subscription"])
        if sub["status"] == "past_due" or invoice["billing_reason"] == "subscription_update":
            sub = self._objects.change(sub["id"], status="active", latest_invoice=invoice_id)
            self._events.emit("customer.subscription.updated", sub)


def _end(sub: Object) -> int:
    end: int = sub["items"]["data"][0]["current_period_end"]
    return end


def _after(start: int, price: Object) -> int:
    """Return the end of a period: the same day of a later month or year, or the month's last one."""
    recurring: dict[str, Any] = price["recurring"]
    if recurring["interval"] in {"day", "week"}:
        return start + int(recurring["interval_count"]) * DAY_SECONDS * (7 if recurring["interval"] == "week" else 1)
    months = recurring["interval_count"] * (12 if recurring["interval"] == "year" else 1)
    begin = datetime.fromtimestamp(start, UTC)
    year, month = divmod(begin.year * 12 + begin.month - 1 + months, 12)
    day = min(begin.day, monthrange(year, month + 1)[1])
    return int(begin.replace(year=year, month=month + 1, day=day).timestamp())
