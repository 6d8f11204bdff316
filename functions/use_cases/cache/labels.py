"""What the model's answers say of the kept ones: noted on their jobs, and folded into what is believed of the cache, by
`guard_budget` with each run. It also chooses the hits that are asked again."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

from functions.core.cache.keys import Asked, family_of
from functions.core.cache.lookup import Tier
from functions.core.cache.notes import labelling
from functions.core.cache.state import Hit, choose, folded, tightened
from functions.core.config.runtime import CacheMode
from functions.core.jobs.checks import check_of
from functions.core.model.classification import answer_schema
from functions.core.model.ways import Way
from functions.core.shared.alerts import AlertKind, alert
from functions.core.shared.time_limits import FUNCTION_TIMEOUT

if TYPE_CHECKING:
    from functions.adapters.firestore.checks import Folded
    from functions.core.cache.notes import CacheNote
    from functions.core.cache.state import CacheState, Label
    from functions.core.jobs.jobs import Job
    from functions.core.model.classification import Answer
    from functions.core.shared.records import Fields
    from functions.wiring import Deps


@cache
def _schema() -> str:
    return json.dumps(answer_schema(), sort_keys=True)


def asked_of(way: Way, deps: Deps, region: str = "", language: str = "") -> Asked:
    """Return what decides what is answered this way now."""
    own = Way(way.model, way.prompt, way.side_max)
    return Asked(own, _schema(), deps.runtime().images.jpeg_quality, region, language)


def asks_alike(note: CacheNote | None, way: Way, deps: Deps) -> bool:
    """Whether this way is the one that the kept answer is from."""
    return note is not None and note.family == family_of(asked_of(way, deps))


def compared(note: CacheNote | None, answer: Answer, way: Way, deps: Deps) -> Fields:
    """Return what is stored of a kept answer, now that one was given this way; nothing if there is none, or if it was
    kept from another way."""
    return labelling(note, family_of(asked_of(way, deps)), answer, deps.clock()) if note else {}


def fold_labels(deps: Deps) -> Folded | None:
    """Fold new labels, choose hits to be asked again, and notify operators of a threshold that was tightened. None, and
    nothing is read, while the cache is off."""
    rules, now = deps.runtime().cache, deps.clock()
    if rules.modes == {CacheMode.OFF}:
        return None

    def fold(state: CacheState, labels: list[Label], hits: list[Job]) -> tuple[CacheState, list[Job]]:
        after, again = choose(folded(state, labels, rules.wrong_percent_max / 100), map(_hit, hits))
        checks = (check_of(hit, now) for hit in hits if hit.job_id in set(again))
        return after, [check for check in checks if check is not None]

    # A label is as old as its answer: what a call or a run that is still under way writes must not be passed over.
    found = deps.store.fold_labels(now - FUNCTION_TIMEOUT, fold, hits=CacheMode.ON in rules.modes)
    for family, bits in tightened(found.before, found.after).items():
        serves = "nothing any more" if bits is None else f"photos within {bits} bits"
        text = (
            f"Too many answers to photos that were nearly the same were wrong. The cache of {family} serves {serves}."
        )
        deps.store.create_alert(alert(AlertKind.CACHE_TIGHTENED, text, now))
    return found


def _hit(job: Job) -> Hit:
    note = job.cache
    if note is None or note.check_at is None or not isinstance(note.tier, Tier):
        raise ValueError(f"{job.job_id} is no hit that may be asked again")
    return Hit(job.job_id, note.family, note.tier, note.check_at)
