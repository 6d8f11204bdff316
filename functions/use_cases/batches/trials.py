"""The photos of a trial in the batch lane: sent after all photos of users, in a batch of their own that asks the way
that is tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.use_cases.batches.queue import without_overdue
from functions.use_cases.rollouts.serving import Served

if TYPE_CHECKING:
    from collections import Counter

    from functions.adapters.firestore import StoredJob
    from functions.wiring import Deps


def trial_to_send(deps: Deps, counts: Counter[str]) -> tuple[Served, list[StoredJob]] | None:
    """Return the way that is tried, and the photos that wait for it; None if none do. No read while there is no trial,
    else two and one for each photo."""
    until = deps.queue().trial_until
    running = deps.store.trials().running if until is not None and deps.clock() < until else None
    if running is None:
        return None
    found, now = deps.store.queued_of_trial(running.number), deps.clock()
    due = [each for each in found if each.job.queued_at is not None and each.job.queued_at <= now]
    photos = without_overdue(deps, due, counts)
    counts["checks"] += len(photos)
    return (Served(running.model, running.prompt, running.side_max), photos) if photos else None
