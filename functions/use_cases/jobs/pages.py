"""Pages of a user's jobs: where one ends, as a text that comes back with the call for the next."""

from datetime import UTC, datetime, timedelta

from functions.core.jobs.jobs import Job

JOB_CURSOR = r"[0-9]{1,16}-[0-9a-f]{32}"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def cursor_after(job: Job) -> str:
    """Return a job's place in the list: its creation in microseconds, and its id where two are equal."""
    return f"{(job.created_at - _EPOCH) // timedelta(microseconds=1)}-{job.job_id}"


def position(cursor: str | None) -> tuple[datetime, str] | None:
    """Return the place that a cursor names; None for the beginning."""
    if not cursor:
        return None
    micros, job_id = cursor.split("-")
    return _EPOCH + timedelta(microseconds=int(micros)), job_id
