"""A job: one photo to classify, its price, and the states it passes through.

    instant   processing ──► done | failed      (or done at once, by an earlier answer: see `cached`)
                  ▲
                  │ upgraded
    batch     queued ──► processing ──► done | failed
               │ ▲            │
               │ └─ requeued ─┘   (retryable, attempts left)
               └──► cancelled, or failed when it waited too long

`done`, `failed` and `cancelled` are final. `core.jobs.transitions` has what each step writes.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import Field

from functions.core.budget.holds import Hold
from functions.core.cache.notes import CacheNote
from functions.core.jobs.legs import Tried
from functions.core.model.usage import Usage
from functions.core.rollouts.arms import Arms
from functions.core.shared.lanes import Lane
from functions.core.shared.records import Fields, Open, Record
from functions.core.shared.utc_days import day_of, iso_text

JOB_LIFETIME = timedelta(days=90)
"""After this a job is deleted by TTL; the ledger and the totals outlive it."""

QUEUE_SHARDS = 16
"""The queue's index begins with a shard, because one that grows at one end takes 500 writes a second and no more."""


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

FAILURE_TEXTS: Mapping[str, str] = {
    Failure.IMAGE_NOT_FOUND: "The photo was replaced or removed before its turn came.",
    Failure.INVALID_IMAGE: "The photo cannot be used. Choose another one.",
    Failure.PROVIDER_UNAVAILABLE: "The classifier was not available.",
    Failure.PROVIDER_REJECTED: "The classifier does not take this photo. Choose another one.",
    Failure.ANSWER_UNUSABLE: "The classifier gave no usable answer.",
    Failure.BATCH_EXPIRED: "The classifier did not come to the photo in time.",
    Failure.BATCH_FAILED: "The classifier did not take the photo.",
    Failure.LINE_MISSING: "The classifier's answer was lost.",
    Failure.WAITED_TOO_LONG: "The photo could not be classified in time.",
}
"""What a user is told. What went wrong behind it, as a key that was refused, is the operators' matter: it is logged."""

BY_THE_PHOTO = frozenset({Failure.PROVIDER_REJECTED, Failure.ANSWER_UNUSABLE})
"""What comes about by what a photo shows, as far as anybody can tell. Whoever wants to do harm finds such photos."""

BY_THE_PATH = frozenset(
    {
        Failure.PROVIDER_UNAVAILABLE,
        Failure.ANSWER_UNUSABLE,
        Failure.BATCH_EXPIRED,
        Failure.BATCH_FAILED,
        Failure.LINE_MISSING,
    }
)
"""What tells against the path that a call took: the provider's failures and our own, not the photo's."""


class JobError(Record):
    """Why a job failed. `message`: see `told`. `problem` is a `PhotoProblem`, as text, if the photo is the reason."""

    code: Open[Failure]
    message: str
    problem: str | None = None

    def told(self) -> Fields:
        """Return the fields to store: users read them."""
        return self.model_copy(update={"message": FAILURE_TEXTS.get(self.code, self.message)}).as_json()


class Dispute(Record):
    """That the user disputes the answer, and why: see `core.jobs.disputes`."""

    reason: str
    at: datetime


class Job(Record):
    """A job as stored in `aiJobs/{jobId}`. Times are UTC, money is integer micro-dollars, prices are tokens.

    What is `requested` is kept as sent, None for a default, or a `preset`'s: the key stands for it. `image_digest`
    knows the photo that was paid for: see `core.jobs.uploads`. `payer`: a team, else not stored, or all users' jobs
    would share a place in its index. `tokens_bought` are those of `tokens_cost` that were bought. `plan` and
    `visit_...`: see `core.wallet.quotas.visited`. `opened_by`: the invocation that made or upgraded it. `hold` is an
    instant call's, `arms` the paths of the flags. `tried`: what came of each provider, if two were asked or one may
    bill without saying. `queued_at`: when the job may be taken next. `notify` are push tokens. `charge_stands`: not
    refunded, see `core.wallet.quotas`. `bulk_id`: whose charge paid it, and `paid_at` when, days before it was a job.
    `cache`: what was known of the photo; `shared`: by another user, None if nobody looked.
    """

    job_id: str
    uid: str
    payer: str | None = Field(default=None, exclude_if=lambda payer: payer is None)
    image_path: str
    image_digest: str | None = None
    requested_mode: Open[Lane]
    requested_region: str | None = None
    requested_language: str | None = None
    preset: str | None = Field(default=None, exclude_if=lambda preset: preset is None)
    mode: Open[Lane]
    region: str
    language: str
    status: Open[Status]
    priority: int = 0
    tokens_cost: int
    tokens_bought: int = 0
    points: int = 0
    created_at: datetime
    day: str = ""
    plan: str | None = None
    visit_age: int | None = None
    visit_again: bool | None = None
    shard: int = Field(default=0, ge=0, lt=QUEUE_SHARDS)
    queued_at: datetime | None = None
    notify: tuple[str, ...] = ()
    estimated_completion: datetime | None
    attempts: int = 0
    batch_id: str | None = None
    bulk_id: str | None = None
    paid_at: datetime | None = Field(default=None, exclude_if=lambda paid_at: paid_at is None)
    opened_by: str
    lease_until: datetime | None = None
    result: dict[str, Any] | None = None
    error: JobError | None = None
    charge_stands: bool = False
    usage: Usage | None = None
    hold: Hold | None = None
    tried: tuple[Tried, ...] = ()
    arms: Arms = Field(default_factory=dict)
    cache: CacheNote | None = None
    shared: bool | None = None
    dispute: Dispute | None = None
    cost_micros: int = Field(default=0, ge=0)
    completed_at: datetime | None = None
    expire_at: datetime

    @property
    def charged_at(self) -> datetime:
        """When it was paid for."""
        return self.paid_at or self.created_at


def counted_on(job: Job) -> str:
    """Return the day on which a job counts in its lane: an upgrade on its own; of a bulk job its charge's month."""
    own = day_of(job.charged_at)[: 7 if job.bulk_id else None]
    return job.hold.day if job.mode is Lane.INSTANT and job.hold else own


_SHOWN = (
    "job_id requested_mode mode status tokens_cost created_at estimated_completion attempts result error charge_stands "
    "completed_at dispute"
)


def job_view(job: Job) -> dict[str, Any]:
    """Return what the app is shown of a job: JSON, with times as ISO 8601 text in UTC."""
    note = job.cache
    served = {"tier": str(note.tier), "jobId": note.of, "answeredAt": iso_text(note.answered_at)} if note else None
    return {
        **job.as_json(include=set(_SHOWN.split())),
        "payer": job.payer,
        "servedFrom": served if note and note.served else None,
    }


def shard_of(job_id: str) -> int:
    """Return the queue shard of a job. Ids are hashes, so the shards fill evenly."""
    return int(job_id[:4], 16) % QUEUE_SHARDS
