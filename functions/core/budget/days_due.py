"""Which days the guard reviews.

today                                        with each run
a day that is over and still holds something with each run: its batches end on it
another of the last three                    once an hour, by the first run of it
one whose end no guard has seen              once
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from functions.core.budget.day_review import BudgetDay
from functions.core.budget.state import BudgetState
from functions.core.shared.utc_days import day_of

OPEN_DAYS = 3
"""Days back that still have calls in flight: a batch is given up after 28 hours."""

REVIEWED_DAYS_MAX = 31
"""However long no guard ran, the days before this month's matter to no limit."""


def days_in_flight(state: BudgetState, now: datetime) -> list[str]:
    """Return the days that may not be settled, oldest first, today last: those in flight, and those whose end no guard
    has seen."""
    today = now.date()
    since = max(min(date.fromisoformat(state.day), today), today - timedelta(days=REVIEWED_DAYS_MAX))
    first = min(since, today - timedelta(days=OPEN_DAYS))
    return [(first + timedelta(days=number)).isoformat() for number in range((today - first).days + 1)]


def days_due(state: BudgetState, books: Mapping[str, BudgetDay], now: datetime) -> list[str]:
    """Return the days to review, of which these are the books, oldest first, today last. Before the state knows any,
    only those that exist: on a new project today alone."""
    today, hour = day_of(now), now.replace(minute=0, second=0, microsecond=0)
    days = [day for day in days_in_flight(state, now) if day in books or day == today or state != BudgetState()]
    seen = {day for day, book in books.items() if book.reviewed_at and book.reviewed_at >= hour and not book.reserved}
    return [day for day in days if day == today or day not in seen]
