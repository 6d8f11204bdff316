"""One batch: its record, its timetable, and the object that the API shows."""

import math
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud.openai.settings import COMPLETION_WINDOW, COMPLETION_WINDOW_SECONDS
from localcloud.standins.faults import Fault

FINAL = frozenset({"failed", "completed", "expired", "cancelled"})
CANCELLING_SECONDS_MAX = 600  # documented: "up to 10 minutes"

# Parts of a batch's whole time.
_VALIDATED = 0.05
_WORKED_OFF = 0.9


@dataclass
class Timetable:
    """When a batch gets where, in seconds since 1970; infinity for never.

    created      in_progress_at              worked_off_at   finalizing_at   completed_at        expires_at
       |-- validating --|------- lines, evenly -------|-- stuck --|-- finalizing --|   ...           |
    """

    in_progress_at: float
    worked_off_at: float
    finalizing_at: float
    completed_at: float
    expires_at: float
    share: float = 1.0  # of the lines that are ever worked off
    cancels_itself: bool = False  # OpenAI's side cancels once that share is done


def timetable(created_at: int, batch_minutes: float, dice: random.Random, faults: tuple[Fault, ...]) -> Timetable:
    """Return the timetable of a batch that takes half of `batch_minutes` to all of it, with its faults applied."""
    seconds = batch_minutes * 60 * dice.uniform(0.5, 1.0)
    stuck = {"validating": 0.0, "in_progress": 0.0, "finalizing": 0.0}
    share, cancels_itself = 1.0, False
    for fault in faults:
        match fault.kind:
            case "batch_minutes" if fault.minutes is not None:
                seconds = fault.minutes * 60
            case "batch_stuck":
                stuck[fault.state] = math.inf if fault.minutes is None else fault.minutes * 60
            case "batch_expires":
                share, stuck["in_progress"] = fault.share, math.inf
            case "batch_cancelled":
                share, cancels_itself = fault.share, True
    in_progress_at = created_at + seconds * _VALIDATED + stuck["validating"]
    worked_off_at = in_progress_at + seconds * (_WORKED_OFF - _VALIDATED)
    finalizing_at = worked_off_at + stuck["in_progress"]
    completed_at = finalizing_at + seconds * (1 - _WORKED_OFF) + stuck["finalizing"]
    expires_at = created_at + COMPLETION_WINDOW_SECONDS
    return Timetable(in_progress_at, worked_off_at, finalizing_at, completed_at, expires_at, share, cancels_itself)


@dataclass
class Batch:
    """A batch as the stand-in keeps it. Times are in seconds since 1970."""

    id: str
    endpoint: str
    input_file_id: str
    created_at: int
    metadata: dict[str, str]
    times: Timetable
    faults: tuple[Fault, ...]
    dice: random.Random
    output_path: Path
    error_path: Path
    output_life_seconds: int
    status: str = "validating"
    reached_at: dict[str, int] = field(default_factory=dict)  # status -> when
    cancelled_due: float = math.inf
    model: str | None = None
    enqueued_tokens: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)
    input_path: Path | None = None
    offsets: list[int] = field(default_factory=list)  # where each line begins in the input
    order: list[int] = field(default_factory=list)  # in which the lines are worked off
    done: int = 0  # how many of `order` have been
    completed: int = 0
    failed: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    output_file_id: str | None = None
    error_file_id: str | None = None

    @property
    def total(self) -> int:
        """How many lines the input has; 0 until it is validated."""
        return len(self.offsets)

    def enter(self, status: str, moment: float) -> None:
        """Move on to `status`."""
        self.status = status
        self.reached_at[status] = int(moment)

    def _files_named(self, now: int) -> bool:
        late = [math.inf if each.minutes is None else each.minutes for each in self.faults if each.kind == "files_late"]
        ended = max(self.reached_at.get(status, 0) for status in ("completed", "expired", "cancelled"))
        return now >= ended + 60 * max(late, default=0.0)

    def due(self, moment: float) -> int:
        """Return how many lines are worked off by `moment`."""
        begin, end = self.times.in_progress_at, self.times.worked_off_at
        elapsed = min(1.0, max(0.0, (moment - begin) / (end - begin)))
        return min(math.floor(elapsed * self.total + 1e-9), math.floor(self.times.share * self.total))

    def public(self, now: int) -> dict[str, Any]:
        """Return the batch object as the API shows it."""
        named = self._files_named(now)
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "model": self.model,
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            "input_file_id": self.input_file_id,
            "completion_window": COMPLETION_WINDOW,
            "status": self.status,
            "output_file_id": self.output_file_id if named else None,
            "error_file_id": self.error_file_id if named else None,
            "created_at": self.created_at,
            "expires_at": self.created_at + COMPLETION_WINDOW_SECONDS,
            **{
                f"{status}_at": self.reached_at.get(status)
                for status in (
                    "in_progress",
                    "finalizing",
                    "completed",
                    "failed",
                    "expired",
                    "cancelling",
                    "cancelled",
                )
            },
            "request_counts": {"total": self.total, "completed": self.completed, "failed": self.failed},
            "usage": {
                "input_tokens": self.input_tokens,
                "input_tokens_details": {"cached_tokens": self.cached_tokens},
                "output_tokens": self.output_tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": self.input_tokens + self.output_tokens,
            },
            "metadata": self.metadata or None,
        }
