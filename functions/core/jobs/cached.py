"""A photo that its user has sent before: what an earlier job says of it, and the job that is done by that one's answer.

A job of a hit is a job as any other, with its charge in the ledger. It is `done` when it is created, so there is no
hold, no lease, and nothing to recover.
"""

from datetime import datetime, timedelta

from pydantic import ValidationError

from functions.core.cache.lookup import Candidate, Rules, Source, gist_of
from functions.core.cache.notes import CacheNote
from functions.core.config.runtime import CacheRules
from functions.core.config.tokens import TokenRules
from functions.core.jobs.jobs import Job, Status
from functions.core.model.classification import Classification
from functions.core.model.ways import Way
from functions.core.shared.lanes import Lane


def source_of(found: Job | None, wanted: Job, way: Way) -> Source | None:
    """Return what an earlier job says: None if it is not the same user's, is not done, or was answered another way than
    its entry's key says: a batch is sent later than it was asked for."""
    if found is None or found.uid != wanted.uid or found.status is not Status.DONE or found.completed_at is None:
        return None
    try:
        result = Classification.model_validate(found.result)
    except ValidationError:  # a newer release's
        return None
    if (result.model, result.prompt_version) != (way.model, way.prompt) or not result.seen_within(way.side_max):
        return None
    return Source(result, found.completed_at, disputed=found.dispute is not None)


def answers_soon(found: Job | None, wanted: Job, lane: Lane) -> bool:
    """Whether an earlier job of the user, for the same file, is about to be answered, as soon as this lane would: a
    photo that is wanted now does not wait for a batch."""
    if found is None or found.uid != wanted.uid or found.status not in {Status.QUEUED, Status.PROCESSING}:
        return False
    in_time = found.lease_until is None or found.lease_until > wanted.created_at
    return in_time and (found.mode is Lane.INSTANT or lane is Lane.BATCH)


def rules_now(rules: CacheRules, bits_max: int | None, now: datetime) -> Rules:
    """Return what holds for a look-up now, in a family that is certified within `bits_max`."""
    oldest = now - timedelta(days=rules.age_days_max)
    return Rules(rules.exact, rules.near, bits_max, max(oldest, rules.not_before or oldest))


def noted(
    candidate: Candidate, source: Source, family: str, check_at: datetime | None = None, *, served: bool
) -> CacheNote:
    """Return what the new job keeps of a candidate; if that answers it, when it is looked at whether it is asked again,
    None if it is not."""
    return CacheNote(
        of=candidate.entry.job_id,
        answered_at=source.answered_at,
        tier=candidate.tier,
        bits=candidate.bits,
        family=family,
        served=served,
        check_at=check_at if served else None,
        kept=None if served else gist_of(source.answer),
    )


def at_the_cached_price(job: Job, tokens: TokenRules) -> Job:
    """Return the job at the price, and with the points, of a photo that was sent before. No hit costs more than the
    lane that it was wanted in."""
    price = min(tokens.cached_price, job.tokens_cost)
    return job.model_copy(update={"tokens_cost": price, "points": tokens.points_per_cached_answer})


def as_a_hit(job: Job, tokens: TokenRules) -> Job:
    """Return what a job comes to at the least, should its photo turn out to be known."""
    return at_the_cached_price(job, tokens).model_copy(update={"status": Status.DONE})


def answered_again(job: Job, source: Source, note: CacheNote, lane: Lane) -> Job:
    """Return the job of a hit: done when it was asked for, in the lane that was asked for, by the same result."""
    own = {
        "mode": lane,
        "status": Status.DONE,
        "attempts": 0,
        "lease_until": None,
        "queued_at": None,
        "estimated_completion": None,
        "completed_at": job.created_at,
        "result": source.answer.as_json(),
        "cache": note,
    }
    return job.model_copy(update=own)
