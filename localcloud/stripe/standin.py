"""The stand-in for Stripe as its users hold it."""

import time
from collections.abc import Callable
from typing import Any, Literal, TypedDict, Unpack

from localcloud.clock import Clock, utc_now
from localcloud.standins.base import StandIn
from localcloud.standins.deliveries import Send, post
from localcloud.stripe.api import Api
from localcloud.stripe.engine import Engine
from localcloud.stripe.settings import Settings


class SettingsArguments(TypedDict, total=False):
    """The fields of Settings, as keyword arguments."""

    webhook_url: str | None
    webhook_secret: str | None
    webhook_payload: Literal["snapshot", "thin"]
    settle_minutes: float


class StripeStandIn(StandIn):
    """Answers the Stripe client: products, checkout, subscriptions, refunds, disputes, events and signed webhooks."""

    settings: Settings

    def __init__(
        self,
        port: int = 0,
        clock: Clock = utc_now,
        *,
        seed: int = 0,
        send_webhook: Send = post,
        signing_time: Callable[[], float] = time.time,
        **settings: Unpack[SettingsArguments],
    ) -> None:
        """Put the parts together; nothing listens before `start`.

        Args:
            port: Where to listen on 127.0.0.1; 0 takes a free port.
            clock: Returns the time as an aware datetime; everything but webhook signatures reads it.
            seed: What identifiers and faults are drawn from.
            send_webhook: How events are sent (URL, body, headers to HTTP status); by default over HTTP.
            signing_time: Seconds since 1970 for webhook signatures; see events.py for why it is not the clock.
            settings: Fields of Settings, such as `webhook_url` and `webhook_payload`.
        """
        super().__init__("stripe", port)
        self.settings = Settings(**settings)
        self._engine = Engine(clock, self.settings, seed=seed, send=send_webhook, signing_time=signing_time)
        self.faults, self.application = self._engine.faults, Api(self._engine, self.requests)

    def tick(self) -> int:
        """Move to where the clock is, deliver due webhooks, return how many were accepted."""
        return self._engine.tick()

    def pay(self, session_id: str, number: str = "4242424242424242") -> dict[str, Any]:
        """Complete a checkout session as its page does, and return it.

        Raises:
            ApiError: the card is declined, or the session is not open.
        """
        return self._engine.pay(session_id, number)
