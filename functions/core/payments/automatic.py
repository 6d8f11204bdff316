"""Pay per use: packs that are bought by themselves when tokens run out, with a saved card, under the user's own cap.

    intended  with its key, its amount and its card, in `billing/{uid}`, before Stripe is asked; it counts for the cap
    asked     by the key, which is the idempotency key and stands in the payment's metadata: whoever comes after a crash
              looks for it there before asking again
    ended     paid: the payment is credited as any other, by what is read at Stripe; or refused: nothing more is bought
              until the user says so

One pack at a time. What is intended is written under the version of the payer that was read before the balance, so of
two who find it low one comes through.
"""

import hashlib
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime

from functions.core.config.billing import PayPerUseRules
from functions.core.payments.refusals import SpendingLimit
from functions.core.shared.records import Kept
from functions.core.shared.utc_days import iso_text, month_of, next_month
from functions.core.wallet.figures import Count, Day

PRODUCT = "pay_per_use"
"""What a payment of an automatic pack names as its product."""

TAKEN_BACK = "purchase_taken_back"
"""Why nothing is bought any more after a refund or a dispute: what it takes would be bought anew with the same card."""


class Pack(Kept):
    """A pack that Stripe is asked for: its key, what it costs and brings, and its customer and saved card there."""

    key: str
    customer: str
    minor: Count
    currency: str
    tokens: Count
    method: str
    at: AwareDatetime


class PayPerUse(Kept):
    """What a user has allowed, a part of `billing/{uid}`. `month_max_minor`: the user's own cap of a UTC month, 0 for
    nothing. `spent_minor` in `month`, with what is `pending`. `stopped`: why nothing is bought any more, in Stripe's
    words; None while it goes on."""

    month_max_minor: Count = 0
    month: Day = "1970-01"
    spent_minor: Count = 0
    pending: Pack | None = None
    stopped: str | None = None

    @property
    def on(self) -> bool:
        """Whether packs are bought."""
        return self.month_max_minor > 0 and self.stopped is None

    def spent_in(self, now: datetime) -> int:
        """Return what was spent this month."""
        return self.spent_minor if self.month >= month_of(now) else 0


def intended(known: PayPerUse, uid: str, saved: tuple[str, str], rules: PayPerUseRules, now: datetime) -> PayPerUse:
    """Return the state with a pack intended, by what is `saved`: customer and payment method at Stripe.

    Raises SpendingLimit if that would pass the user's cap: details `monthMaxMinor`, `spentMinor`, `currency`, and
    `resetsAt`, ISO 8601 in UTC.
    """
    spent = known.spent_in(now)
    if spent + rules.minimum_minor > known.month_max_minor:
        raise SpendingLimit(
            "Your own limit for automatic packs leaves no room for another one this month.",
            monthMaxMinor=known.month_max_minor,
            spentMinor=spent,
            currency=rules.currency,
            resetsAt=iso_text(next_month(now)),
        )
    key = hashlib.sha256(f"{uid}\n{now.isoformat()}\n{spent}".encode()).hexdigest()[:32]
    customer, method = saved
    costs = {"minor": rules.minimum_minor, "currency": rules.currency, "tokens": rules.tokens}
    pack = Pack(key=key, customer=customer, method=method, at=now, **costs)
    month = max(known.month, month_of(now))
    return known.model_copy(update={"month": month, "spent_minor": spent + pack.minor, "pending": pack})


def paid(known: PayPerUse) -> PayPerUse:
    """Return the state after the pack that was pending is paid."""
    return known.model_copy(update={"pending": None})


def refused(known: PayPerUse, why: str) -> PayPerUse:
    """Return the state after the pack that was pending, if any, is refused: its amount is free again, and no other one
    is bought."""
    back = known.pending.minor if known.pending and month_of(known.pending.at) == known.month else 0
    spent = max(known.spent_minor - back, 0)
    return known.model_copy(update={"pending": None, "spent_minor": spent, "stopped": why})


def after_refund(known: PayPerUse | None) -> PayPerUse | None:
    """Return the state after a purchase of the user's was taken back. A pack that is pending comes to its end."""
    return known.model_copy(update={"stopped": TAKEN_BACK}) if known and known.on else known


def allowed(known: PayPerUse | None, month_max_minor: int) -> PayPerUse:
    """Return the state after the user has set the cap; whatever has stopped it before is over."""
    return (known or PayPerUse()).model_copy(update={"month_max_minor": month_max_minor, "stopped": None})


def intent_asked(pack: Pack, uid: str) -> dict[str, Any]:
    """Return what Stripe is asked for: a payment now, by a saved card, with nobody there to authenticate it."""
    metadata = {"uid": uid, "product": PRODUCT, "tokens": str(pack.tokens), "pack": pack.key}
    return {
        "amount": pack.minor,
        "currency": pack.currency,
        "customer": pack.customer,
        "payment_method": pack.method,
        "off_session": True,
        "confirm": True,
        "metadata": metadata,
    }
