"""Trying a recommendation on recent photos: which, and what has come of them. The batch lane asks in between."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from functions.core.insights.saving_kinds import in_batches, tried_way
from functions.core.jobs.jobs import Status
from functions.core.jobs.trials import Trial, eligible, found_of, photo_of, with_end
from functions.core.model.prompts import PROMPT_NEXT
from functions.core.shared.providers import Provider
from functions.core.shared.utc_days import day_of
from functions.use_cases.rollouts.serving import can_ask, first_model, may_serve, way_in_force

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from functions.core.jobs.jobs import Job
    from functions.core.jobs.trials import Trials
    from functions.core.model.ways import Way
    from functions.wiring import Deps

DAYS_BACK = 14
READ_AT_ONCE = 200
"""Jobs of a day that are looked at: cached, failed and disputed ones do not count."""


def begin_trial(kind: str, changes: dict[str, Any], photos: int, by: str, deps: Deps) -> tuple[Trial | None, str]:
    """Queue so many photos for a trial, in one commit with its record. Returns it, or None and why not. The same trial,
    as long as it is under way, is the one that there is."""
    base = way_in_force(first_model(deps), deps)
    models = {each: deps.settings.model_of(each) for each in Provider}
    way = tried_way(changes, base, models, PROMPT_NEXT)
    if not can_ask(way.model, deps, batch=True):
        return None, f"{way.model} cannot be asked in a batch."
    found: list[str] = []
    jobs = _recent(base, way.model, photos, deps)
    if len(jobs) < photos:
        return None, f"It takes {photos} answered photos of the last {DAYS_BACK} days; there are {len(jobs)}."

    def change(trials: Trials) -> tuple[Trials, Iterable[Job]] | None:
        found.clear()
        if trials.running is not None:
            if (trials.running.kind, trials.running.changes) != (kind, changes):
                found.append("Another trial is under way.")
            return None
        number, now = trials.number + 1, deps.clock()
        trial = Trial(
            number=number,
            kind=kind,
            changes=changes,
            base=base.model,
            base_prompt=base.prompt,
            base_side_max=base.side_max,
            model=way.model,
            prompt=way.prompt,
            side_max=way.side_max,
            by=by,
            at=now,
            photos=len(jobs),
        )
        after = trials.model_copy(update={"number": number, "running": trial})
        return after, [photo_of(job, number, now) for job in jobs]

    trials = deps.store.change_trials(change)
    return (None, found[0]) if found else (trials.running, "")


def _recent(base: Way, model: str, photos: int, deps: Deps) -> list[Job]:
    """Return photos of the last days that were answered this way, the latest days first, which may go to the provider
    of the model that is tried."""
    jobs: list[Job] = []
    now = deps.clock()
    for back in range(DAYS_BACK):
        of_day = deps.store.answered_jobs(day_of(now - timedelta(days=back)), READ_AT_ONCE)
        jobs += [
            each.job
            for each in of_day
            if eligible(each.job, base) and may_serve(model, each.job.region, deps, batch=True)
        ]
        if len(jobs) >= photos:
            break
    return jobs[:photos]


def end_trial(deps: Deps) -> int:
    """Store what has come of a trial all of whose photos have ended, or whose time is up. Returns how many have. No
    read while there is none; two while photos are open, and at its end two for each photo."""
    until = deps.queue().trial_until
    running = deps.store.trials().running if until is not None else None
    if until is None or running is None or (deps.clock() < until and deps.store.trial_is_open(running.number)):
        return 0
    photos = [each.job for each in deps.store.photos_of_trial(running.number)]
    given = deps.store.usages([each.cache.of for each in photos if each.cache])
    found = found_of(running, photos, given, deps.model_price(in_batches(running.base), batch=True), deps.clock())

    def change(trials: Trials) -> tuple[Trials, Iterable[Job]] | None:
        return (with_end(trials, found), ()) if trials.running == running else None

    left = [each.job_id for each in photos if each.status is Status.QUEUED]
    deps.store.change_trials(change, left)
    return 1
