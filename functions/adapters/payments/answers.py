"""What both have in common: how long they may take, what a failure is to callers, and signed webhooks."""

import time

from functions import log
from functions.core.payments.payments import Provider
from functions.core.payments.refusals import BillingUnavailable
from functions.core.payments.signatures import is_signed

CALL_SECONDS = 10.0
"""For one call, from connecting to the last byte of its answer."""

ANSWER_BYTES_MAX = 4_000_000
"""A page of a hundred events has some hundred thousand."""

RETRY_AFTER_SECONDS = 30


def unavailable(provider: Provider, problem: str) -> BillingUnavailable:
    """Return what a caller is told of a provider that gives no usable answer, after telling the log why: never in its
    own words, which may quote the key."""
    log.error(log.Event.BILLING_FAILED, provider=provider, problem=problem)
    message = "The payment provider does not answer just now. Try again; what was paid is never lost."
    return BillingUnavailable(message, retryAfter=RETRY_AFTER_SECONDS)


def signed_now(header: str, body: bytes, secret: str) -> bool:
    """Tell whether a webhook was signed within the last minutes, by the machine's time, as its sender's is."""
    return is_signed(header, body, secret, time.time())
