"""Hits that are asked again, `cacheChecks/{checkId}`, and how far hits are believed, `stats/cache`."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from functions.adapters.firestore.jobs import StoredJob, all_jobs
from functions.adapters.firestore.query import Collection, Query
from functions.adapters.firestore.queue import QueueDocuments
from functions.adapters.firestore.reading import Found, all_sound, sound_fields
from functions.adapters.firestore.transactions import Transaction
from functions.adapters.firestore.values import Snapshot
from functions.adapters.firestore.writes import delete_all, run_transaction
from functions.core.cache.lookup import Tier
from functions.core.cache.notes import CacheNote
from functions.core.cache.report import ByAnswer, CacheDay, CacheReport, Disputes
from functions.core.cache.state import CacheState, Label
from functions.core.jobs.jobs import Job, Status
from functions.core.shared.lanes import Lane

COUNTED_MAX = 10_000_000
"""Photos of a day that are counted."""

LABELS_MAX = 500
"""Labels, and hits, that one run looks at. More of them wait for the next."""


class Folded(NamedTuple):
    """What is believed before and after, how many labels came between, and how many hits are asked again."""

    before: CacheState
    after: CacheState
    labels: int
    checks: int


Fold = Callable[[CacheState, list[Label], list[Job]], tuple[CacheState, list[Job]]]
"""Returns the state after these labels and hits, and the checks of some of these."""


class CheckDocuments(QueueDocuments):
    """Reads and writes of checks. Once a batch has claimed one it is written as a job: see `_job_ref`."""

    def fold_labels(self, until: datetime, fold: Fold, *, hits: bool) -> Folded:
        """Fold the labels of jobs and checks up to `until`, and, if there are `hits`, those that may be asked again,
        into `stats/cache`, so many at the most; and store the checks. A read for each, and one for the state; a write
        for it and for each check. Runs at once do nothing twice: the document guards it."""
        ref = self._client.document("stats/cache")

        def body(transaction: Transaction) -> Folded:
            before = sound_fields(CacheState, self._client.get(ref, transaction))[0]
            labels = self._labels(before.labelled_until, until)
            after, checks = fold(before, labels, self._hits(before.chosen_until, until) if hits else [])
            if after != before:
                transaction.set(ref, after.model_dump(by_alias=True))
            for check in checks:
                fields = check.model_dump(by_alias=True, exclude={"job_id"})
                transaction.create(self._checks.document(check.job_id), fields)
            return Folded(before, after, len(labels), len(checks))

        return run_transaction(self._client.transaction(), body)

    def queued_checks(self, now: datetime, limit: int) -> Found[StoredJob]:
        """Read the checks that wait, the oldest first. A read each, one if there are none."""
        waiting = self._checks.where("status", "==", Status.QUEUED).where("queuedAt", "<=", now)
        return all_jobs(waiting.order_by("queuedAt").limit(limit))

    def delete_checks(self, uid: str, limit: int) -> int:
        """Delete the checks of a user's hits, and return how many there were. A read and a write each, one read if
        there are none. The batch that one is in finds it gone."""
        return delete_all(self._client, self._checks.where("uid", "==", uid).select(["uid"]).limit(limit).stream())

    def count_cached(self, day: str) -> CacheDay:
        """Count a day's photos and their cost by lane, and hits and would-hits by tier and lane. A read each for every
        thousand: twelve at least."""
        jobs = self._jobs.where("day", "==", day)
        counted = CacheDay()
        for lane in Lane:
            sums = jobs.where("mode", "==", lane).limit(COUNTED_MAX).sums(n=None, micros="costMicros")
            counted.photos[lane], counted.micros[lane] = sums["n"], sums["micros"]
            for tier in Tier:
                counted.hits.setdefault(tier, {})[lane] = self._count(day, True, tier, lane)
                counted.would.setdefault(tier, {})[lane] = self._count(day, False, tier, lane)
        for shared in (True, False):
            counted.shared[str(shared)] = jobs.where("shared", "==", shared).limit(COUNTED_MAX).count()
        return counted

    def cache_report(self) -> CacheReport:
        """Read what was counted of the cache. One read."""
        return sound_fields(CacheReport, self._client.get(self._client.document("stats/cacheReport")))[0]

    def change_cache_report(self, change: Callable[[CacheReport, ByAnswer], CacheReport]) -> None:
        """Store what `change` makes of the report, given the disputes that there are. Two reads and a write."""
        ref = self._client.document("stats/cacheReport")
        stored, answers = self._client.get_all([ref, self._client.document("stats/answers")])
        disputed = sound_fields(Disputes, answers)[0].disputed
        made = change(sound_fields(CacheReport, stored)[0], disputed)
        self._client.batch().set(ref, made.model_dump(by_alias=True)).commit()

    def _count(self, day: str, served: bool, tier: Tier, lane: Lane) -> int:
        found = self._jobs.where("day", "==", day).where("cache.served", "==", served).where("cache.tier", "==", tier)
        return found.where("mode", "==", lane).limit(COUNTED_MAX).count()

    def _labels(self, since: datetime | None, until: datetime) -> list[Label]:
        found = [each for where in (self._jobs, self._checks) for each in self._labelled(where, since, until)]
        return whole_times(sorted(found, key=lambda label: label.at))

    def _labelled(self, where: Collection, since: datetime | None, until: datetime) -> list[Label]:
        newer = _between(where, "cache.labelledAt", since, until).select(["cache"])
        found = all_sound(newer.limit(LABELS_MAX + 1).stream(), _as_note)
        return [
            Label(note.family, note.tier, note.bits, bool(note.same), note.labelled_at)
            for note in found
            if isinstance(note.tier, Tier) and note.labelled_at is not None
        ]

    def _hits(self, since: datetime | None, until: datetime) -> list[Job]:
        return [
            stored.job for stored in all_jobs(_between(self._jobs, "cache.checkAt", since, until).limit(LABELS_MAX))
        ]


def whole_times(labels: Sequence[Label]) -> list[Label]:
    """Return the first `LABELS_MAX` of these labels, sorted by time. If that leaves some out, those of the last moment
    wait with them, since the next run begins after it."""
    if len(labels) <= LABELS_MAX:
        return list(labels)
    cut = labels[LABELS_MAX].at
    return [label for label in labels[:LABELS_MAX] if label.at < cut] or list(labels[:LABELS_MAX])


def _between(where: Collection, field: str, since: datetime | None, until: datetime) -> Query:
    query = where.where(field, "<=", until).order_by(field)
    return query if since is None else query.where(field, ">", since)


def _as_note(snapshot: Snapshot) -> CacheNote:
    return CacheNote.model_validate(snapshot.fields["cache"])
