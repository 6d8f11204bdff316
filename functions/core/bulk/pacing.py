"""How many photos bulk jobs may bring into the queue now.

One run of `submit_batches` empties a queue of `jobsPerBatch` times `batchesPerRun`. Bulk jobs fill the queue to that
and no further, so whoever comes later goes with the same run or the next one. A bulk job for any time takes half of
that, and only of the money that the day leaves: as much of `fillPercent` of the day's limit as has passed of the day.
"""

from datetime import datetime, timedelta

from functions.core.budget.day_review import BudgetDay
from functions.core.budget.holds import Mode
from functions.core.bulk.bulks import Waiting
from functions.core.config.runtime import RuntimeConfig
from functions.core.shared.utc_days import day_bounds, day_of

AFTER_FILL = timedelta(minutes=20)
"""How long a bulk job for any time waits after it took photos on: longer than from one guard to the next, whose book
then has them."""


class Room:
    """What one run of `submit_batches` has room for, beside the `queued` jobs that wait already; `spare`: for how many
    photos there is money."""

    def __init__(self, queued: int, spare: int, runtime: RuntimeConfig) -> None:
        capacity = runtime.batch.jobs_per_batch * runtime.batch.batches_per_run
        self._left, self._others, self._spare = capacity - queued, capacity - capacity // 2, spare

    def take(self, photos: int) -> None:
        """Note that so many photos were taken on."""
        self._left -= photos
        self._spare -= photos

    def photos(self, *, any_time: bool) -> int:
        """Return how many more there is room for."""
        return max(min(self._left - self._others, self._spare) if any_time else self._left, 0)


def affordable(book: BudgetDay, fill_percent: int, queued: int, line_micros: int, now: datetime) -> int:
    """Return how many photos of bulk jobs for any time the day's budget leaves now; `queued` ones are paid first.

    The `book` is the guard's, up to a quarter of an hour old. What was taken on since is queued, or was `AFTER_FILL`
    ago: until then the same bulk job takes nothing more."""
    begins, ends = day_bounds(day_of(now))
    most = book.limit * fill_percent / 100 * ((now - begins) / (ends - begins))
    return max(int((most - book.used) // max(line_micros, 1)) - queued, 0)


def closed(mode: Mode, *, any_time: bool) -> Waiting | None:
    """Return why a bulk job takes nothing on in this mode of the budget; None if it does."""
    return Waiting.BUDGET if mode is Mode.CLOSED or (any_time and mode is not Mode.NORMAL) else None
