"""How busy the batch lane is, and how long a photo waits in it."""

import pytest

from functions.core.config.runtime import BatchRules
from functions.core.jobs.queue_stats import QueueStats, expected_wait_minutes, measured


@pytest.mark.parametrize(
    ("queued", "health"),
    [(0, "healthy"), (100, "healthy"), (101, "moderate"), (500, "moderate"), (501, "busy"), (1_001, "overloaded")],
)
def test_the_queue_says_how_busy_it_is(queued: int, health: str) -> None:
    """In four words that the app can show."""
    assert QueueStats(queued=queued).health == health


def test_the_measured_wait_follows_the_newest_batches_slowly() -> None:
    """The first measurement is taken as it is; each further one counts a fifth."""
    assert measured(QueueStats(), 50) == 50
    assert measured(QueueStats(batch_minutes=50), 100) == 60
    assert measured(QueueStats(batch_minutes=50), 50) == 50


RULES = BatchRules(jobs_per_batch=100, batches_per_run=10, expected_minutes=240)


@pytest.mark.parametrize(
    ("stats", "minutes"),
    [
        (QueueStats(), 5 + 240),
        (QueueStats(batch_minutes=30.4), 5 + 30),
        (QueueStats(queued=999, batch_minutes=30), 5 + 30),
        (QueueStats(queued=1_000, batch_minutes=30), 10 + 30),
        (QueueStats(queued=5_500, batch_minutes=0), 30),
    ],
)
def test_the_wait_is_that_for_the_own_turn_and_then_openais(stats: QueueStats, minutes: int) -> None:
    """A submitter every five minutes takes a thousand jobs; after that it is OpenAI's time, measured or assumed."""
    assert expected_wait_minutes(stats, RULES) == minutes
