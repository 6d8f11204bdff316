"""What RevenueCat tells of purchases, and its webhook, over the wire."""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from localcloud.revenuecat import RevenueCatStandIn
from localcloud.tests.still_clock import Clock

SECRET = "a secret of our own"  # pragma: allowlist secret
KEY = {"authorization": "Bearer sk_any"}


@dataclass
class World:
    """A stand-in behind a socket, the clock it lives by, and the events that arrived."""

    clock: Clock
    attempts: list[tuple[bytes, Mapping[str, str]]] = field(default_factory=list)
    refuse_with: list[int] = field(default_factory=list)
    standin: RevenueCatStandIn = field(init=False)

    def __post_init__(self) -> None:
        hook: Any = {"webhook_url": "https://app.example/hook", "webhook_secret": SECRET}
        self.standin = RevenueCatStandIn(clock=self.clock, send_webhook=self._take, **hook)
        self.standin.settings.webhook_authorization = "Bearer of our own"
        self.standin.start()

    def _take(self, _url: str, body: bytes, headers: Mapping[str, str]) -> int:
        self.attempts.append((body, headers))
        return self.refuse_with.pop(0) if self.refuse_with else 200

    def get(self, uid: str = "ana", **options: Any) -> httpx2.Response:
        """Ask about a user."""
        return httpx2.get(f"{self.standin.base_url}/v1/subscribers/{uid}", headers=KEY, **options)

    def packs(self, uid: str = "ana") -> list[tuple[str, str]]:
        """The product and transaction of each pack shown, newest first."""
        shown = self.get(uid).json()["subscriber"]["non_subscriptions"]
        return [(product, each["store_transaction_id"]) for product, all_of in shown.items() for each in all_of]

    def plan(self, product: str = "pro") -> dict[str, Any]:
        """The subscription shown."""
        plan: dict[str, Any] = self.get().json()["subscriber"]["subscriptions"][product]
        return plan

    def events(self) -> list[dict[str, Any]]:
        """What has arrived."""
        return [json.loads(body)["event"] for body, _ in self.attempts]

    def types(self) -> list[str]:
        """Their types."""
        return [event["type"] for event in self.events()]

    def later(self, **step: float) -> None:
        """Move the clock, and let happen what is due."""
        self.clock.advance(**step)
        self.standin.tick()


@pytest.fixture
def world() -> Iterator[World]:
    """A stand-in at noon."""
    made = World(Clock())
    yield made
    made.standin.stop()


def test_a_pack_is_shown_until_it_is_refunded(world: World) -> None:
    """With the store's transaction; the refund's event names it, and its price is below zero."""
    first, second = world.standin.buy("ana", "pack100"), world.standin.buy("ana", "pack100", sandbox=True)
    assert world.packs() == [("pack100", second), ("pack100", first)]
    (sandbox, real) = world.get().json()["subscriber"]["non_subscriptions"]["pack100"]
    assert (sandbox["is_sandbox"], real["is_sandbox"], real["price"]) == (
        True,
        False,
        {"amount": 4.99, "currency": "USD"},
    )
    world.standin.refund(first)
    assert world.packs() == [("pack100", second)]
    world.standin.tick()
    bought, _, refunded = world.events()
    assert (bought["type"], bought["transaction_id"], bought["environment"]) == (
        "NON_RENEWING_PURCHASE",
        first,
        "PRODUCTION",
    )
    assert (refunded["cancel_reason"], refunded["transaction_id"], refunded["price"]) == (
        "CUSTOMER_SUPPORT",
        first,
        -4.99,
    )


def test_nobody_has_bought_nothing(world: World) -> None:
    """An unknown user is answered with an empty subscriber, as RevenueCat makes one; ids come as the app knows them."""
    assert world.get("nobody").json()["subscriber"]["non_subscriptions"] == {}
    world.standin.buy("ana|x y", "pack100")
    assert len(world.packs("ana%7Cx%20y")) == 1


def test_a_subscription_shows_its_last_period_alone(world: World) -> None:
    """Each period has a transaction of its own; the refund of an earlier one makes no event."""
    first = world.standin.subscribe("ana", "pro")
    assert (world.plan()["store_transaction_id"], world.plan()["expires_date"]) == (first, "2026-12-21T12:00:00Z")
    world.later(days=30)
    renewed = world.plan()
    assert (renewed["expires_date"], renewed["store_transaction_id"] == first) == ("2027-01-20T12:00:00Z", False)
    world.standin.refund(first)
    assert (world.plan()["refunded_at"], world.types()) == (None, ["INITIAL_PURCHASE", "RENEWAL"])
    assert world.events()[1]["original_transaction_id"] == first
    world.standin.refund(renewed["store_transaction_id"])
    world.later(days=60)
    assert world.plan()["refunded_at"] == "2026-12-21T12:00:00Z"
    assert world.types()[2:] == ["CANCELLATION"]


