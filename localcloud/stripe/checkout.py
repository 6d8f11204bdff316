"""Checkout: sessions, and what happens when somebody pays on their page; the portal, where plans are cancelled."""

from collections.abc import Callable
from typing import Any

from localcloud.standins.ids import Ids
from localcloud.stripe.billing import Billing
from localcloud.stripe.errors import ApiError, invalid, missing
from localcloud.stripe.events import Events
from localcloud.stripe.money import Later, Money, new, number
from localcloud.stripe.objects import Object, Objects
from localcloud.stripe.settings import SESSION_SECONDS


class Checkout:
    """Sells prices."""

    def __init__(
        self,
        objects: Objects,
        events: Events,
        ids: Ids,
        money: Money,
        billing: Billing,
        later: Later,
        now: Callable[[], float],
    ) -> None:
        """Begin with no session."""
        self._objects, self._events, self._ids, self._money, self._billing = objects, events, ids, money, billing
        self._later, self._now = later, now

    def create(self, asked: Object, origin: str) -> Object:
        """Return a session with the address of its page, below `origin`. Raises ApiError for what cannot be sold."""
        mode, price, quantity = asked.get("mode"), *self._line(asked)
        if mode not in {"payment", "subscription"}:
            raise invalid("mode", "Invalid mode: must be one of payment or subscription.")
        if (mode == "subscription") is not (price["recurring"] is not None):
            raise invalid("line_items[0][price]", f"The price cannot be used in `{mode}` mode.")
        if "success_url" not in asked:
            raise missing("success_url")
        if customer := asked.get("customer"):
            self._objects.get(customer, "customer")
        session_id, now = self._ids.new("cs_test_"), self._now()
        total = price["unit_amount"] * quantity
        expires = number(asked, "expires_at", int(now) + SESSION_SECONDS)
        session = new(
            session_id,
            "checkout.session",
            now,
            amount_subtotal=total,
            amount_total=total,
            cancel_url=asked.get("cancel_url"),
            client_reference_id=asked.get("client_reference_id"),
            currency=price["currency"],
            customer=customer,
            customer_email=asked.get("customer_email"),
            expires_at=expires,
            invoice=None,
            metadata=asked.get("metadata", {}),
            mode=mode,
            payment_intent=None,
            payment_status="unpaid",
            status="open",
            subscription=None,
            success_url=asked["success_url"],
            url=f"{origin}/c/pay/{session_id}",
        )
        self._objects.put(session)
        about = asked.get(f"{'subscription' if mode == 'subscription' else 'payment_intent'}_data", {})
        fields = {"price": price["id"], "quantity": quantity, "session": session_id}
        fields |= {"payment_metadata": about.get("metadata", {})}
        fields |= {"saves": about.get("setup_future_usage") == "off_session"}
        self._objects.put(
            new(self._ids.new("li_"), "item", now, amount_total=total, currency=price["currency"], **fields)
        )
        self._later(expires - now, lambda: self._expire_unpaid(session_id))
        return session

    def _line(self, asked: Object) -> tuple[Object, int]:
        each = asked.get("line_items", {}).get("0", {})
        if "price" not in each:
            raise missing("line_items[0][price]")
        return self._objects.get(each["price"], "price"), number(each, "quantity", 1)

    def expire(self, session_id: str) -> Object:
        """Close a session that is open."""
        if self._objects.get(session_id, "checkout.session")["status"] != "open":
            raise ApiError(400, 'Only Checkout Sessions with a status in ["open"] can be expired.')
        session = self._objects.change(session_id, status="expired", url=None)
        self._events.emit("checkout.session.expired", session)
        return session

    def _expire_unpaid(self, session_id: str) -> None:
        if self._objects.get(session_id)["status"] == "open":
            self.expire(session_id)

    def pay(self, session_id: str, method_number: str, settle_seconds: float) -> Object:
        """Complete a session as its page does, with the number of a test card or bank account.

        Raises:
            ApiError: the card is declined, and the session stays open; or it is no longer open.
        """
        session = self._objects.get(session_id, "checkout.session")
        if session["status"] != "open":
            raise ApiError(400, f"This Checkout Session is {session['status']}.")
        item = self._objects.all("item", session=session_id)[0]
        price, metadata = self._objects.get(item["price"]), item["payment_metadata"]
        customer = session["customer"]
        if customer is None:
            customer = self.customer({"email": session["customer_email"]})["id"]
        saved = session["mode"] == "subscription" or item["saves"]
        method = self._money.method(method_number, customer if saved else None)
        done: dict[str, Any] = {"status": "complete", "url": None, "customer": customer, "payment_status": "paid"}
        if session["mode"] == "subscription":
            if method["type"] != "card":
                raise invalid("payment_method", "The stand-in takes cards alone for subscriptions.")
            sub = self._billing.subscribe(price, customer, method, metadata, settle_seconds)
            done |= {"subscription": sub["id"], "invoice": sub["latest_invoice"]}
        elif session["amount_total"] == 0:
            done |= {"payment_status": "no_payment_required"}
        else:
            intent = self._money.pay(
                session["amount_total"],
                session["currency"],
                customer,
                method,
                metadata,
                settle_seconds=settle_seconds,
                settled=lambda settled: self._settled(session_id, settled),
            )
            status = "paid" if intent["status"] == "succeeded" else "unpaid"
            done |= {"payment_intent": intent["id"], "payment_status": status}
        session = self._objects.change(session_id, **done)
        self._events.emit("checkout.session.completed", session)
        return session

    def _settled(self, session_id: str, intent: Object) -> None:
        if intent["status"] == "succeeded":
            session = self._objects.change(session_id, payment_status="paid")
            self._events.emit("checkout.session.async_payment_succeeded", session)
        else:
            self._events.emit("checkout.session.async_payment_failed", self._objects.get(session_id))

    def customer(self, asked: Object) -> Object:
        """Return a new customer."""
        fields = {"email": asked.get("email"), "name": asked.get("name"), "metadata": asked.get("metadata", {})}
        customer = self._objects.put(new(self._ids.new("cus_"), "customer", self._now(), **fields))
        self._events.emit("customer.created", customer)
        return customer

    def open_portal(self, asked: Object, origin: str) -> Object:
        """Return a session of the portal, with the address of its page."""
        if "customer" not in asked:
            raise missing("customer")
        customer = self._objects.get(asked["customer"], "customer")["id"]
        session_id, returns = self._ids.new("bps_"), asked.get("return_url")
        fields = {"customer": customer, "return_url": returns, "url": f"{origin}/p/session/{session_id}"}
        return self._objects.put(new(session_id, "billing_portal.session", self._now(), **fields))
