"""A check: a photo that was answered is asked about once more, with the same question, as a job of the batch lane that
nobody pays for, waits for, or sees. It is kept among the checks, by an id of its own. Hits of the cache are
checked, and the photos of a trial: see `trials`."""

from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from functions.core.cache.lookup import gist_of
from functions.core.cache.notes import CacheNote
from functions.core.jobs.jobs import Job, Status, shard_of
from functions.core.model.classification import Classification
from functions.core.shared.lanes import Lane

CHECK_LIFETIME = timedelta(days=7)
"""After this a check is deleted by TTL, whatever became of it."""

_PREFIX = "check-"


def is_check(job_id: str) -> bool:
    """Whether this is a check's id."""
    return job_id.startswith(_PREFIX)


def check_of(hit: Job, now: datetime) -> Job | None:
    """Return the check of a hit; None if a newer release's answer was given, which cannot be compared."""
    try:
        kept = gist_of(Classification.model_validate(hit.result))
    except ValidationError:
        return None
    if hit.cache is None:
        return None
    note = hit.cache.model_copy(update={"of": hit.job_id, "served": False, "check_at": None, "kept": kept})
    return asked_again(hit, hit.job_id, note, now)


def asked_again(job: Job, name: str, note: CacheNote, now: datetime) -> Job:
    """Return a job's photo as a check of this name, which `note` says what it is compared with."""
    own: dict[str, Any] = {
        "job_id": _PREFIX + name,
        "mode": Lane.BATCH,
        "status": Status.QUEUED,
        "payer": None,
        "priority": 0,
        "tokens_cost": 0,
        "tokens_bought": 0,
        "points": 0,
        "created_at": now,
        "queued_at": now,
        "completed_at": None,
        "notify": (),
        "arms": {},
        "plan": None,
        "visit_age": None,
        "visit_again": None,
        "result": None,
        "cache": note,
        "shard": shard_of(job.job_id),
        "expire_at": now + CHECK_LIFETIME,
    }
    return job.model_copy(update=own)
