"""A job: one photo to classify, its price, and the states it passes through.

    instant   processing ──► done | failed
                  ▲
                  │ upgraded
    batch     queued ──► processing ──► done | failed
               │ ▲            │
               │ └─ requeued ─┘   (retryable, attempts left)
               └──► cancelled, or failed when it waited too long

`done`, `failed` and `cancelled` are final. Each change below is a set of fields that the adapter writes in one
update, under a guard that the job is still as it was read; `done` is written together with its result.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import Field

from functions.core.budget import Hold
from functions.core.classification import Classification
from functions.core.errors import KeyReused
from functions.core.records import Record
from functions.core.usage import Usage

JOB_LIFETIME = timedelta(days=90)
"""After this a job is deleted by TTL; the ledger and the totals outlive it."""

WAIT_MAX = timedelta(hours=26)
"""A batch job that has waited longer, OpenAI's 24 hours and our own trouble included, is failed and refunded."""

RETRY_BACKOFF = (timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4))
"""How long a job stays out of the queue after its first, second and any further failed attempt."""

QUEUE_SHARDS = 16
"""The queue's index begins with a shard, because one that grows at one end takes 500 writes a second and no more."""

Fields = Mapping[str, Any]
"""Stored field names (camelCase) and the values to write."""


class Lane(StrEnum):
    """How soon, and at what price."""

    INSTANT = "instant"
    BATCH = "batch"


