"""Payments, refunds and disputes. What a payment method does is written in its number, as in Stripe's own test mode:
https://docs.stripe.com/testing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from localcloud.standins.ids import Ids
from localcloud.stripe.errors import ApiError, declined, invalid, missing
from localcloud.stripe.events import Events
from localcloud.stripe.objects import Object, Objects


@dataclass(frozen=True)
class Method:
    """What comes of paying with a number: at once, at later payments, at a refund, and in a dispute."""

    kind: str = "card"
    decline: str = ""
    later_decline: str = ""
    settles: bool | None = None
    refund: str = "succeeded"
    refund_ends: str = ""
    dispute: str = ""
    dispute_status: str = "needs_response"


METHODS: dict[str, Method] = {
    "4242424242424242": Method(),
    "4000000000000002": Method(decline="generic_decline"),
    "4000000000009995": Method(decline="insufficient_funds"),
    "4000000000000341": Method(later_decline="generic_decline"),
    "4000002760003184": Method(later_decline="authentication_required"),
    "4000000000007726": Method(refund="pending", refund_ends="succeeded"),
    "4000000000005126": Method(refund_ends="failed"),
    "4000000000000259": Method(dispute="fraudulent"),
    "4000000000002685": Method(dispute="product_not_received"),
    "4000000000001976": Method(dispute="general", dispute_status="warning_needs_response"),
    "000123456789": Method(kind="us_bank_account", settles=True),
    "000111111116": Method(kind="us_bank_account", settles=False),
}

OPEN = {"needs_response", "under_review", "warning_needs_response", "warning_under_review"}


class Later(Protocol):
    """Puts something off."""

    def __call__(self, seconds: float, act: Callable[[], object]) -> None:
        """Do it when the clock is that much further."""


class Money:
    """Charges customers, and gives and loses money again."""

    def __init__(self, objects: Objects, events: Events, ids: Ids, later: Later, now: Callable[[], float]) -> None:
        """Begin with no payment. How long `later` is, its caller decides."""
        self._objects, self._events, self._ids, self._later, self._now = objects, events, ids, later, now
        self._numbers: dict[str, str] = {}

    def method(self, number: str, customer: str | None) -> Object:
        """Return a new payment method of this number. Raises ApiError for a number that no test method has."""
        if number not in METHODS:
            raise ApiError(402, "Your card number is incorrect.", kind="card_error", code="incorrect_number")
        kind = METHODS[number].kind
        each = self._new("pm_", "payment_method", type=kind, customer=customer)
        each[kind] = {"last4": number[-4:]}
        self._numbers[each["id"]] = number
        return self._objects.put(each)

    def pay(
        self,
        amount: int,
        currency: str,
        customer: str | None,
        method: Object,
        metadata: Object,
        *,
        settle_seconds: float,
        again: bool = False,
        settled: Callable[[Object], object] = lambda _: None,
    ) -> Object:
        """Return a payment intent: succeeded, or processing until the bank knows, of which `settled` is told.

        Raises:
            ApiError: the card is declined; `again` says that it was on file.
        """
        ways = METHODS[self._numbers[method["id"]]]
        if decline := ways.decline or (ways.later_decline if again else ""):
            raise declined(decline)
        intent = self._new(
            "pi_",
            "payment_intent",
            amount=amount,
            amount_received=0,
            currency=currency,
            customer=customer,
            latest_charge=None,
            metadata=metadata,
            payment_method=method["id"],
            setup_future_usage="off_session" if method["customer"] and not again else None,
            status="processing",
        )
        if ways.settles is None:
            return self._succeed(intent, ways, settle_seconds)
        self._events.emit("payment_intent.processing", self._objects.put(intent))

        def settle() -> None:
            if ways.settles:
                settled(self._succeed(intent, ways, settle_seconds))
                return
            failed = self._objects.change(intent["id"], status="requires_payment_method")
            self._events.emit("payment_intent.payment_failed", failed)
            settled(failed)

        self._later(settle_seconds, settle)
        return intent

    def confirm(self, asked: Object, settle_seconds: float) -> Object:
        """Pay at once by a saved method, with nobody there (`off_session`, `confirm`).

        Raises:
            ApiError: for any other kind of payment; and if the bank says no, which leaves an intent that is not paid.
        """
        if (asked.get("confirm"), asked.get("off_session")) != ("true", "true"):
            raise invalid("confirm", "The stand-in takes payments off session alone: send confirm and off_session.")
        method = self._objects.get(asked.get("payment_method", ""), "payment_method")
        customer = self._objects.get(asked.get("customer", ""), "customer")["id"]
        if method["customer"] != customer:
            raise invalid("payment_method", "The payment method is not attached to this customer.")
        amount, currency, metadata = number(asked, "amount"), asked.get("currency", ""), asked.get("metadata", {})
        try:
            return self.pay(amount, currency, customer, method, metadata, settle_seconds=settle_seconds, again=True)
        except ApiError as error:
            code = error.details["code"]
            fields = {"amount": amount, "amount_received": 0, "currency": currency, "customer": customer}
            fields |= {"latest_charge": None, "metadata": metadata, "payment_method": None}
            fields |= {"last_payment_error": {"code": code, "type": error.kind}, "status": "requires_payment_method"}
            intent = self._objects.put(self._new("pi_", "payment_intent", **fields))
            self._events.emit("payment_intent.payment_failed", intent)
            error.details["payment_intent"] = intent
            raise

    def _succeed(self, intent: Object, ways: Method, settle_seconds: float) -> Object:
        charge = self._new(
            "ch_",
            "charge",
            amount=intent["amount"],
            amount_refunded=0,
            currency=intent["currency"],
            customer=intent["customer"],
            disputed=False,
            metadata=intent["metadata"],
            paid=True,
            payment_intent=intent["id"],
            payment_method=intent["payment_method"],
            refunded=False,
            status="succeeded",
        )
        self._objects.put(charge)
        done = {"status": "succeeded", "amount_received": intent["amount"], "latest_charge": charge["id"]}
        intent = self._objects.put({**intent, **done})
        self._events.emit("payment_intent.succeeded", intent)
        self._events.emit("charge.succeeded", charge)
        if ways.dispute:
            self._later(settle_seconds, lambda: self._dispute(charge["id"], ways))
        return intent

    def refund(self, asked: Object, settle_seconds: float) -> Object:
        """Refund a charge, or a part of it. Raises ApiError for more than there is, and for a disputed charge."""
        if "payment_intent" in asked:
            intent = self._objects.get(asked["payment_intent"], "payment_intent")
            if intent["latest_charge"] is None:
                raise invalid("payment_intent", "This PaymentIntent does not have a successful charge to refund.")
            charge = self._objects.get(intent["latest_charge"])
        elif "charge" in asked:
            charge = self._objects.get(asked["charge"], "charge")
        else:
            raise missing("payment_intent")
        left = charge["amount"] - charge["amount_refunded"]
        amount = number(asked, "amount", left)
        if charge["disputed"] and any(each["status"] in OPEN | {"lost"} for each in self._disputes(charge)):
            raise ApiError(400, "The charge has been charged back; cannot issue a refund.", code="charge_disputed")
        if left == 0:
            raise ApiError(400, f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
        if not 0 < amount <= left:
            raise invalid("amount", f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left}).")
        ways = METHODS[self._numbers[charge["payment_method"]]]
        refund = self._new(
            "re_",
            "refund",
            amount=amount,
            charge=charge["id"],
            currency=charge["currency"],
            metadata=asked.get("metadata", {}),
            payment_intent=charge["payment_intent"],
            reason=asked.get("reason"),
            status=ways.refund,
        )
        self._objects.put(refund)
        self._give_back(charge["id"], amount)
        self._events.emit("refund.created", refund)
        self._events.emit("charge.refunded", self._objects.get(charge["id"]))
        if ways.refund_ends:
            self._later(settle_seconds, lambda: self._end_refund(refund["id"], ways.refund_ends))
        return refund

    def _give_back(self, charge_id: str, amount: int) -> None:
        charge = self._objects.get(charge_id)
        returned = charge["amount_refunded"] + amount
        self._objects.change(charge_id, amount_refunded=returned, refunded=returned == charge["amount"])

    def _end_refund(self, refund_id: str, status: str) -> None:
        refund = self._objects.change(refund_id, status=status)
        if status == "failed":
            self._give_back(refund["charge"], -refund["amount"])
        self._events.emit("refund.failed" if status == "failed" else "refund.updated", refund)

    def _disputes(self, charge: Object) -> list[Object]:
        return self._objects.all("dispute", charge=charge["id"])

    def _dispute(self, charge_id: str, ways: Method) -> None:
        charge = self._objects.change(charge_id, disputed=True)
        dispute = self._new(
            "du_",
            "dispute",
            amount=charge["amount"],
            charge=charge_id,
            currency=charge["currency"],
            evidence={},
            payment_intent=charge["payment_intent"],
            reason=ways.dispute,
            status=ways.dispute_status,
        )
        self._events.emit("charge.dispute.created", self._objects.put(dispute))
        if dispute["status"] == "needs_response":
            self._events.emit("charge.dispute.funds_withdrawn", dispute)

    def answer_dispute(self, dispute_id: str, asked: Object) -> Object:
        """Submit evidence; `winning_evidence` and `losing_evidence` as its text decide at once."""
        dispute = self._objects.get(dispute_id, "dispute")
        if dispute["status"] not in OPEN:
            raise ApiError(400, "This dispute is already closed.", code="dispute_closed")
        inquiry = dispute["status"].startswith("warning_")
        text = asked.get("evidence", {}).get("uncategorized_text", "")
        ends = {"winning_evidence": "won", "losing_evidence": "lost"}.get(text)
        reviewed = "warning_under_review" if inquiry else "under_review"
        dispute = self._objects.change(dispute_id, status=reviewed, evidence=asked.get("evidence", {}))
        self._events.emit("charge.dispute.updated", dispute)
        return self._close(dispute_id, "warning_closed" if inquiry else ends) if ends else dispute

    def close_dispute(self, dispute_id: str) -> Object:
        """Give a dispute up."""
        if self._objects.get(dispute_id, "dispute")["status"] not in OPEN:
            raise ApiError(400, "This dispute is already closed.", code="dispute_closed")
        return self._close(dispute_id, "lost")

    def _close(self, dispute_id: str, status: str) -> Object:
        dispute = self._objects.change(dispute_id, status=status)
        if status == "won":
            self._events.emit("charge.dispute.funds_reinstated", dispute)
        self._events.emit("charge.dispute.closed", dispute)
        return dispute

    def _new(self, prefix: str, kind: str, **fields: Any) -> Object:
        return new(self._ids.new(prefix), kind, self._now(), **fields)


def new(object_id: str, kind: str, now: float, **fields: Any) -> Object:
    """Return an object as it begins."""
    return {"id": object_id, "object": kind, "created": int(now), "livemode": False, **fields}


def number(asked: Object, name: str, default: int | None = None) -> int:
    """Return a parameter that is a whole number. Raises ApiError for one that is none, or is missing."""
    text = asked.get(name, default)
    if text is None:
        raise missing(name)
    try:
        return int(text)
    except (TypeError, ValueError) as error:
        raise invalid(name, f"Invalid integer: {text}") from error
