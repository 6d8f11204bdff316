"""A bulk job: many photos of one user by one request, at one price that is paid when it starts.

    taking ──► working ──► done
       │          │
       └──────────┴──► cancelling ──► cancelled

`taking`: photos become jobs of the batch lane, a page at a time. `working`: all that are taken on wait for their
answers. The last states have a report. `core.bulk.changes` has what each step writes.
"""

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import Field

from functions.core.jobs.jobs import JOB_LIFETIME
from functions.core.shared.errors import JobNotFound, KeyReused
from functions.core.shared.idempotency import require_same_payload
from functions.core.shared.records import Open, Record

PAGE = 50
"""Photos that one transaction takes on: as many as `classify_images`."""

PHOTOS_MAX = 10_000
"""Of one bulk job: what its list and its report hold in memory."""

LEASE = timedelta(minutes=15)
"""How long a run has a bulk job for itself: longer than a function may run."""

SLOWEST_LOOK = timedelta(minutes=30)


class BulkState(StrEnum):
    """Where a bulk job is."""

    TAKING = "taking"
    WORKING = "working"
    CANCELLING = "cancelling"
    DONE = "done"
    CANCELLED = "cancelled"


class Waiting(StrEnum):
    """Why no further photo is taken on just now."""

    QUEUE = "queue"
    BUDGET = "budget"
    LIMIT = "limit"
    BLOCKED = "blocked"


class Bulk(Record):
    """A bulk job as stored in `bulkJobs/{bulkId}`, and as the app sees its progress.

    `payer`: a team, which has paid and gets what comes back; stored for teams alone. `listed` names the list of photos
    in Storage, by its digest: `count` of them, of which the first `taken` are jobs. `tokens_cost` is the price of all,
    `tokens_bought` what of it was bought, `points` those of one photo. Of the jobs that were taken on, so many are
    `done`, `failed` and `cancelled`, when last counted; `refunded` tokens came back for photos that were never taken
    on, unusable, or cancelled with the whole, by `refunds` entries. `due_at`: when a run looks at it next; none once it
    has ended. `moves` numbers its changes. What is `requested` is kept as sent, None for a default, which a `preset`
    may have set. `any_time`: it fills what the budget leaves. After `deadline` nothing more is taken on.
    """

    bulk_id: str
    uid: str
    payer: str | None = Field(default=None, exclude_if=lambda payer: payer is None)
    state: Open[BulkState]
    prefix: str | None = None
    listed: str
    count: int = Field(ge=1, le=PHOTOS_MAX)
    taken: int = Field(default=0, ge=0)
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    waiting: Open[Waiting] | None = None
    tokens_cost: int
    tokens_bought: int = 0
    refunded: int = 0
    refunds: int = 0
    points: int
    requested_region: str | None = None
    requested_language: str | None = None
    preset: str | None = None
    region: str
    language: str
    any_time: bool = False
    created_at: datetime
    deadline: datetime
    due_at: datetime | None
    moves: int = 0
    completed_at: datetime | None = None
    expire_at: datetime

    @property
    def ended(self) -> bool:
        """Whether it has its report, and nothing more comes."""
        return self.completed_at is not None

    def price_of(self, first: int, end: int) -> tuple[int, int]:
        """Return the tokens that photos `first` to before `end` cost of the whole, and how many of them were bought.
        The shares of all photos add up to the whole; the free tokens pay the first photos, as elsewhere."""
        tokens = self._until(end) - self._until(first)
        free = self.tokens_cost - self.tokens_bought
        return tokens, max(self._until(end) - free, 0) - max(self._until(first) - free, 0)

    def _until(self, photos: int) -> int:
        return self.tokens_cost * photos // self.count


def bulk_id_for(uid: str, request_id: str) -> str:
    """Return the id of the bulk job that this request names."""
    return hashlib.sha256(f"bulk\n{uid}\n{request_id}".encode()).hexdigest()[:32]


def request_of(bulk_id: str, path: str) -> str:
    """Return the key by which a photo of a bulk job has its job: none that an app could send."""
    return f"{bulk_id}/{path}"


def expires(deadline: datetime) -> datetime:
    """Return when a bulk job is deleted by TTL: after its last job."""
    return deadline + JOB_LIFETIME


_SHOWN = {
    "bulk_id",
    "state",
    "count",
    "taken",
    "done",
    "failed",
    "cancelled",
    "waiting",
    "tokens_cost",
    "refunded",
    "any_time",
    "created_at",
    "deadline",
    "completed_at",
}


def bulk_view(bulk: Bulk) -> dict[str, Any]:
    """Return what the app is shown of a bulk job."""
    return {**bulk.as_json(include=_SHOWN), "payer": bulk.payer}


def require_owner(bulk: Bulk | None, uid: str) -> Bulk:
    """Return the caller's bulk job. Raises JobNotFound for none and for somebody else's alike."""
    if bulk is None or bulk.uid != uid:
        raise JobNotFound("You have no bulk job with this bulkId.")
    return bulk


def require_same_bulk(stored: Bulk, wanted: dict[str, Any]) -> None:
    """Check that a repeated `requestId` carries its first payload; KeyReused names the first field that differs. What a
    call leaves to its preset may have changed since, and is not `wanted`."""
    require_same_payload(payload(stored), wanted)


def outlived_bulk() -> KeyReused:
    """Return the refusal of a key whose bulk job is no longer kept. Its charge is in the ledger, so it cannot be
    charged again."""
    text = "This requestId was used for a bulk job that is not kept any more. Use a new requestId."
    return KeyReused(text, field="requestId")


def payload(bulk: Bulk) -> dict[str, Any]:
    """Return what a bulk job's key stands for. Of a prefix the list may have grown since: only its name counts."""
    return {
        "prefix": bulk.prefix,
        "images": None if bulk.prefix is not None else bulk.listed,
        "region": bulk.requested_region,
        "language": bulk.requested_language,
        "preset": bulk.preset,
        "payer": bulk.payer,
        "anyTime": bulk.any_time,
    }


def next_look(bulk: Bulk, now: datetime) -> datetime:
    """Return when the answers of a bulk job are counted again: each count costs a read for every thousand photos, so
    after a tenth of its age, between 5 and 30 minutes."""
    return now + min(max((now - bulk.created_at) / 10, timedelta(minutes=5)), SLOWEST_LOOK)
