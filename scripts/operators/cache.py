"""`cache`, `warm`: what photos that come again have saved and how often they were wrong; a user's earlier photos made
known."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

from pydantic import ValidationError
from rich.console import Console

from functions.core.cache.entries import ENTRIES_MAX, Entry, Remembered, evicted
from functions.core.cache.keys import key_of
from functions.core.cache.report import Believed, Report
from functions.core.config.runtime import CacheMode
from functions.core.jobs.cached import source_of
from functions.core.jobs.jobs import JOB_LIFETIME, Job
from functions.core.jobs.uploads import unchanged
from functions.core.shared.errors import ImageNotFound, InvalidImage
from functions.use_cases.cache.labels import asked_of
from functions.use_cases.jobs.pages import job_pages
from functions.use_cases.rollouts.serving import images_of, served
from scripts.operators.grants import known_wallet
from scripts.operators.printing import change, dollars, table
from scripts.operators.session import Operation, RefusedError, Uid, changing_for, command, looking


@command(looking)
def cache(operation: Operation) -> None:
    """What the cache has come to in seven days, as the guard counted it at most 15 minutes ago. One read."""
    stored = operation.deps.store.cache_report().report
    try:
        report = Report.model_validate(stored)
    except ValidationError:
        raise RefusedError(
            "nothing was counted yet: the guard does while cache.exact or cache.near is not off"
        ) from None
    operation.show(report.as_json(), lambda console: _cache(console, report))


def _cache(console: Console, report: Report) -> None:
    photos, hits = sum(each.photos for each in report.lanes), sum(each.exact + each.near for each in report.lanes)
    again = hits + sum(each.would for each in report.lanes)
    console.print(f"Photos   {photos}, {_share(hits, photos)} answered again, {_share(again, photos)} came again")
    console.print(f"Saved    {dollars(report.saved_micros)} net of {report.checks} checks")
    if report.sampled:
        console.print(
            f"Shared   {_share(report.shared, report.sampled)} of {report.sampled} sampled are another user's, too"
        )
    lanes = [
        (
            each.lane,
            each.photos,
            _share(each.exact, each.photos),
            _share(each.near, each.photos),
            _share(each.would, each.photos),
            dollars(each.saved_micros),
        )
        for each in report.lanes
    ]
    console.print(table("lane", "photos", "same file", "nearly the same", "would have been", "saved", rows=lanes))
    for family, bits in report.serves.items():
        console.print(f"{family} serves {'the same file alone' if bits is None else f'photos within {bits} bits'}")
    believed = [
        (each.family, each.what, "" if each.bits is None else each.bits, each.checked, each.wrong, _interval(each))
        for each in report.believed
    ]
    console.print(table("family", "what", "bits", "compared", "wrong", "wrong, 95 %", rows=believed))
    disputed = [
        (each.model, each.prompt, each.category, each.answers, each.disputed, _share(each.disputed, each.answers))
        for each in report.disputed
    ]
    console.print(table("model", "prompt", "category", "answers", "disputed", "share", rows=disputed))
    days = [(each.day, each.photos, each.hits, _share(each.hits, each.photos), each.would) for each in report.days]
    console.print(table("day", "photos", "hits", "hit rate", "would have been", rows=days))


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _interval(share: Believed) -> str:
    return f"{100 * share.low:.2f} to {100 * share.high:.2f} %" if share.checked else "-"


@command(changing_for)
def warm(operation: Operation, uid: Uid) -> None:
    """Make the photos known that a user has sent before the cache was on: at most 200, as old as answers may be. A read
    for each job, and one of Storage for each photo."""
    deps = operation.deps
    if deps.runtime().cache.modes == {CacheMode.OFF}:
        raise RefusedError("the cache is off: set cache.exact or cache.near to shadow or on first")
    known_wallet(uid, deps)
    entries = deps.store.cache_entries(uid)
    unknown = (job for job in _answered(uid, operation) if job.job_id not in entries)
    found = (entry for job in unknown if (entry := _entry(job, operation)))
    new = list(islice(found, max(ENTRIES_MAX - len(entries), 0)))
    if new:
        changes = [change("photos known", len(entries), len(entries) + len(new))]
        operation.ask(changes, f"Photos of {uid}: {operation.why}")
        oldest = (operation.now - timedelta(days=deps.runtime().cache.age_days_max)).date()
        remembered = Remembered(new, evicted(entries, new, oldest), operation.now + JOB_LIFETIME)
        deps.store.record(operation.audit("warm", uid, changes))
        deps.store.remember(uid, remembered)
    told = {"uid": uid, "known": len(entries), "new": len(new)}
    operation.show(told, f"{len(new)} more photos of {uid} are known.")


def _answered(uid: str, operation: Operation) -> Iterator[Job]:
    """Yield a user's jobs that are young enough to answer, the newest first."""
    oldest = operation.now - timedelta(days=operation.deps.runtime().cache.age_days_max)
    for page in job_pages(uid, operation.deps):
        for stored in page:
            if stored.job.created_at < oldest:
                return
            yield stored.job


def _entry(job: Job, operation: Operation) -> Entry | None:
    """Return what would find a job's photo again; None if it answers nobody, or its photo is gone or another one."""
    deps = operation.deps
    path = served(job.uid, deps)
    source = source_of(job, job, path)
    if source is None or source.disputed or (job.cache is not None and job.cache.served):
        return None
    try:
        upload: Any = unchanged(deps.files.read_photo(job.image_path), job.image_digest)
        _, photo = deps.recognise_photo(upload, images_of(path, deps))
    except (ImageNotFound, InvalidImage):
        return None
    key = key_of(asked_of(path, deps, job.region, job.language))
    return Entry(key, job.job_id, job.created_at.date(), photo)
