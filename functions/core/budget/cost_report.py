"""The days' books as operators read them: a row for each day, lane and model, and for each day's expensive users.

Jobs are deleted after 90 days, and a day may have millions of users: its book keeps the USERS_MAX most expensive, found
at a fixed price. Job ids are hashes, so the first JOBS_SAMPLED_MAX of a day are a fair sample; the cost of the users
who appear in it most often is then added up exactly. A user with 1 % of a day's jobs is missed with p = 0.05, with 3 %
p = 1e-4: (1 - share)^300.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from functions.core.budget.day_review import BudgetDay
from functions.core.shared.utc_days import day_bounds

COLUMNS = ("day", "lane", "model", "micros")

USER_COLUMNS = ("day", "user", "micros")

USERS_MAX = 50

JOBS_SAMPLED_MAX = 300

USERS_AGE_MAX = timedelta(hours=1)
"""How old today's sums may be. A day that is over is added up at once, and then now and then."""

OVER_USERS_AGE_MAX = timedelta(hours=6)
"""How old the sums of a day may be that is over, while its last batches may still end."""


def cost_rows(books: Mapping[str, BudgetDay]) -> list[dict[str, Any]]:
    """Return the settled spend in micro-dollars, oldest day first. Holds are not in it."""
    return [
        {"day": day, "lane": lane, "model": model, "micros": micros}
        for day, book in sorted(books.items())
        for lane, models in sorted(book.costs.items())
        for model, micros in sorted(models.items())
    ]


def user_rows(books: Mapping[str, BudgetDay]) -> list[dict[str, Any]]:
    """Return the most expensive users in micro-dollars, oldest day first, then by cost. Photos count on the day they
    came."""
    return [
        {"day": day, "user": user, "micros": micros}
        for day, book in sorted(books.items())
        for user, micros in sorted(book.users.items(), key=lambda item: (-item[1], item[0]))
    ]


def users_due(day: str, users_at: datetime | None, now: datetime) -> bool:
    """Whether the users of a day have to be added up, who were added up last at `users_at`."""
    _, until = day_bounds(day)
    if users_at is None or (now < until and now - users_at >= USERS_AGE_MAX):
        return True
    # Yesterday's batches end today: their cost comes in for a day and more after the day is over.
    return now >= until and (users_at < until or now - users_at >= OVER_USERS_AGE_MAX)


def most_frequent(users: Iterable[str]) -> list[str]:
    """Return those who come up most often, at most USERS_MAX of them."""
    return [user for user, _ in Counter(users).most_common(USERS_MAX)]
