"""A batch: many jobs in one request file, and the roll that they are called from.

    building ──► uploaded ──► submitted ──► collecting ──► done
        └───────────┴─────────────┴─────────────┴────────► failed

`due_at` is the one time that matters to a batch: until then somebody has it (a lease) or nothing needs to be done
(the next poll); after it, whoever comes first takes it further. What a submitter or a collector left behind when it
died is therefore found by the same query as a batch that is due.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field, TypeAdapter, ValidationError

from functions.core.budget.holds import Hold
from functions.core.shared.records import Open, Record

INPUT_BYTES_MAX = 190_000_000
"""OpenAI takes 200 MB a file; the margin is for a line that is counted differently there."""

OVERDUE = timedelta(hours=26)
"""OpenAI promises 24 hours. A batch that is older is cancelled there, so that what it has finished comes out."""

LOST = timedelta(hours=28)
"""A batch that does not even end after its cancellation is given up, and its jobs are settled without it."""

JOB_LEASE = timedelta(days=4)
"""After this a job that its batch has not ended is failed and refunded by whoever recovers jobs; OpenAI has deleted its
answer by then. That comes about where a run stood still past its lease between two writes of its claim, went on to
claim jobs for a batch that was closed meanwhile, and died."""

BATCH_LIFETIME = timedelta(days=90)
"""After this a batch is deleted by TTL, as its jobs are; what it cost is in the books of its day."""

LEASE_MARGIN = timedelta(minutes=2)
"""How much of a batch's lease must be left to claim jobs for it, to write a file of it, or to create it at OpenAI: more
than a request's own time limit, so that it does not arrive when another run has closed the batch, or looked for it."""

FILES_AWAITED = timedelta(hours=2)
"""How long a batch that has ended is looked at again for a file that OpenAI speaks of and does not hand out. Files have
come twenty minutes after the end; what is in them is paid for."""

FAILED_POLLS_MAX = 3
"""A batch older than LOST is given up after this many polls in a row that came to nothing: not for one bad moment."""

UNENDED_POLLS_MAX = 5
"""Collections of a batch that ended all jobs but some, which failed in a way nobody foresaw. After that they are left
to `recover_jobs`."""

RELEASE_PAUSE = timedelta(minutes=10)
"""How long jobs wait that could not be sent because of what they are sent with, Storage or their own input file: longer
than until the next submitter, who takes others first."""

OVER_LIMIT_PAUSE = timedelta(minutes=15)
"""How long jobs wait after OpenAI refused their batch because too many tokens are enqueued."""

POLL_FIRST = timedelta(minutes=5)
POLL_SLOWEST = timedelta(minutes=30)
"""Polls back off from every cron tick to one in six: an hour-old batch is not looked at every five minutes."""


class BatchState(StrEnum):
    """How far a batch has come; each state names what is already recorded."""

    BUILDING = "building"
    UPLOADED = "uploaded"
    SUBMITTED = "submitted"
    COLLECTING = "collecting"
    DONE = "done"
    FAILED = "failed"


class Batch(Record):
    """A batch as stored in `batches/{batchId}`. Its jobs are listed in Storage, not here.

    `failed_polls` are those in a row that came to nothing, `unended_polls` those that left jobs over. `provider_state`
    and `answered` are what OpenAI last said of it; `ended_at` is when it was first seen ended there without its files.
    """

    batch_id: str
    state: Open[BatchState]
    created_at: datetime
    due_at: datetime
    model: str
    job_count: int = 0
    input_file_id: str | None = None
    openai_batch_id: str | None = None
    polls: int = 0
    failed_polls: int = 0
    unended_polls: int = 0
    provider_state: str = ""
    answered: int = 0
    ended_at: datetime | None = None
    cancel_requested: bool = False
    done_count: int = 0
    failed_count: int = 0
    requeued_count: int = 0
    cost_micros: int = Field(default=0, ge=0)
    hold: Hold | None = None
    error: str | None = None
    completed_at: datetime | None = None
    expire_at: datetime | None = None

    def holds_lease(self, now: datetime) -> bool:
        """Tell whether the lease of the run that holds the batch lasts for one more request."""
        return now <= self.due_at - LEASE_MARGIN


