"""Hints: an event names what there is to look at, and is believed in nothing else."""

import json
from typing import Any

import pytest

from functions.core.payments.hints import USERS_MAX, StoreHint, StripeHint, store_hint, stripe_hint


def body(event: Any) -> bytes:
    """Return an event as it is sent."""
    return json.dumps(event).encode()


@pytest.mark.parametrize(
    ("event", "hint"),
    [
        ({"type": "invoice.paid", "data": {"object": {"id": "in_1", "total": 5}}}, ("invoice.paid", "in_1")),
        ({"type": "v1.refund.created", "related_object": {"id": "re_1"}}, ("refund.created", "re_1")),
        ({"type": "charge.succeeded", "data": {"object": {"id": "in_1"}}}, ("charge.succeeded", None)),
        ({"type": "invoice.paid", "data": {"object": {"id": "cus_1"}}}, ("invoice.paid", None)),
        ({"type": "invoice.paid", "data": {"object": {"id": "in_1/../x"}}}, ("invoice.paid", None)),
        ({"type": "v2.core.health", "related_object": None}, ("v2.core.health", None)),
    ],
)
def test_an_event_of_stripes_names_an_object(event: Any, hint: tuple[str, str | None]) -> None:
    """Thin or a snapshot; of the kinds that change something, and by an id that fits into a path."""
    assert stripe_hint(body(event)) == StripeHint(*hint)


@pytest.mark.parametrize("sent", [b"", b"[]", b"{}", b'{"type": 1}', b"\xff", b"[" * 100_000])
def test_what_is_no_event_hints_at_nothing(sent: bytes) -> None:
    """Whatever was signed."""
    assert stripe_hint(sent) is None
    assert store_hint(sent) is None


@pytest.mark.parametrize(
    ("event", "uids", "refunded"),
    [
        ({"type": "INITIAL_PURCHASE", "app_user_id": "ann", "transaction_id": "1"}, ("ann",), None),
        (
            {"type": "CANCELLATION", "cancel_reason": "CUSTOMER_SUPPORT", "app_user_id": "ann", "transaction_id": "1"},
            ("ann",),
            "1",
        ),
        (
            {"type": "CANCELLATION", "cancel_reason": "UNSUBSCRIBE", "app_user_id": "a", "transaction_id": "1"},
            ("a",),
            None,
        ),
        ({"type": "CANCELLATION", "cancel_reason": "CUSTOMER_SUPPORT", "app_user_id": "a"}, ("a",), None),
        ({"type": "TRANSFER", "transferred_from": ["ann", 1], "transferred_to": ["bob", "a/b"]}, ("bob", "ann"), None),
        ({"type": "TEST"}, (), None),
    ],
)
def test_an_event_of_revenuecats_names_users(event: Any, uids: tuple[str, ...], refunded: str | None) -> None:
    """Whoever gets something first; and a transaction only where it was refunded."""
    assert store_hint(body({"event": event})) == StoreHint(event["type"], uids, refunded)


def test_one_event_names_only_some_users() -> None:
    """Each is a call to RevenueCat."""
    hint = store_hint(body({"event": {"type": "TRANSFER", "transferred_to": [f"user-{n}" for n in range(50)]}}))
    assert hint is not None
    assert len(hint.uids) == USERS_MAX
