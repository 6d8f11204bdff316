"""The days' books as operators read them: a row for each day, lane and model, and for each day and dear user.

Jobs are gone after 90 days, and there may be millions of users a day: the book of a day keeps the USERS_MAX whose
photos have cost most. They are found at a cost that does not grow with the day. Ids of jobs are hashes, so the first
JOBS_SAMPLED_MAX of a day are a fair sample of it (or all of it), and whoever comes up in it most often has most jobs;
what each of these has cost is then added up exactly. Who makes one in a hundred of a larger day's jobs is missed one
day in twenty, who makes one in thirty-three one day in ten thousand.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from functions.core.guard import OPEN_DAYS, DayBook
from functions.core.moments import day_bounds

COLUMNS = ("day", "lane", "model", "micros")

USER_COLUMNS = ("day", "user", "micros")

USERS_MAX = 50

JOBS_SAMPLED_MAX = 300

USERS_AGE_MAX = timedelta(hours=1)
"""How old today's sums may be. A day that is over is added up at once, and when its last batches have ended."""


def cost_rows(books: Mapping[str, DayBook]) -> list[dict[str, Any]]:
    """Return what was spent, oldest day first, in micro-dollars. A row sums what is settled; what is held is not in
    it."""
    return [
        {"day": day, "lane": lane, "model": model, "micros": micros}
        for day, book in sorted(books.items())
        for lane, models in sorted(book.costs.items())
        for model, micros in sorted(models.items())
    ]


def user_rows(books: Mapping[str, DayBook]) -> list[dict[str, Any]]:
    """Return whose photos have cost most, oldest day first, then dearest first, in micro-dollars. The day is that on
    which a photo was handed in."""
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
    final = until + timedelta(days=OPEN_DAYS - 1)  # in the first hours of the last day on which the guard looks at it
    return users_at < until <= now or users_at < final <= now


def most_frequent(users: Iterable[str]) -> list[str]:
    """Return those who come up most often, at most USERS_MAX of them."""
    return [user for user, _ in Counter(users).most_common(USERS_MAX)]
