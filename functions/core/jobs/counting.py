"""What a job adds to the day's tally, in the commit that changes its hold: see `core.budget.tally`. Jobs of a batch are
counted by the batch that ends them."""

from collections import Counter

from functions.core.budget import tally
from functions.core.budget.holds import Booking, bookings
from functions.core.jobs.jobs import Job, Status
from functions.core.model.usage import Usage


def job_bookings(before: Job | None, after: Job) -> tuple[Booking, ...]:
    """Return what a new or changed job books on the shards of its hold, and counts there."""
    held = before.hold if before else None
    count: Counter[str] = Counter()
    if held is None:
        count["started"] = 1
    elif after.completed_at is not None:
        code = None if after.status is Status.DONE else after.error.code if after.error else after.status
        count = ended(code, after.usage)
        if after.mode == after.requested_mode:  # an upgrade has waited in the other lane
            count += tally.of_wait(after.completed_at - after.created_at)
    return bookings(held, after.hold, count)


def ended(code: str | None, usage: Usage | None) -> Counter[str]:
    """Return the counters of a job that is done, or has failed with this code, after its last answer's bill."""
    return Counter({"done" if code is None else f"failed:{code}": 1}) + tally.of_usage(usage)
