"""What an event says there is to look at. Nothing else of it is believed: what is true is read at the provider."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from functions.core.shared.records import is_uid

_STRIPE_ID = re.compile(r"(?:cs|re|pyr|du|dp|in|sub)_[A-Za-z0-9_]{1,255}")

STRIPE_EVENTS = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "invoice.paid",
        "customer.subscription.updated",
        "customer.subscription.deleted",
        "refund.created",
        "refund.updated",
        "refund.failed",
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.closed",
    }
)
"""What can change what somebody has. All others tell of the same things again."""

USERS_MAX = 10
"""Of one event; a transfer names two."""


class StripeHint(NamedTuple):
    """Something happened to an object at Stripe; None if it changes nothing for anybody."""

    kind: str
    object_id: str | None


class StoreHint(NamedTuple):
    """Something happened to these users' purchases, in the order in which to look at them. `refunded`: the store's id
    of a transaction that was refunded."""

    kind: str
    uids: tuple[str, ...]
    refunded: str | None = None


def stripe_hint(body: bytes) -> StripeHint | None:
    """Return what a signed event of Stripe's is about, a thin one or a snapshot; None if it is no event."""
    match event_in(body):
        case {"type": str(kind), **event}:
            return hint_of({"type": kind, **event})
    return None


def hint_of(event: Mapping[Any, Any]) -> StripeHint:
    """Return what an event is about."""
    kind = str(event.get("type")).removeprefix("v1.")
    match event:
        case {"related_object": {"id": str(object_id)}} | {"data": {"object": {"id": str(object_id)}}}:
            known = kind in STRIPE_EVENTS and _STRIPE_ID.fullmatch(object_id) is not None
            return StripeHint(kind, object_id if known else None)
    return StripeHint(kind, None)


def store_hint(body: bytes) -> StoreHint | None:
    """Return what a signed event of RevenueCat's is about; None if it is no event."""
    match event_in(body):
        case {"event": {"type": str(kind), **event}}:
            refund = kind == "CANCELLATION" and event.get("cancel_reason") == "CUSTOMER_SUPPORT"
            transaction = event.get("transaction_id")
            refunded = transaction if refund and isinstance(transaction, str) else None
            return StoreHint(kind, _users(event), refunded)
    return None


def _users(event: Mapping[Any, Any]) -> tuple[str, ...]:
    """Whoever gets something comes before whoever loses it: so nothing is ever nobody's."""
    named: list[Any] = []
    for field in ("transferred_to", "app_user_id", "transferred_from"):
        value = event.get(field)
        named += value if isinstance(value, list) else [value]
    uids = dict.fromkeys(each for each in named if isinstance(each, str) and is_uid(each))
    return tuple(uids)[:USERS_MAX]


def event_in(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body; an empty one if there is none."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}