def test_a_cancelled_subscription_ends_with_its_period(world: World) -> None:
    """It says since when; the end has an event of its own."""
    world.standin.unsubscribe(world.standin.subscribe("ana", "pro"))
    assert world.plan()["unsubscribe_detected_at"] == "2026-11-21T12:00:00Z"
    world.later(days=90)
    assert world.types() == ["INITIAL_PURCHASE", "CANCELLATION", "EXPIRATION"]
    assert world.plan()["expires_date"] == "2026-12-21T12:00:00Z"


def test_a_failed_renewal_has_days_of_grace(world: World) -> None:
    """Then it expires."""
    world.standin.fail(world.standin.subscribe("ana", "pro"))
    world.later(days=30)
    assert world.plan()["grace_period_expires_date"] == "2027-01-06T12:00:00Z"
    world.later(days=16)
    assert world.types() == ["INITIAL_PURCHASE", "BILLING_ISSUE", "EXPIRATION"]


def test_a_transfer_moves_what_was_bought(world: World) -> None:
    """Its event names both users and nothing else; refunds are the new owner's."""
    pack = world.standin.buy("ana", "pack100")
    world.standin.transfer("ana", "bob")
    assert (world.packs("ana"), world.packs("bob")) == ([], [("pack100", pack)])
    world.standin.tick()
    event = world.events()[-1]
    assert (event["transferred_from"], event["transferred_to"], "app_user_id" in event) == (["ana"], ["bob"], False)


def test_events_are_signed_and_come_again(world: World) -> None:
    """HMAC over time and body, beside the fixed header; what is refused comes five more times, over two and a half
    hours."""
    world.refuse_with += [500] * 6
    world.standin.buy("ana", "pack100")
    assert world.standin.tick() == 0
    body, headers = world.attempts[0]
    moment, _, signed = headers["x-revenuecat-webhook-signature"].removeprefix("t=").partition(",v1=")
    wanted = hmac.new(SECRET.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert (signed, headers["authorization"]) == (wanted, "Bearer of our own")
    for minutes in (5, 10, 20, 40, 80, 160):
        world.later(minutes=minutes)
    assert len(world.attempts) == 6
    assert len({body for body, _ in world.attempts}) == 1


def test_without_secret_and_header_an_event_carries_neither(world: World) -> None:
    """Whoever forgot to set them gets what an attacker could send."""
    world.standin.settings.webhook_secret = world.standin.settings.webhook_authorization = None
    world.standin.buy("ana", "pack100")
    world.standin.tick()
    assert {"authorization", "x-revenuecat-webhook-signature"}.isdisjoint(world.attempts[0][1])


def test_an_answer_can_be_empty_or_old(world: World) -> None:
    """As by another project's key, and as from a replica; each once."""
    pack = world.standin.buy("ana", "pack100")
    world.later(minutes=5)
    world.standin.refund(pack)
    world.standin.faults.add("state_stale", seconds=60)
    assert world.packs() == [("pack100", pack)]
    kept = world.standin.buy("ana", "pack25")
    world.standin.faults.add("empty_answer")
    assert (world.packs(), world.packs()) == ([], [("pack25", kept)])


@pytest.mark.parametrize(("kind", "status"), [("rate_limited", 429), ("bad_key", 401), ("server_error", 500)])
def test_faults_are_refusals(world: World, kind: str, status: int) -> None:
    """Each once, with RevenueCat's code and words."""
    world.standin.faults.add(kind)
    refused = world.get()
    assert (refused.status_code, set(refused.json())) == (status, {"code", "message"})
    assert (world.get().status_code, world.standin.requests["GET /v1/subscribers/{app_user_id}"]) == (200, 2)


def test_a_lost_connection_is_an_error(world: World) -> None:
    """Reset, or silent for longer than the caller waits."""
    for kind in ("connection_reset", "timeout"):
        world.standin.faults.add(kind)
        with pytest.raises(httpx2.HTTPError):
            world.get(timeout=0.3)


def test_a_user_may_be_named_by_anything(world: World) -> None:
    """An id is decoded once: a slash and a percent sign are its own."""
    bought = world.standin.buy("a/b%41", "pack100")
    assert world.packs("a%2Fb%2541") == [("pack100", bought)]


def test_a_request_needs_a_key_and_a_route(world: World) -> None:
    """401, 404; and the lost event is the fault of `webhook_lost`, set by the admin endpoint."""
    url = world.standin.base_url
    assert httpx2.get(f"{url}/v1/subscribers/ana").status_code == 401
    assert httpx2.get(f"{url}/v1/gifts", headers=KEY).status_code == 404
    httpx2.post(f"{world.standin.admin_url}/faults", json={"kind": "webhook_lost"})
    assert httpx2.get(f"{world.standin.admin_url}/settings").json() == {"webhook_url": "https://app.example/hook"}
    world.standin.buy("ana", "pack100")
    assert world.standin.tick() == 0


def test_everything_that_was_bought_is_kept(world: World) -> None:
    """Also what the answer does not show any more: a refunded pack, an earlier period."""
    world.standin.refund(world.standin.buy("ana", "pack100"))
    world.standin.subscribe("ana", "pro")
    world.clock.advance(days=31)
    assert world.packs() == []
    assert [each["product"] for each in world.standin.purchases("non_subscription")] == ["pack100"]
    assert len(world.standin.purchases("subscription")) == 2
