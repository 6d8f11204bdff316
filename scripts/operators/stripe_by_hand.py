"""Stripe for operators: what the functions read there, and refunds, which no function that is deployed can make."""

from typing import Any

import stripe

from functions.adapters.payments.stripe import Stripe, translated

EVENTS_MAX = 10_000
"""Of one look back. Stripe keeps events for 30 days."""


class RefundRefusedError(Exception):
    """Stripe does not refund this; the message is its code."""


class OperatorStripe(Stripe):
    """What the functions do, and what only operators do."""

    def events_since(self, since: int) -> list[dict[str, Any]]:
        """Read the events of the time since then, in seconds, newest first. Raises BillingUnavailable."""
        return self._listed(self._v1.events, {"created": {"gte": since}}, EVENTS_MAX)

    def intent_of_period(self, subscription_id: str, start: int) -> str | None:
        """Return the payment intent that paid a subscription's period. Raises BillingUnavailable."""
        paid = {"subscription": subscription_id, "status": "paid"}
        for invoice in self._listed(self._v1.invoices, paid):
            if start in {line["period"]["start"] for line in invoice["lines"]["data"]}:
                payments = self._listed(self._v1.invoice_payments, {"invoice": invoice["id"]})
                return next((each["payment"]["payment_intent"] for each in payments), None)
        return None

    def reversals_of(self, intent_id: str) -> list[str]:
        """Return the ids of a payment's refunds and disputes. Raises BillingUnavailable."""
        of = {"payment_intent": intent_id}
        return [each["id"] for service in (self._v1.refunds, self._v1.disputes) for each in self._listed(service, of)]

    def refund(self, intent_id: str, minor: int, key: str) -> str:
        """Refund so much of a payment; the same `key` refunds once. Returns the refund's id. Raises
        BillingUnavailable; RefundRefusedError if there is not so much left at Stripe, or it is disputed."""
        with translated():
            asked = {"payment_intent": intent_id, "amount": minor}
            try:
                return str(self._v1.refunds.create(asked, {"idempotency_key": key}).id)
            except stripe.InvalidRequestError as error:
                raise RefundRefusedError(error.code or "invalid_request") from None
