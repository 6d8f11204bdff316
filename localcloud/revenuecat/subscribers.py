"""What users have bought in the stores, as RevenueCat comes to know it, and the events that it makes of it.

The shapes are those of `GET /v1/subscribers/{app_user_id}` (https://www.revenuecat.com/docs/api-v1/customers) and of
the sample events (https://www.revenuecat.com/docs/integrations/webhooks/sample-events). What is easily forgotten:

- a refunded pack is no longer in the answer at all, and a subscription shows its last period alone
- a refund is a CANCELLATION with the reason CUSTOMER_SUPPORT, and there is one for the last period only
- after a transfer the purchase is the other user's; its event names both, and no product
"""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Any

from localcloud.standins.agenda import Agenda
from localcloud.stripe.objects import Object, Objects

DAY_SECONDS = 24 * 3600
GRACE_SECONDS = 16 * DAY_SECONDS  # the App Store's longest billing grace period


class Subscribers:
    """Purchases by their transaction. Whoever calls it holds the lock of `objects`."""

    def __init__(
        self, objects: Objects, agenda: Agenda, announce: Callable[[str, str, bytes], object], dice: Random
    ) -> None:
        """Begin with nobody; `announce` is given each event's type, id and body."""
        self._objects, self._agenda, self._announce, self._dice = objects, agenda, announce, dice

    def buy(self, uid: str, product: str, amount: float, store: str, *, sandbox: bool) -> str:
        """Buy a pack, and return the store's transaction id."""
        each = self._put("non_subscription", uid, product, amount, store, sandbox=sandbox)
        self._tell("NON_RENEWING_PURCHASE", each)
        return str(each["id"])

    def subscribe(self, uid: str, product: str, amount: float, store: str, *, sandbox: bool, days: int) -> str:
        """Subscribe, and return the id of the first period's transaction. It renews by the clock."""
        each = self._put("subscription", uid, product, amount, store, sandbox=sandbox)
        each |= {"first": each["id"], "days": days, "expires_at": each["purchased_at"] + days * DAY_SECONDS}
        self._begin_period(self._objects.put(each), "INITIAL_PURCHASE")
        return str(each["id"])

    def _begin_period(self, each: Object, event: str) -> None:
        self._tell(event, each)
        self._agenda.later(each["expires_at"] - self._agenda.now(), lambda: self._end_period(each["id"]))

    def _end_period(self, transaction: str) -> None:
        each = self._objects.get(transaction)
        if not self._last(each) or each["refunded_at"]:
            return
        if each["unsubscribed_at"]:
            self._tell("EXPIRATION", each, expiration_reason="UNSUBSCRIBE")
        elif each["fails"]:
            now = self._agenda.now()
            grace = {"billing_issues_at": now, "grace_until": now + GRACE_SECONDS}
            self._tell("BILLING_ISSUE", self._objects.change(transaction, **grace))
            self._agenda.later(GRACE_SECONDS, lambda: self._give_up(transaction))
        else:
            self.renew(transaction)

    def _give_up(self, transaction: str) -> None:
        each = self._objects.get(transaction)
        if self._last(each):
            self._tell("EXPIRATION", each, expiration_reason="BILLING_ERROR")

    def renew(self, transaction: str) -> str:
        """Begin the next period, by a transaction of its own, and return its id."""
        before = self._objects.get(transaction)
        uid, product, amount, store = (before[name] for name in ("uid", "product", "amount", "store"))
        each = self._put("subscription", uid, product, amount, store, sandbox=before["sandbox"])
        begins = max(before["expires_at"], self._agenda.now())
        each |= {"first": before["first"], "days": before["days"], "expires_at": begins + before["days"] * DAY_SECONDS}
        self._begin_period(self._objects.put(each), "RENEWAL")
        return str(each["id"])

    def unsubscribe(self, transaction: str) -> None:
        """Let a subscription end with its period."""
        each = self._objects.change(transaction, unsubscribed_at=self._agenda.now())
        self._tell("CANCELLATION", each, cancel_reason="UNSUBSCRIBE")

    def fail(self, transaction: str) -> None:
        """Have the renewal of a subscription fail."""
        self._objects.change(transaction, fails=True)

    def refund(self, transaction: str) -> None:
        """Refund a purchase at its store. An earlier period's refund makes no event."""
        each = self._objects.change(transaction, refunded_at=self._agenda.now())
        if each["object"] == "non_subscription" or self._last(each):
            self._tell("CANCELLATION", each, cancel_reason="CUSTOMER_SUPPORT", price=-each["amount"])

    def transfer(self, giver: str, taker: str) -> None:
        """Give all purchases of one user to another, as when both sign in on one phone."""
        for kind in ("non_subscription", "subscription"):
            for each in self._objects.all(kind, uid=giver):
                self._objects.change(each["id"], uid=taker)
        self._send("TRANSFER", {"transferred_from": [giver], "transferred_to": [taker]})

    def bought(self, kind: str) -> list[Object]:
        """Return all purchases of a kind."""
        return self._objects.all(kind)

    def shown(self, uid: str, at: float | None, *, empty: bool) -> Object:
        """Return the answer about a user, as it is or was; `empty` shows no purchase."""
        now = self._agenda.now()
        packs: dict[str, list[Object]] = {}
        plans: dict[str, Object] = {}
        for each in [] if empty else self._objects.all("non_subscription", at, uid=uid):
            if not each["refunded_at"]:
                packs.setdefault(each["product"], []).append({"id": each["revenuecat_id"], **_purchase(each)})
        for each in [] if empty else self._objects.all("subscription", at, uid=uid):
            plans.setdefault(each["product"], _plan(each))
        subscriber = {
            "entitlements": {},
            "first_seen": iso(now),
            "last_seen": iso(now),
            "management_url": None,
            "non_subscriptions": packs,
            "original_app_user_id": uid,
            "original_application_version": None,
            "original_purchase_date": None,
            "other_purchases": {},
            "subscriptions": plans,
        }
        return {"request_date": iso(now), "request_date_ms": int(now * 1000), "subscriber": subscriber}

    def _put(self, kind: str, uid: str, product: str, amount: float, store: str, *, sandbox: bool) -> Object:
        return self._objects.put(
            {
                "id": str(self._dice.randrange(10**14, 10**15)),
                "object": kind,
                "revenuecat_id": f"{self._dice.getrandbits(40):010x}",
                "uid": uid,
                "product": product,
                "amount": amount,
                "store": store,
                "sandbox": sandbox,
                "purchased_at": self._agenda.now(),
                "refunded_at": None,
                "unsubscribed_at": None,
                "billing_issues_at": None,
                "grace_until": None,
                "fails": False,
            }
        )

    def _last(self, each: Object) -> bool:
        """Tell whether this is the last period of its subscription."""
        periods = self._objects.all("subscription", uid=each["uid"], product=each["product"])
        return bool(periods[0]["id"] == each["id"])

    def _tell(self, event: str, each: Object, **more: object) -> None:
        ends = each.get("expires_at")
        fields: dict[str, object] = {
            "app_user_id": each["uid"],
            "original_app_user_id": each["uid"],
            "aliases": [each["uid"]],
            "product_id": each["product"],
            "purchased_at_ms": int(each["purchased_at"] * 1000),
            "expiration_at_ms": None if ends is None else int(ends * 1000),
            "environment": "SANDBOX" if each["sandbox"] else "PRODUCTION",
            "transaction_id": each["id"],
            "original_transaction_id": each.get("first", each["id"]),
            "store": each["store"].upper(),
            "currency": "USD",
            "price": each["amount"],
            "price_in_purchased_currency": each["amount"],
            "period_type": "NORMAL",
        }
        self._send(event, {**fields, **more})

    def _send(self, event: str, fields: dict[str, Any]) -> None:
        event_id = str(uuid.UUID(int=self._dice.getrandbits(128)))
        about = {"id": event_id, "type": event, "event_timestamp_ms": int(self._agenda.now() * 1000), **fields}
        self._announce(event, event_id, json.dumps({"api_version": "1.0", "event": about}).encode())


def _purchase(each: Object) -> Object:
    bought = iso(each["purchased_at"])
    return {
        "is_sandbox": each["sandbox"],
        "original_purchase_date": bought,
        "price": {"amount": each["amount"], "currency": "USD"},
        "purchase_date": bought,
        "store": each["store"],
        "store_transaction_id": each["id"],
    }


def _plan(each: Object) -> Object:
    times = {
        "billing_issues_detected_at": each["billing_issues_at"],
        "expires_date": each["expires_at"],
        "grace_period_expires_date": each["grace_until"],
        "refunded_at": each["refunded_at"],
        "unsubscribe_detected_at": each["unsubscribed_at"],
    }
    shown = {name: None if at is None else iso(at) for name, at in times.items()}
    fixed = {"auto_resume_date": None, "ownership_type": "PURCHASED", "period_type": "normal"}
    return {**_purchase(each), **shown, **fixed}


def iso(seconds: float) -> str:
    """Return a time as RevenueCat writes it."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
