"""`revenuecat_webhook`: RevenueCat says that something has happened to a user's purchases, which are read there."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from functions import log
from functions.adapters.payments.answers import signed_now
from functions.core.payments.hints import store_hint
from functions.core.payments.payments import Provider
from functions.core.payments.refusals import BillingUnavailable
from functions.use_cases.payments.reconciler import reconcile_stores
from functions.use_cases.payments.sales import note_heard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.wiring import Deps


def revenuecat_webhook(body: bytes, headers: Mapping[str, str], deps: Deps) -> HTTPStatus:
    """Return 200 for an event that was dealt with or means nothing to us, 400 for one that is not RevenueCat's, without
    a read or a call; 503 if RevenueCat cannot be asked, so that it sends the event again."""
    header = headers.get("X-Revenuecat-Webhook-Signature", "")
    hint = store_hint(body) if signed_now(header, body, deps.settings.revenuecat_webhook_secret) else None
    if hint is None or deps.revenuecat is None:
        log.warning(log.Event.WEBHOOK_REFUSED)
        return HTTPStatus.BAD_REQUEST
    try:
        for uid in hint.uids:
            reconcile_stores(uid, deps.revenuecat, deps, hint.refunded)
    except BillingUnavailable:
        return HTTPStatus.SERVICE_UNAVAILABLE
    note_heard(Provider.REVENUECAT, deps)
    log.info(log.Event.WEBHOOK_RECEIVED, kind=hint.kind, ours=bool(hint.uids))
    return HTTPStatus.OK
