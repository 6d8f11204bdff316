"""One message batch: its record, its timetable, and the object that the API shows."""

import math
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localcloud.anthropic.settings import BATCH_LIFE_SECONDS, RESULTS_LIFE_SECONDS
from localcloud.standins.faults import Fault

OUTCOMES = ("succeeded", "errored", "canceled", "expired")


@dataclass
class MessageBatch:
    """A batch as the stand-in keeps it. Times are in seconds since 1970; infinity for never.

    created_at      work_begins_at      work_ends_at = ended_at   ...   expires_at
        |--- stuck ---|--- requests, evenly, in `order` ---|
    """

    id: str
    created_at: float
    work_begins_at: float
    work_ends_at: float
    share: float  # of the requests that are ever worked off
    faults: tuple[Fault, ...]
    requests_path: Path
    results_path: Path
    offsets: list[int]  # where each request begins in its file
    order: list[int]  # in which they are worked off
    cancel_initiated_at: float | None = None
    canceled_due: float = math.inf
    ended_at: float | None = None
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))

    @property
    def total(self) -> int:
        """How many requests it has."""
        return len(self.offsets)

    @property
    def expires_at(self) -> float:
        """When it ends, whatever is left."""
        return self.created_at + BATCH_LIFE_SECONDS

    @property
    def status(self) -> str:
        """Return its `processing_status`."""
        if self.ended_at is not None:
            return "ended"
        return "in_progress" if self.cancel_initiated_at is None else "canceling"

    def due(self, moment: float) -> int:
        """Return how many requests are worked off by `moment`."""
        begin, end = self.work_begins_at, self.work_ends_at
        elapsed = min(1.0, max(0.0, (moment - begin) / (end - begin)))
        return min(math.floor(elapsed * self.total + 1e-9), math.floor(self.share * self.total))

    def delayed(self, kind: str) -> float:
        """Return how many seconds the batch's faults of a kind last."""
        late = [math.inf if each.minutes is None else each.minutes * 60 for each in self.faults if each.kind == kind]
        return max(late, default=0.0)

    def archived_at(self, now: float) -> float | None:
        """Return since when its results are gone, None while they are there."""
        end = self.created_at + RESULTS_LIFE_SECONDS
        return end if now >= end else None

    def public(self, now: float, base_url: str) -> dict[str, Any]:
        """Return the batch object as the API shows it. Requests count as processing until the whole batch has ended."""
        archived = self.archived_at(now)
        shown = self.ended_at is not None and archived is None
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": self.status,
            "request_counts": {"processing": 0 if self.ended_at is not None else self.total, **self.counts},
            "created_at": _text(self.created_at),
            "expires_at": _text(self.expires_at),
            "ended_at": _text(self.ended_at),
            "cancel_initiated_at": _text(self.cancel_initiated_at),
            "archived_at": _text(archived),
            "results_url": f"{base_url}/v1/messages/batches/{self.id}/results" if shown else None,
        }


def timetable(
    now: float, batch_minutes: float, dice: random.Random, faults: tuple[Fault, ...]
) -> tuple[float, float, float]:
    """Return when the work on a batch begins and ends, half of `batch_minutes` to all of it, and the share of the
    requests that are ever worked off, with its faults applied."""
    seconds, stuck, share = batch_minutes * 60 * dice.uniform(0.5, 1.0), 0.0, 1.0
    for fault in faults:
        match fault.kind:
            case "batch_minutes" if fault.minutes is not None:
                seconds = fault.minutes * 60
            case "batch_stuck":
                stuck = 2.0 * BATCH_LIFE_SECONDS if fault.minutes is None else fault.minutes * 60
            case "batch_expires":
                share = fault.share
    return now + stuck, now + stuck + seconds, share


def _text(moment: float | None) -> str | None:
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