class Status(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    PROCESSING = "processing"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = frozenset({Status.DONE, Status.FAILED, Status.CANCELLED})
"""States that nothing leaves."""


class Failure(StrEnum):
    """Why a job, or one attempt at it, failed. A constant for the app; the text beside it is for people."""

    IMAGE_NOT_FOUND = "IMAGE_NOT_FOUND"
    INVALID_IMAGE = "INVALID_IMAGE"
    PROVIDER_UNAVAILABLE = "PROVIDER_UNAVAILABLE"
    PROVIDER_REJECTED = "PROVIDER_REJECTED"
    ANSWER_UNUSABLE = "ANSWER_UNUSABLE"
    BATCH_EXPIRED = "BATCH_EXPIRED"
    BATCH_FAILED = "BATCH_FAILED"
    LINE_MISSING = "LINE_MISSING"
    WAITED_TOO_LONG = "WAITED_TOO_LONG"


RETRYABLE = frozenset(Failure) - {
    Failure.IMAGE_NOT_FOUND,
    Failure.INVALID_IMAGE,
    Failure.PROVIDER_REJECTED,
    Failure.WAITED_TOO_LONG,
}
"""What another attempt may cure. The rest would fail again the same way and be paid for again."""


class JobError(Record):
    """What went wrong with a job that failed."""

    code: Failure
    message: str


class Job(Record):
    """A job as stored in `aiJobs/{jobId}`. Times are UTC, money is integer micro-dollars, prices are tokens.

    `opened_by` is the invocation that created or upgraded the job: one whose reply was lost recognises its own work by
    it. `hold` is what the budget holds back for an instant call. `queued_at` is when the job may be taken next, and its
    place in the queue. `notify` are push tokens, kept here so that telling the user costs no further read.
    """

    job_id: str
    uid: str
    image_path: str
    requested_mode: Lane
    mode: Lane
    region: str
    language: str
    status: Status
    priority: int = 0
    tokens_cost: int
    points: int = 0
    created_at: datetime
    shard: int = Field(default=0, ge=0, lt=QUEUE_SHARDS)
    queued_at: datetime | None = None
    notify: tuple[str, ...] = ()
    estimated_completion: datetime | None
    attempts: int = 0
    batch_id: str | None = None
    opened_by: str
    lease_until: datetime | None = None
    result: Classification | None = None
    error: JobError | None = None
    usage: Usage | None = None
    hold: Hold | None = None
    cost_micros: int = Field(default=0, ge=0)
    completed_at: datetime | None = None
    expire_at: datetime


_SHOWN = {
    "job_id",
    "requested_mode",
    "mode",
    "status",
    "tokens_cost",
    "created_at",
    "estimated_completion",
    "attempts",
    "result",
    "error",
    "completed_at",
}


def job_view(job: Job) -> dict[str, Any]:
    """Return what the app is shown of a job: JSON, with times as ISO 8601 text in UTC."""
    return job.model_dump(by_alias=True, mode="json", include=_SHOWN)


def with_fields(job: Job, fields: Fields) -> Job:
    """Return the job as it is after an update of these stored fields."""
    return Job.model_validate({**job.model_dump(by_alias=True), **fields})


def job_id_for(uid: str, request_id: str) -> str:
    """Return the id of the job that this request names: 128 bits of SHA-256, so that one key is one job, per user."""
    return hashlib.sha256(f"{uid}\n{request_id}".encode()).hexdigest()[:32]


def require_same_request(stored: Job, wanted: Job) -> None:
    """Check that a repeated `requestId` carries the payload it carried first.

    Raises:
        KeyReused: names the first field that differs.
    """
    payload = {"image_path", "requested_mode", "region", "language"}
    require_same_payload(stored.model_dump(include=payload), wanted.model_dump(include=payload))


def require_same_payload(stored: Mapping[str, object], wanted: Mapping[str, object]) -> None:
    """Check that what a key was first used with is what it comes with again.

    Raises:
        KeyReused: names the first field that differs, as the client spells it.
    """
    for name, value in wanted.items():
        if stored.get(name) != value:
            field = _SENT_AS.get(name, name)
            raise KeyReused(
                f"This requestId was used before with another {field}. Use a new requestId for a new request.",
                field=field,
            )


_SENT_AS = {"image_path": "imagePath", "requested_mode": "mode"}


def done(result: Classification, usage: Usage | None, cost_micros: int, now: datetime) -> Fields:
    """The result has come: the one write that makes a job `done` carries everything the app shows."""
    return {
        "status": Status.DONE,
        "result": result.model_dump(by_alias=True, mode="json"),
        "usage": usage.model_dump(by_alias=True) if usage else None,
        "costMicros": cost_micros,
        "error": None,
        "completedAt": now,
        "leaseUntil": None,
        "queuedAt": None,
    }


def failed(error: JobError, cost_micros: int, now: datetime) -> Fields:
    """The last attempt has failed; its refund goes into the same transaction. A useless answer still has its cost."""
    return {
        "status": Status.FAILED,
        "error": error.model_dump(by_alias=True, mode="json"),
        "costMicros": cost_micros,
        "completedAt": now,
        "leaseUntil": None,
        "queuedAt": None,
    }


def cancelled(now: datetime) -> Fields:
    """The user has changed their mind while the job was queued; its refund goes into the same transaction."""
    return {"status": Status.CANCELLED, "queuedAt": None, "completedAt": now}


def upgraded(
    opened_by: str, tokens_cost: int, lease_until: datetime, attempts: int, hold: Hold | None = None
) -> Fields:
    """The user pays the difference and the job leaves the queue for the instant lane."""
    return {
        "mode": Lane.INSTANT,
        "status": Status.PROCESSING,
        "openedBy": opened_by,
        "tokensCost": tokens_cost,
        "leaseUntil": lease_until,
        "queuedAt": None,
        "estimatedCompletion": None,
        "attempts": attempts + 1,
        "hold": hold.model_dump(by_alias=True) if hold else None,
    }


def claimed(batch_id: str, attempts: int) -> Fields:
    """A submitter has taken the job into its batch; the batch holds the lease for all its jobs."""
    return {"status": Status.PROCESSING, "batchId": batch_id, "attempts": attempts + 1}


def requeued(error: JobError, *, attempts: int, at: datetime) -> Fields:
    """Back into the queue, to be taken from `at` on. `attempts` are those that count against the limit."""
    return {
        "status": Status.QUEUED,
        "batchId": None,
        "attempts": attempts,
        "queuedAt": at,
        "error": error.model_dump(by_alias=True, mode="json"),
    }


def backoff(attempts: int) -> timedelta:
    """Return how long to wait after this many failed attempts."""
    return RETRY_BACKOFF[min(max(attempts, 1), len(RETRY_BACKOFF)) - 1]


def shard_of(job_id: str) -> int:
    """Return the queue shard of a job. Ids are hashes, so the shards fill evenly."""
    return int(job_id[:4], 16) % QUEUE_SHARDS


def waited_too_long(created_at: datetime, now: datetime) -> bool:
    """Whether a batch job has waited longer than anybody should."""
    return now - created_at > WAIT_MAX
