"""What the stand-in's tests share: a clock to move, the real client over a socket, a receiver of events."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from stripe import StripeClient

from localcloud.stripe import StripeStandIn
from localcloud.tests.still_clock import Clock

SECRET = "whsec_of_our_own"  # pragma: allowlist secret


@dataclass
class Receiver:
    """Accepts events, or refuses with the statuses set; and reads them as the real client does."""

    client: StripeClient
    secret: str = SECRET
    refuse_with: list[int] = field(default_factory=list)
    attempts: list[tuple[bytes, str]] = field(default_factory=list)

    def __call__(self, _url: str, body: bytes, headers: Mapping[str, str]) -> int:
        self.attempts.append((body, headers["stripe-signature"]))
        return self.refuse_with.pop(0) if self.refuse_with else 200

    def events(self) -> list[Any]:
        """Snapshot events in the order of their arrival, each verified."""
        return [self.client.construct_event(body, header, self.secret) for body, header in self.attempts]

    def types(self) -> list[str]:
        """Their types."""
        return [event.type for event in self.events()]


@dataclass
class World:
    """A stand-in, the real client that talks to it over HTTP, and the clock both live by."""

    standin: StripeStandIn
    client: StripeClient
    clock: Clock
    receiver: Receiver

    def price(self, minor: int = 499, **fields: Any) -> str:
        """Make a price of a new product."""
        product = self.client.v1.products.create({"name": "100 tokens"})
        params: Any = {"product": product.id, "currency": "usd", "unit_amount": minor, **fields}
        return self.client.v1.prices.create(params).id

    def session(self, price: str = "", mode: str = "payment", **fields: Any) -> Any:
        """Open a checkout session."""
        params: Any = {"mode": mode, "line_items": [{"price": price or self.price(), "quantity": 1}]}
        params |= {"success_url": "https://app.example/done", **fields}
        return self.client.v1.checkout.sessions.create(params)

    def bought(self, number: str = "4242424242424242") -> Any:
        """Buy a pack, and return its payment intent."""
        session = self.standin.pay(self.session().id, number)
        return self.client.v1.payment_intents.retrieve(session["payment_intent"], {"expand": ["latest_charge"]})

    def subscribed(self, number: str = "4242424242424242", **fields: Any) -> Any:
        """Subscribe to a monthly plan."""
        price = self.price(900, recurring={"interval": "month"})
        session = self.standin.pay(self.session(price, "subscription", **fields).id, number)
        return self.client.v1.subscriptions.retrieve(session["subscription"])

    def later(self, **step: float) -> None:
        """Move the clock, and let happen what is due."""
        self.clock.advance(**step)
        self.standin.tick()


@pytest.fixture
def clock() -> Clock:
    """A clock at noon."""
    return Clock()


@pytest.fixture
def make_world(clock: Clock) -> Iterator[Callable[..., World]]:
    """Make a stand-in with given settings, behind a socket."""
    made: list[World] = []

    def make(**settings: Any) -> World:
        client = StripeClient("sk_test_any")
        receiver = Receiver(client)
        hook: dict[str, Any] = {"webhook_url": "https://app.example/stripe_webhook", "webhook_secret": SECRET}
        standin = StripeStandIn(clock=clock, send_webhook=receiver, **{**hook, **settings}).start()
        addresses: Any = {"api": standin.base_url}
        receiver.client = StripeClient("sk_test_any", base_addresses=addresses, max_network_retries=0)
        made.append(World(standin, receiver.client, clock, receiver))
        return made[-1]

    yield make
    for world in made:
        world.standin.stop()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A stand-in that sends snapshot events."""
    return make_world()
