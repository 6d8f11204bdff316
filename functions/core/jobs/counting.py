"""What a job adds to the day's tally, and to what its arms came to, in the commit that changes its hold: see
`core.budget.tally` and `core.rollouts.counts`. Jobs of a batch are counted by the batch that ends them."""

from collections import Counter
from collections.abc import Mapping

from functions.core.budget import tally
from functions.core.budget.bookings import Booking, bookings
from functions.core.jobs.jobs import BY_THE_PATH, Failure, Job, Status
from functions.core.jobs.legs import Came
from functions.core.model.usage import Usage
from functions.core.rollouts.counts import ArmCounts, counted, ms_bucket


def job_bookings(before: Job | None, after: Job) -> tuple[Booking, ...]:
    """Return what a new or changed job books on the shards of its hold, and counts there."""
    held = before.hold if before else None
    count: Counter[str] = Counter()
    of_second: Counter[str] = Counter()
    of_arm = ArmCounts()
    if held is None:
        count["started"] = 1
        of_arm = ArmCounts(started=1)
    elif after.completed_at is not None:
        code = None if after.status is Status.DONE else after.error.code if after.error else after.status
        count = ended(code, after.usage)
        if after.result is not None:
            count += tally.of_answer(str(after.result.get("promptVersion")), str(after.result.get("category")))
        micros = after.hold.settled - held.settled if after.hold else 0
        failed = code in BY_THE_PATH or any(leg.came != Came.ANSWERED for leg in after.tried[:-1])
        of_arm = ArmCounts(ended=1, failed=int(failed), micros=micros)
        if after.mode == after.requested_mode:  # an upgrade has waited in the other lane
            took = after.completed_at - after.created_at
            count += tally.of_wait(took)
            of_arm = of_arm.model_copy(update={"ms": {ms_bucket(took): 1}})
        legs = [Counter({leg.came: 1} if leg.came != Came.ANSWERED else {}) for leg in after.tried]
        if len(legs) > 1:
            count, of_second = sum(legs[:-1], Counter()), count + legs[-1]
        else:
            count += sum(legs, Counter())
    return bookings(held, after.hold, count, counted(after.arms, of_arm) if count else None, of_second)


BY_THE_BATCH = frozenset({Failure.BATCH_EXPIRED, Failure.BATCH_FAILED, Failure.LINE_MISSING})
"""What befalls all lines of a batch at once: one failure, not as many as it has lines."""


UNANSWERED = frozenset({"failed", "retried", "checkedFailed", "checkedRetried"})


def of_lines(count: Mapping[str, int], micros: int) -> ArmCounts:
    """Return what a batch's lines came to for its arms, from what it adds to the tally: results and failed attempts,
    those that will be repeated too. Checks count: they take the path as any line does."""
    attempts: Counter[str] = Counter(done=count.get("done", 0) + count.get("checked", 0))
    for name, n in count.items():
        what, _, code = name.partition(":")
        if what in UNANSWERED:
            attempts["together" if code in BY_THE_BATCH else "failed" if code in BY_THE_PATH else "photo"] += n
    together = min(attempts.pop("together", 0), 1)
    lines = attempts.total() + together
    return ArmCounts(started=lines, ended=lines, failed=attempts["failed"] + together, micros=micros)


def ended(code: str | None, usage: Usage | None) -> Counter[str]:
    """Return the counters of a job that is done, or has failed with this code, after its last answer's bill."""
    return Counter({"done" if code is None else f"failed:{code}": 1}) + tally.of_usage(usage)