SLOW = timedelta(hours=6)
"""A batch that OpenAI keeps for so long, and for twice as long as batches take, is told. It promises 24 hours."""


@dataclass(frozen=True, slots=True)
class BatchMember:
    """One line of a batch's list of jobs: what the collector must know of a job without reading its document again.

    `updated_at` is the time of the claim's write. The collector writes under the precondition that the job has not
    changed since, so a second collector, or a second line for the same job, changes nothing.

    A plain object with slots: fifty thousand of them are held at once, and as models they would take thrice as much.
    """

    job_id: str
    uid: str
    image_path: str
    region: str
    language: str
    tokens_cost: int
    attempts: int
    cost_micros: int
    created_at: datetime
    updated_at: datetime
    notify: tuple[str, ...] = ()
    image_digest: str | None = None

    def to_line(self) -> bytes:
        """Return the line that the member is stored as, newline included."""
        return _MEMBER.dump_json(self) + b"\n"

    @staticmethod
    def from_line(line: bytes) -> "BatchMember":
        """Return the member that is stored in a line."""
        return _MEMBER.validate_json(line)


_MEMBER = TypeAdapter(BatchMember)


class BatchManifest:
    """The jobs of a batch that have not been accounted for, in the order of the input file.

    Kept as the lines they are stored in: fifty thousand of them take a few megabytes, as objects they would take many.
    A collector that runs out of time stores the roll again, as `to_lines`: whoever goes on finds the jobs that are
    left, and in `ended` what became of the others.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        """Take the lines of a batch's list of jobs."""
        self.ended: dict[str, int] = {}
        self.damaged = 0
        self._lines: dict[str, bytes] = {}
        order: list[str | None] = []
        for line in map(bytes.strip, lines):
            if line.startswith(_ENDED):
                self.ended = _COUNTS.validate_json(line.removeprefix(_ENDED))
                continue
            job_id = self._job_in(line)
            order.append(job_id)
            if job_id is not None:
                self._lines[job_id] = line
        self._order = tuple(order)

    def _job_in(self, line: bytes) -> str | None:
        """Return the job that a line is about. `damaged` counts the lines that cannot be read."""
        if not line:
            return None
        try:
            return BatchMember.from_line(line).job_id
        except ValidationError:
            self.damaged += 1
            return None

    def to_lines(self, ended: Mapping[str, int]) -> Iterator[bytes]:
        """Yield what is left as it is stored: an empty line for a job that was taken, so that the others keep the
        numbers of their lines, and at last what became of those."""
        for job_id in self._order:
            yield self._lines.get(job_id or "", b"") + b"\n"
        yield _ENDED + _COUNTS.dump_json(dict(ended)) + b"\n"

    def take(self, job_id: str) -> BatchMember | None:
        """Return a job and strike it off. None if it is not on the roll, or was taken before."""
        line = self._lines.pop(job_id, None)
        return None if line is None else BatchMember.from_line(line)

    def put_back(self, member: BatchMember) -> None:
        """Put a job that was taken on the roll again: it has not ended."""
        self._lines[member.job_id] = member.to_line().strip()

    def take_line(self, number: int) -> BatchMember | None:
        """Return the job in a line of the input file, counted from 1, and strike it off."""
        return self.take(self._order[number - 1] or "") if 1 <= number <= len(self._order) else None

    def take_rest(self) -> Iterator[BatchMember]:
        """Return the jobs that are left, one after the other."""
        for job_id in self._order:
            member = self.take(job_id or "")
            if member is not None:
                yield member


_ENDED = b"#"
_COUNTS = TypeAdapter(dict[str, int])


def next_poll(created_at: datetime, now: datetime) -> datetime:
    """Return when to look at a submitted batch again: after a quarter of its age, between 5 and 30 minutes."""
    return now + min(max((now - created_at) / 4, POLL_FIRST), POLL_SLOWEST)
