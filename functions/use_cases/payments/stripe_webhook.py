"""`stripe_webhook`: Stripe says that something has happened to a payment. An event is a hint, and nothing of it but an
object's id is believed."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from functions import log
from functions.adapters.payments.answers import signed_now
from functions.core.payments.hints import stripe_hint
from functions.core.payments.payments import Provider
from functions.core.payments.refusals import BillingUnavailable
from functions.use_cases.payments.sales import note_heard
from functions.use_cases.payments.stripe_looks import reconcile_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.wiring import Deps


def stripe_webhook(body: bytes, headers: Mapping[str, str], deps: Deps) -> HTTPStatus:
    """Return 200 for an event that was dealt with or means nothing to us, 400 for one that is not Stripe's, without a
    read or a call; 503 if Stripe cannot be asked, so that it sends the event again."""
    signed = signed_now(headers.get("Stripe-Signature", ""), body, deps.settings.stripe_webhook_secret)
    hint = stripe_hint(body) if signed else None
    if hint is None or deps.stripe is None:
        log.warning(log.Event.WEBHOOK_REFUSED)
        return HTTPStatus.BAD_REQUEST
    try:
        ours = hint.object_id is not None and reconcile_object(hint.object_id, deps.stripe, deps)
    except BillingUnavailable:
        return HTTPStatus.SERVICE_UNAVAILABLE
    note_heard(Provider.STRIPE, deps)
    log.info(log.Event.WEBHOOK_RECEIVED, kind=hint.kind, ours=ours)
    return HTTPStatus.OK
