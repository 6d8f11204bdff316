"""What the stand-in does, without sockets: all parts of an account put together, by the clock handed in."""

import time
from collections.abc import Callable

from localcloud.clock import Clock
from localcloud.standins.agenda import Agenda
from localcloud.standins.deliveries import Send, post
from localcloud.standins.faults import Faults
from localcloud.standins.ids import Ids
from localcloud.stripe.billing import Billing
from localcloud.stripe.checkout import Checkout
from localcloud.stripe.events import Events
from localcloud.stripe.faults import KINDS
from localcloud.stripe.money import Money
from localcloud.stripe.objects import Object, Objects
from localcloud.stripe.settings import Settings


class Engine:
    """The parts put together. Whoever calls one of them holds `lock`."""

    def __init__(
        self,
        clock: Clock,
        settings: Settings,
        *,
        seed: int = 0,
        send: Send = post,
        signing_time: Callable[[], float] = time.time,
    ) -> None:
        """Begin with an empty account. The arguments are described in StripeStandIn."""
        self.settings = settings
        self.ids, self.faults = Ids(seed), Faults(seed, KINDS)
        self._agenda = Agenda(clock)
        self.now = now = self._agenda.now
        later = self._agenda.later
        self.objects = Objects(now)
        self.lock = self.objects.lock
        self.events = Events(self.objects, settings, self.faults, self.ids, send, signing_time, now)
        self.money = Money(self.objects, self.events, self.ids, later, now)
        self.billing = Billing(self.objects, self.events, self.ids, self.money, later, now)
        self.checkout = Checkout(self.objects, self.events, self.ids, self.money, self.billing, later, now)

    @property
    def settle_seconds(self) -> float:
        """How long a bank takes."""
        return self.settings.settle_minutes * 60

    def catch_up(self) -> None:
        """Do all that has fallen due by the clock."""
        with self.lock:
            self._agenda.catch_up()

    def tick(self) -> int:
        """Catch up with the clock, deliver due webhooks, return how many were accepted."""
        self.catch_up()
        return self.events.deliver_due()

    def pay(self, session_id: str, number: str) -> Object:
        """Complete a checkout session as its page does. Raises ApiError if the card is declined."""
        with self.lock:
            return self.checkout.pay(session_id, number, self.settle_seconds)
