"""One bad item costs that item: the batch lane goes on beside a broken document, photo, answer or wallet.

Each of these faults stays until somebody mends it: those that pass by themselves are the subject of other tests.
"""

from functools import partial
from typing import Any

from scripts.inprocess import InProcessCloud
from tests import steps
from tests.steps import UNLIMITED, alerts

CONFIG: dict[str, Any] = {"tokens": {"welcome": 200}, "plans": {"free": UNLIMITED}}

ticks = partial(steps.ticks, suppressed=(RuntimeError,))
"""A run fails if all that it had to do failed; the next one is tried all the same."""


def batch_ids(cloud: InProcessCloud) -> list[str]:
    """Return the ids of all batches, the oldest first."""
    return [each.id for each in cloud.client.collection("batches").order_by("createdAt").stream()]


def alert_texts(cloud: InProcessCloud, kind: str) -> list[str]:
    """Return the texts of the alerts of a kind."""
    return [alert["text"] for alert in alerts(cloud, kind).values()]
