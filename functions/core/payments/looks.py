"""A look: what a provider has shown of one user, in one read."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from functions.core.payments.payments import Payment, Provider
from functions.core.payments.subscriptions import Subscription


@dataclass(frozen=True)
class Look:
    """What a provider has shown of one user, in a read begun `at`. `payments` are as they would be stored if they were
    new, `whole` says that it was all there is, `refunded` are payments that an event has called so, and `unread` says
    what was shown and could not be understood."""

    provider: Provider
    uid: str
    at: datetime
    payments: tuple[Payment, ...] = ()
    subscriptions: Mapping[str, Subscription] = field(default_factory=dict)
    customer: str | None = None
    whole: bool = False
    refunded: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()

    def tells_of(self, payment_id: str) -> bool:
        """Tell whether a payment is one of its provider's."""
        return payment_id.startswith(f"{self.provider}:")

    @property
    def tells_by_absence(self) -> bool:
        """Whether a pack that is not shown was refunded. Stripe shows it for good."""
        return self.whole and self.provider is Provider.REVENUECAT

    @property
    def digest(self) -> str:
        """Return a digest of what was shown."""
        shown = sorted(each.model_dump_json() for each in self.payments)
        shown += sorted(f"{name} {each.model_dump_json()}" for name, each in self.subscriptions.items())
        return hashlib.sha256("\n".join(shown).encode()).hexdigest()
