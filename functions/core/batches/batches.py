"""A batch: many jobs in one request file.

    building ──► uploaded ──► submitted ──► collecting ──► done
        └───────────┴─────────────┴─────────────┴────────► failed

`due_at` is the one time that matters to a batch: until then somebody has it (a lease) or nothing needs to be done (the
next poll); after it, whoever comes first takes it further. So the same query finds a due batch and a dead run's.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from functions.core.budget.holds import Hold
from functions.core.model.prompts import PROMPT_VERSION
from functions.core.rollouts.arms import Arms
from functions.core.shared.providers import Provider, split
from functions.core.shared.records import Open, Record

INPUT_BYTES_MAX = 190_000_000
"""OpenAI takes 200 MB a file, and Anthropic 256 MB a batch; the margin is for a line that is counted differently
there."""

OVERDUE = timedelta(hours=26)
"""OpenAI promises 24 hours, after which Anthropic's batches expire. A batch that is older is cancelled there, so that
what it has finished comes out."""

LOST = timedelta(hours=28)
"""A batch that does not even end after its cancellation is given up, and its jobs are settled without it."""

CANCELLED_WITHIN = timedelta(minutes=15)
"""When a batch that was cancelled is looked at again: OpenAI says that it ends within ten minutes."""

JOB_LEASE = timedelta(days=4)
"""Then `recover_jobs` fails and refunds a job that its batch has not ended; OpenAI has deleted its answer. It takes a
run that stood still past its lease, claimed on for a batch that was closed meanwhile, and died."""

BATCH_LIFETIME = timedelta(days=90)
"""After this a batch is deleted by TTL, as its jobs are; what it cost is in the books of its day."""

LEASE_MARGIN = timedelta(minutes=2)
"""Least lease for claiming jobs, writing a file or creating the batch at OpenAI: more than a request's time limit, so
that it does not arrive after another run has closed the batch, or looked for it."""

FILES_AWAITED = timedelta(hours=2)
"""How long an ended batch is polled for a named file that OpenAI does not hand out. Files, which are paid for, came 20
minutes late."""

FAILED_POLLS_MAX = 3
"""A batch older than LOST is given up after this many polls in a row that came to nothing: not for one bad moment."""

UNENDED_POLLS_MAX = 5
"""Collections of a batch that leave jobs over by unforeseen errors. After that `recover_jobs` has them."""

RELEASE_PAUSE = timedelta(minutes=10)
"""How long jobs wait whose Storage or input file failed: longer than until the next submitter, who takes others
first."""

OVER_LIMIT_PAUSE = timedelta(minutes=15)
"""How long jobs wait after OpenAI refused their batch because too many tokens are enqueued."""

POLL_FIRST = timedelta(minutes=5)
POLL_SLOWEST = timedelta(minutes=30)
"""Polls back off from every cron tick to one in six: an hour-old batch is not looked at every five minutes."""

SLOW = timedelta(hours=6)
"""A batch that OpenAI keeps for so long, and for twice as long as batches take, is told. It promises 24 hours."""


class BatchState(StrEnum):
    """How far a batch has come; each state names what is already recorded."""

    BUILDING = "building"
    UPLOADED = "uploaded"
    SUBMITTED = "submitted"
    COLLECTING = "collecting"
    DONE = "done"
    FAILED = "failed"


class Batch(Record):
    """A batch as stored in `batches/{batchId}`. Its jobs are listed in Storage, not here. All its lines go one way:
    `model`, by its name of `core.shared.providers`, wording of the prompt, and the `arms` of the flags that chose them;
    `side_max` is how long a photo's side may be, None of a release in which the config alone said it.

    `failed_polls` counts those in a row, `unended_polls` those that left jobs over. `provider_state` and `answered` are
    the provider's last word; `ended_at` is when it was first seen ended there without its files. `provider_batch_id` is
    stored under the name that it had when OpenAI was the only provider. How a batch is found again whose provider keeps
    no word of ours, `create_started_at`, `provisional` and `strangers` are for: see `core.batches.recovery`.
    """

    batch_id: str
    state: Open[BatchState]
    created_at: datetime
    due_at: datetime
    model: str
    prompt_version: str = PROMPT_VERSION
    arms: Arms = Field(default_factory=dict)
    side_max: int | None = None
    job_count: int = 0
    input_file_id: str | None = None
    provider_batch_id: str | None = Field(default=None, alias="openaiBatchId")
    create_started_at: datetime | None = None
    provisional: bool = False
    strangers: tuple[str, ...] = ()
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

    @property
    def provider(self) -> Provider:
        """Who has it, or will have: the same for all of its life."""
        return split(self.model)[0]

    def holds_lease(self, now: datetime) -> bool:
        """Tell whether the lease of the run that holds the batch lasts for one more request."""
        return now <= self.due_at - LEASE_MARGIN


def next_poll(created_at: datetime, now: datetime) -> datetime:
    """Return when to look at a submitted batch again: after a quarter of its age, between 5 and 30 minutes."""
    return now + min(max((now - created_at) / 4, POLL_FIRST), POLL_SLOWEST)
