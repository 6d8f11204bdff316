"""What was sold: counted once a day, held against the ledgers, and operators told of what does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.core.payments.sales import HEARD_EVERY, PAYMENTS_MAX, complaints, counted, days_due, sales_day
from functions.core.shared.alerts import alert
from functions.core.shared.utc_days import day_bounds

if TYPE_CHECKING:
    from functions.core.payments.payments import Provider
    from functions.core.payments.sales import SalesDay
    from functions.wiring import Deps

UNCLAIMED_MAX = 10_000
"""Payments without a payer that are counted; more only say that something is badly wrong."""


def review_sales(deps: Deps) -> None:
    """Count the days that are over. Two reads; once a day some more, one for each payment of the day, one for each
    thousand payments and entries that there are, and a write."""
    now, (sales, heard) = deps.clock(), deps.store.sales()
    due = days_due(sales, now)
    if not due:
        return
    days = [_counted(day, deps) for day in due]
    given, booked = deps.store.sum_given()
    after = counted(sales, days, deps.store.count_unclaimed(UNCLAIMED_MAX), given, booked, now)
    for kind, text in complaints(after, heard, now).items():
        deps.store.create_alert(alert(kind, text, now))
    deps.store.store_sales(after)


def _counted(day: str, deps: Deps) -> SalesDay:
    since, until = day_bounds(day)
    met, changed = (deps.store.payments_between(field, since, until, PAYMENTS_MAX) for field in ("metAt", "reversedAt"))
    return sales_day(day, met, changed)


def note_heard(provider: Provider, deps: Deps) -> None:
    """Store that an event has arrived, unless this process did within the hour. A write."""
    now, last = deps.clock(), deps.heard.get(provider)
    if last is None or now - last >= HEARD_EVERY:
        deps.store.note_heard(provider, now)
        deps.heard[provider] = now
