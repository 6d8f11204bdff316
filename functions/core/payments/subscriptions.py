"""Which plan a user's subscriptions pay for, and until when.

A subscription holds its plan while the provider calls it active or collects a failed payment, and for some days of
grace after the paid period: renewals come late, and a failed payment is collected for days. One that was cancelled ends
with the period that was paid. The tokens of a period come with its own payment (`core.payments.payments`) and never
with a status: an unpaid period brings none.

    period  |------- paid -------|-- grace --|
    plan    |============================|                   active, trialing, past due
            |====================|                           cancelled, to the end of the period
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from pydantic import AwareDatetime

from functions.core.config.plans import Plan, rank
from functions.core.payments.payments import Provider
from functions.core.shared.records import Kept, Open


class Status(StrEnum):
    """What a provider says of a subscription."""

    ACTIVE = "active"
    TRIALING = "trialing"
    PAST_DUE = "past_due"
    ENDED = "ended"


class Subscription(Kept):
    """A subscription as last read. `renews` is False once it was cancelled; `sandbox` as for a payment."""

    provider: Open[Provider]
    plan: Open[Plan]
    status: Open[Status]
    period_end: AwareDatetime
    renews: bool = True
    sandbox: bool = False


class PlanHeld(NamedTuple):
    """A plan that is paid for, until when, and who sold it. The free plan has no end and no seller."""

    plan: Plan
    until: datetime | None = None
    provider: str | None = None


def held_until(subscription: Subscription, grace_days: int) -> datetime | None:
    """Return when a subscription's plan ends as things are, None if it has ended."""
    if subscription.status not in {Status.ACTIVE, Status.TRIALING, Status.PAST_DUE}:
        return None
    grace = timedelta(days=grace_days) if subscription.renews else timedelta()
    return subscription.period_end + grace


def plan_held(subscriptions: Iterable[Subscription], grace_days: int, now: datetime) -> PlanHeld:
    """Return the highest plan of a user's subscriptions that are in force, of equal ones the one that holds longest:
    store and web count as one. A plan that this release does not know counts for none."""
    held = [PlanHeld(Plan.FREE)]
    for each in subscriptions:
        until = held_until(each, grace_days)
        if until is not None and until > now and isinstance(each.plan, Plan):
            held.append(PlanHeld(each.plan, until, each.provider))
    return max(held, key=lambda each: (rank(each.plan), each.until or now))
