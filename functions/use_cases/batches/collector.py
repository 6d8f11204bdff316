"""Ending the jobs of a batch that has ended at its provider: each as done, requeued, or failed and refunded.

Both files are streamed once; then come the jobs that neither names. Every write carries the version of the job's claim,
so a dead or second collector does no harm: the same lines come again, and what was written refuses to be written again.
A collector that runs out of time stores what it has ended, to spare its successor that time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from functions import log
from functions.core.batches.batches import FAILED_POLLS_MAX, LOST, OVER_LIMIT_PAUSE, Batch
from functions.core.batches.manifest import BatchManifest
from functions.core.batches.recovery import Whose, whose
from functions.core.batches.reports import ENDED, ProviderBatch, counts_as_attempt, read_line, without_line
from functions.core.jobs.attempts import Attempt, failed_attempt
from functions.core.jobs.jobs import Failure
from functions.core.model.refusals import ProviderDownError, ProviderRejectedError
from functions.core.wallet.profile import PushSummary
from functions.use_cases.batches.endings import Endings
from functions.use_cases.batches.submission import release_jobs
from functions.use_cases.budget.spending import report_doubts
from functions.use_cases.shared.set_aside import report_item

if TYPE_CHECKING:
    from functions.wiring import Deps

CAUSES_LOGGED_MAX = 10
"""The commonest causes of a batch's failures. Users are told less: see `core.jobs.jobs.FAILURE_TEXTS`."""


class Collector:
    """Ends every job of one batch exactly once, but those that are `unended`: they failed in a way nobody foresaw."""

    def __init__(self, deps: Deps, batch: Batch, until: datetime) -> None:
        """Take a batch under a lease; `until` is when to stop, wherever that is."""
        self._deps = deps
        self._batch = batch
        self._until = until
        self._before: Counter[str] = Counter()
        self._endings = Endings(deps, batch, self._before)

    @property
    def ended(self) -> Counter[str]:
        """How many jobs have ended how, those included that an earlier collector has ended."""
        return self._endings.ended

    @property
    def ours(self) -> Counter[str]:
        """What this collector has counted."""
        return self.ended - self._before

    @property
    def news(self) -> dict[str, PushSummary]:
        """What to tell whom."""
        return self._endings.news

    @property
    def unended(self) -> int:
        """How many jobs are left to the next poll although there was time for them."""
        return len(self._endings.unended)

    def collect(self, reported: ProviderBatch, *, give_up: bool = False) -> bool:
        """Stream both files, then end the jobs that neither names. False if time ran out, or some are `unended`: if the
        lease is still ours, the rest is stored for the next call. `give_up` takes a file that is not handed out for an
        empty one. Raises ProviderDownError or ProviderRejectedError if a file could not be read; the rest stays open.
        """
        manifest = self._deps.files.read_manifest(self._batch.batch_id)
        self._before = Counter(manifest.ended)
        endings = self._endings = Endings(self._deps, self._batch, self._before)
        if manifest.damaged:
            endings.ended["damaged"] += manifest.damaged
        in_time = True
        try:
            for end in self._each(reported, manifest, give_up=give_up):
                if not self._batch.holds_lease(self._deps.clock()):
                    in_time = False  # another collector has the batch, and may find of this job what we did not
                    break
                end()
                if self._deps.clock() >= self._until:
                    in_time = False
                    break
        except Exception:
            endings.flush()  # what has come is not asked for again, whatever stops the rest
            raise
        endings.flush()
        report_doubts(endings.anomalies, self._deps)
        if endings.causes:
            causes = dict(endings.causes.most_common(CAUSES_LOGGED_MAX))
            log.warning(log.Event.ANSWERS_FAILED, batchId=self._batch.batch_id, causes=causes)
        complete = in_time and not endings.unended
        if complete and endings.ended["damaged"]:
            # The jobs whose lines on the list could not be read are known by their claims alone.
            endings.ended["requeued"] += release_jobs(self._deps, self._batch.batch_id)
        if not complete and self._batch.holds_lease(self._deps.clock()):
            for member in endings.unended:
                manifest.put_back(member)
            with self._deps.files.write_manifest(self._batch.batch_id) as file:
                file.writelines(manifest.to_lines(endings.ended))
        return complete

    def whose(self, reported: ProviderBatch) -> Whose:
        """Tell whether the results are of this batch's jobs. Raises ProviderDownError or ProviderRejectedError if they
        could not be read."""
        manifest = self._deps.files.read_manifest(self._batch.batch_id)
        lines = self._lines(reported, give_up=False)
        return whose((line.get("custom_id") for line in lines if line is not None), manifest.job_ids())

    def _each(self, reported: ProviderBatch, manifest: BatchManifest, *, give_up: bool) -> Iterator[Callable[[], None]]:
        """Yield one callback per remaining job: answered, then bad lines, then the rest. A job leaves the manifest
        before its callback."""
        end, forgotten = self._endings.end, reported.forgotten
        for line in self._lines(reported, give_up=give_up):
            if line is None:
                forgotten = True
                continue
            name = line.get("custom_id")
            # A second line for the same job, or one for a job that is not ours, finds nobody on the roll. So does one
            # that an earlier collector took: it is not read again.
            if member := manifest.take(name) if isinstance(name, str) else None:
                yield partial(end, member, self._read(line))
            else:
                self.ended["strayLines"] += not manifest.ended
        if len(reported.bad_lines) >= max(self._batch.job_count, 2):
            reported = replace(reported, bad_lines=frozenset())  # all of them are bad: it is what we send
        for number in sorted(reported.bad_lines):
            if member := manifest.take_line(number):
                error = failed_attempt(Failure.PROVIDER_REJECTED, "the provider cannot read this photo's line")
                yield partial(end, member, error)
        reported, counts = replace(reported, forgotten=forgotten), counts_as_attempt(reported)
        pause = OVER_LIMIT_PAUSE if reported.over_limit else None
        for member in manifest.take_rest():
            missing = without_line(reported, answer_lost=reported.answered > self.ended["answered"])
            yield partial(end, member, missing, counts=counts, pause=pause)

    def _lines(self, reported: ProviderBatch, *, give_up: bool) -> Iterator[dict[str, Any] | None]:
        """Yield the lines of both files; None for one that is given up."""
        for file_id in (reported.output_file_id, reported.error_file_id):
            if file_id is None or reported.state not in ENDED:
                continue
            try:
                lane = self._deps.batches_at(self._batch.model)
                yield from lane.read_lines(file_id, self._seconds_left())
            except (ProviderDownError, ProviderRejectedError) as problem:
                if not give_up or (isinstance(problem, ProviderDownError) and not self._is_lost()):
                    raise
                yield None

    def _seconds_left(self) -> float:
        return (self._until - self._deps.clock()).total_seconds()

    def _is_lost(self) -> bool:
        """Whether the provider has been down for longer than anybody waits for a batch."""
        lost = self._deps.clock() - self._batch.created_at >= LOST
        return lost and self._batch.failed_polls >= FAILED_POLLS_MAX

    def _read(self, line: dict[str, Any]) -> Attempt:
        """Read a line. One that nobody can make sense of costs its job an attempt, and is booked at the most."""
        try:
            return read_line(line, self._batch.provider)
        except Exception as error:  # noqa: BLE001  (whatever it is, the next line gets its turn)
            report_item(error, batchId=self._batch.batch_id)
            return failed_attempt(Failure.ANSWER_UNUSABLE, "the provider's answer could not be read", unreported=True)
