"""Ending the jobs of a batch that has ended at OpenAI: each as done, requeued, or failed and refunded.

The output and the error file are streamed once; what neither of them names is seen to after that. Every write carries
the version of the job's claim, so a collector that dies, or a second one, does no harm: the next one streams the same
lines, and what was written before refuses to be written again. One that runs out of time strikes off what it has ended,
for whoever goes on: the same lines again would take the same time again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from functions import log
from functions.adapters.openai import ProviderRejectedError
from functions.core.attempts import Attempt, Doubts, Terms, answered, failed_attempt
from functions.core.batch_reports import ENDED, ProviderBatch, counts_as_attempt, read_line, without_line
from functions.core.batches import OVER_LIMIT_PAUSE, Batch, BatchMember, Roll
from functions.core.jobs import Failure
from functions.core.profile import News
from functions.core.records import Fields
from functions.core.settlement import refunding
from functions.core.transitions import backoff, requeued, waited_too_long
from functions.steps.spending import known_price, line_micros, report_doubts

if TYPE_CHECKING:
    from functions.wiring import Deps

CAUSES_LOGGED_MAX = 10
"""The commonest causes of a batch's failures. Users are told less: see `core.jobs.FAILURE_TEXTS`."""

WRITES_BUFFERED_MAX = 100
"""Results held back to be written in one call."""


class Collector:
    """Ends every job of one batch exactly once.

    `ended` counts the outcomes, those included that an earlier collector has written; `ours` is what this one adds to
    them, and `news` is what to tell whom about it.
    """

    def __init__(self, deps: Deps, batch: Batch, until: datetime) -> None:
        """Take a batch under a lease; `until` is when to stop, wherever that is."""
        self._deps = deps
        self._batch = batch
        self._until = until
        most, percent = (batch.hold.line_micros, batch.hold.percent) if batch.hold else (line_micros(deps), 100)
        self._terms = Terms(batch.model, known_price(batch.model, deps), batch=True, most_micros=most, percent=percent)
        self._doubts = Doubts()
        self._causes: Counter[str] = Counter()
        self._writes: list[tuple[str, datetime, Fields]] = []
        self.ended: Counter[str] = Counter()
        self._before: Counter[str] = Counter()
        self.news: dict[str, News] = {}

    @property
    def ours(self) -> Counter[str]:
        """What this collector has counted."""
        return self.ended - self._before

    def collect(self, reported: ProviderBatch, *, give_up: bool = False) -> bool:
        """Stream both files, then see to the jobs that neither of them named. False if time ran out: what is left is
        stored, if the lease is ours still, and to be collected by calling again.

        With `give_up` a file that OpenAI does not have any more is taken for one that says nothing.

        Raises:
            ProviderDownError, ProviderRejectedError: a file could not be read; what was not written is still open.
        """
        roll = self._deps.files.read_roll(self._batch.batch_id)
        self.ended, self._before = Counter(roll.ended), Counter(roll.ended)
        complete = True
        for end in self._endings(reported, roll, give_up=give_up):
            end()
            if self._deps.clock() >= self._until:
                complete = False
                break
        self._flush()
        report_doubts(self._doubts, self._deps)
        if self._causes:
            causes = dict(self._causes.most_common(CAUSES_LOGGED_MAX))
            log.warning(log.Event.ANSWERS_FAILED, batchId=self._batch.batch_id, causes=causes)
        if not complete and self._batch.is_ours(self._deps.clock()):
            with self._deps.files.write_roll(self._batch.batch_id) as file:
                file.writelines(roll.to_lines(self.ended))
        return complete

    def _endings(self, reported: ProviderBatch, roll: Roll, *, give_up: bool) -> Iterator[Callable[[], None]]:
        """Yield what ends each job that is left, in an order that serves; the job is struck off by then."""
        forgotten = reported.forgotten
        for line in self._lines(reported, give_up=give_up):
            if line is None:
                forgotten = True
                continue
            read = read_line(line)
            # A second line for the same job, or one for a job that is not ours, finds nobody on the roll.
            member = roll.take(read[0]) if read else None
            if read is None or member is None:
                self.ended["strayLines"] += not roll.ended  # else it may be one that an earlier collector took
            else:
                self.ended["answered"] += read[1].billed
                yield partial(self._end, member, read[1])
        if len(reported.bad_lines) >= max(self._batch.job_count, 2):
            reported = replace(reported, bad_lines=frozenset())  # all of them are bad: it is what we send
        for number in sorted(reported.bad_lines):
            if member := roll.take_line(number):
                error = failed_attempt(Failure.PROVIDER_REJECTED, "the provider cannot read this photo's line")
                yield partial(self._end, member, error)
        reported, counts = replace(reported, forgotten=forgotten), counts_as_attempt(reported)
        pause = OVER_LIMIT_PAUSE if reported.over_limit else None
        for member in roll.take_rest():
            missing = without_line(reported, answer_lost=reported.answered > self.ended["answered"])
            self.ended["answered"] += missing.billed
            yield partial(self._end, member, missing, counts=counts, pause=pause)

    def _lines(self, reported: ProviderBatch, *, give_up: bool) -> Iterator[dict[str, Any] | None]:
        """Yield the lines of both files; None for one that is gone and given up."""
        for file_id in (reported.output_file_id, reported.error_file_id):
            if file_id is None or reported.state not in ENDED:
                continue
            try:
                yield from self._deps.provider.read_lines(file_id, self._seconds_left())
            except ProviderRejectedError:
                if not give_up:
                    raise
                yield None

    def _seconds_left(self) -> float:
        return (self._until - self._deps.clock()).total_seconds()

    def _end(
        self, member: BatchMember, attempt: Attempt, *, counts: bool = True, pause: timedelta | None = None
    ) -> None:
        now = self._deps.clock()
        cost = self._terms.cost_micros(attempt)
        self.ended["costMicros"] += cost
        self._doubts.add(member.job_id, attempt, self._terms)
        if attempt.answer is not None:
            self._write(member, answered(attempt.answer, attempt, member, self._terms, now))
            self._note(member, done=1)
            return
        error = attempt.error
        if error is None:
            raise ValueError("an attempt without an answer carries an error")
        self._causes[error.message] += 1
        spent, attempts = member.cost_micros + cost, member.attempts - (0 if counts else 1)
        in_time = not waited_too_long(member.created_at, now)
        if attempt.retryable and attempts < self._deps.runtime().batch.attempts_max and in_time:
            again = requeued(error, attempts=attempts, at=now + (pause or backoff(attempts)))
            self._write(member, {**again, "costMicros": spent})
            self.ended["requeued"] += 1
            return
        decision = refunding(lambda job: job.batch_id == self._batch.batch_id, error, spent, now)
        self._deps.store.settle_job(member.job_id, member.uid, decision)
        self._note(member, failed=1)

    def _note(self, member: BatchMember, done: int = 0, failed: int = 0) -> None:
        self.ended.update(done=done, failed=failed)
        if member.notify:
            before = self.news.get(member.uid, News(member.uid, member.notify))
            self.news[member.uid] = replace(before, done=before.done + done, failed=before.failed + failed)

    def _write(self, member: BatchMember, fields: Fields) -> None:
        self._writes.append((member.job_id, member.updated_at, fields))
        if len(self._writes) >= WRITES_BUFFERED_MAX:
            self._flush()

    def _flush(self) -> None:
        # A refused write is one that was made before, by this line or one like it: there is nothing left to do.
        self._deps.store.update_jobs(self._writes)
        self._writes.clear()
