"""The batch queue as processes know it: how long it is, how busy that makes it, and how long a photo waits in it."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from functions.core.config.runtime import BatchRules
from functions.core.model.provider_outage import Outage
from functions.core.shared.records import Record
from functions.core.shared.time_limits import CRON_MINUTES


class QueueHealth(StrEnum):
    """How busy the batch lane is."""

    HEALTHY = "healthy"
    MODERATE = "moderate"
    BUSY = "busy"
    OVERLOADED = "overloaded"


class QueueStats(Record):
    """The batch queue as the last submitter saw it. Stored in `stats/queue`. `batch_minutes` is a moving average from
    submission to result, None at first; `closed_at` when the last submitter found both lanes closed; `provider` the
    outages by door. Until `trial_until` photos of a trial may wait: see `core.jobs.trials`."""

    queued: int = Field(default=0, ge=0)
    batch_minutes: float | None = Field(default=None, ge=0)
    closed_at: datetime | None = None
    provider: dict[str, Outage] = Field(default_factory=dict)
    trial_until: datetime | None = None

    @property
    def health(self) -> QueueHealth:
        """Return `moderate` above 100 queued jobs, `busy` above 500, `overloaded` above 1,000."""
        if self.queued > 1_000:
            return QueueHealth.OVERLOADED
        if self.queued > 500:
            return QueueHealth.BUSY
        return QueueHealth.MODERATE if self.queued > 100 else QueueHealth.HEALTHY


MEASURED_SHARE = 0.2
"""How much the newest batch counts in the moving average."""


def measured(stats: QueueStats, minutes: float) -> float:
    """Return the moving average after one more batch that took this long."""
    before = minutes if stats.batch_minutes is None else stats.batch_minutes
    return round(before + (minutes - before) * MEASURED_SHARE, 1)


def expected_wait_minutes(stats: QueueStats, rules: BatchRules) -> int:
    """Return how long a photo queued now waits for its answer: for its turn to be sent, and then at OpenAI."""
    runs = 1 + stats.queued // (rules.jobs_per_batch * rules.batches_per_run)
    at_provider = rules.expected_minutes if stats.batch_minutes is None else stats.batch_minutes
    return runs * CRON_MINUTES["submit_batches"] + round(at_provider)
