"""Several workers on one scheduled function: which of them a Scheduler job stands for, and which shards are its own.

The name of the job says it, so that an extra worker is an extra job and nothing else: `...-worker-2-of-3`. Any other
name stands for the only worker. Workers that overlap, or see to the same shards, are safe; shards of their
own make them fast.
"""

import re
from dataclasses import dataclass

WORKERS_MAX = 16
"""As many as there are shards of the refresh schedule: a further one would have nothing to do."""

_SUFFIX = re.compile(r"-worker-(\d{1,3})-of-(\d{1,3})$")


@dataclass(frozen=True)
class Worker:
    """One of several workers, numbered from 1."""

    number: int = 1
    of: int = 1

    def shards(self, count: int) -> list[int]:
        """Return which of `count` shards this worker sees to; together the workers see to all of them."""
        return list(range(self.number - 1, count, self.of))

    def __str__(self) -> str:
        """Return the name that its figures are stored under."""
        return f"{self.number}-of-{self.of}"


def worker_of(job_name: str | None) -> Worker:
    """Return the worker that a Scheduler job stands for.

    Raises:
        ValueError: there is no such worker, or there are more than WORKERS_MAX.
    """
    named = _SUFFIX.search(job_name or "")
    if named is None:
        return Worker()
    number, of = int(named[1]), int(named[2])
    if not 1 <= number <= of <= WORKERS_MAX:
        raise ValueError(f"{job_name}: workers are numbered from 1 to at most {WORKERS_MAX}")
    return Worker(number, of)
