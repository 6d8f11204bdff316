"""Stripe, by its own client. Only this module loads it, which takes a tenth of a second."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2
import stripe

from functions.adapters.bounded_http import Allowance
from functions.adapters.payments.answers import ANSWER_BYTES_MAX, CALL_SECONDS, unavailable
from functions.core.payments.payments import Provider
from functions.core.shared.errors import KeyReused

LISTED_MAX = 300
"""Objects of one list: three pages."""

_PAGE = 100

_READ = {
    "cs": "checkout.sessions",
    "pi": "payment_intents",
    "re": "refunds",
    "pyr": "refunds",
    "du": "disputes",
    "dp": "disputes",
    "in": "invoices",
    "sub": "subscriptions",
}
"""Where an object is read, by the beginning of its id."""

CODE_CHARACTERS_MAX = 64


class DeclinedError(Exception):
    """A payment by a saved method is refused, by Stripe's code: `card_declined`, `authentication_required`, ..."""


class BoundedHttp(stripe.HTTPClient):
    """Sends what the client asks for by the house's HTTP, which keeps to allowances."""

    name = "httpx2"

    def __init__(self, http: httpx2.Client) -> None:
        super().__init__()
        self._http = http

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Send one request, which may take CALL_SECONDS in all."""
        try:
            with Allowance(CALL_SECONDS, ANSWER_BYTES_MAX).applied():
                response = self._http.request(
                    method, url, headers=dict(headers or {}), content=post_data or None, timeout=CALL_SECONDS
                )
        except httpx2.HTTPError as error:
            message = f"no answer ({type(error).__name__})"
            raise stripe.APIConnectionError(message) from error  # type: ignore[no-untyped-call]
        return response.text, response.status_code, response.headers

    def close(self) -> None:
        """Close connections."""
        self._http.close()


class Stripe:
    """Reads what was paid, and opens the pages on which it is."""

    def __init__(self, http: httpx2.Client, base_url: str, api_key: str) -> None:
        """Ask through `http`, which keeps to allowances."""
        client = stripe.StripeClient(
            api_key, base_addresses={"api": base_url.rstrip("/")}, http_client=BoundedHttp(http), max_network_retries=0
        )
        self._v1: Any = client.v1

    def read(self, object_id: str) -> dict[str, Any] | None:
        """Read an object by its id, None if there is none. Raises BillingUnavailable."""
        service = self._v1
        for name in _READ[object_id.partition("_")[0]].split("."):
            service = getattr(service, name)
        with translated():
            try:
                found: dict[str, Any] = service.retrieve(object_id).to_dict()
            except stripe.InvalidRequestError as error:
                if error.code == "resource_missing":
                    return None
                raise
            return found

    def invoice_of(self, intent_id: str) -> str | None:
        """Return the invoice that a payment intent has paid, if it is one's. Raises BillingUnavailable."""
        payment = {"type": "payment_intent", "payment_intent": intent_id}
        found = self._listed(self._v1.invoice_payments, {"payment": payment})
        return next((each["invoice"] for each in found), None)

    def subscriptions_of(self, customer: str) -> list[dict[str, Any]]:
        """Read a customer's subscriptions, those too that have ended. Raises BillingUnavailable."""
        return self._listed(self._v1.subscriptions, {"customer": customer, "status": "all"})

    def end_subscription(self, subscription_id: str) -> None:
        """Cancel a subscription now, unless it has ended; nothing more is charged. Raises BillingUnavailable."""
        with translated():
            try:
                self._v1.subscriptions.cancel(subscription_id)
            except stripe.InvalidRequestError as error:
                if error.code != "resource_missing":
                    raise

    def newest_invoice(self, subscription_id: str) -> dict[str, Any] | None:
        """Read the newest paid invoice of a subscription. Raises BillingUnavailable."""
        paid = {"subscription": subscription_id, "status": "paid", "limit": 1}
        with translated():
            found = self._v1.invoices.list(paid).to_dict()["data"]
        return found[0] if found else None

    def events(self, since: int, *, undelivered: bool = False) -> list[dict[str, Any]]:
        """Read the events of the time since then, in seconds, newest first; or those alone that our webhook has not
        taken. Raises BillingUnavailable."""
        of: dict[str, Any] = {"created": {"gte": since}, **({"delivery_success": False} if undelivered else {})}
        return self._listed(self._v1.events, of)

    def open_checkout(self, asked: Mapping[str, Any], key: str) -> dict[str, Any]:
        """Return the session of a checkout page, the same for the same key. Raises BillingUnavailable; KeyReused if the
        key had another content."""
        with translated():
            try:
                session: dict[str, Any] = self._v1.checkout.sessions.create(asked, {"idempotency_key": key}).to_dict()
            except stripe.IdempotencyError as error:
                message = "What is sold, or how, has changed since. Use a new requestId."
                raise KeyReused(message, field="requestId") from error
            return session

    def saved_method(self, customer: str) -> str | None:
        """Return the payment method that a customer has saved last, None for none. Raises BillingUnavailable."""
        with translated():
            found = self._v1.customers.payment_methods.list(customer, {"limit": 1}).to_dict()["data"]
        return str(found[0]["id"]) if found else None

    def pay_saved(self, asked: Mapping[str, Any], key: str) -> dict[str, Any]:
        """Return the payment by a saved method, the same for the same key. Raises DeclinedError if the bank says no;
        BillingUnavailable."""
        with translated():
            try:
                intent: dict[str, Any] = self._v1.payment_intents.create(asked, {"idempotency_key": key}).to_dict()
            except stripe.CardError as error:
                raise DeclinedError(str(error.code)[:CODE_CHARACTERS_MAX]) from None
            except stripe.InvalidRequestError as error:
                if error.code != "resource_missing":
                    raise
                raise DeclinedError("payment_method_gone") from None
        return intent

    def automatic_pack(self, customer: str, key: str) -> dict[str, Any] | None:
        """Read the payment that a customer's pack was asked for under this key, None if it never was. Raises
        BillingUnavailable."""
        found = self._listed(self._v1.payment_intents, {"customer": customer})
        return next((each for each in found if each["metadata"].get("pack") == key), None)

    def open_portal(self, customer: str, return_url: str) -> str:
        """Return the address of the page on which a customer manages what they pay for. Raises BillingUnavailable."""
        with translated():
            session = self._v1.billing_portal.sessions.create({"customer": customer, "return_url": return_url})
            return str(session.url)

    def _listed(self, service: Any, of: Mapping[str, Any], most: int = LISTED_MAX) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        with translated():
            for each in service.list({**of, "limit": _PAGE}).auto_paging_iter():
                found.append(each.to_dict())
                if len(found) == most:
                    break
        return found


@contextmanager
def translated() -> Iterator[None]:
    """Turn the client's errors into the one that a caller can act on."""
    try:
        yield
    except stripe.StripeError as error:
        problem = f"{type(error).__name__}, status {error.http_status}, code {error.code}"
        raise unavailable(Provider.STRIPE, problem) from None  # its own words quote a part of a key that is wrong
