"""`poll_batches`: OpenAI batches that have ended into results, requeues and refunds.

One retrieve a batch, never a call a job, and less often as the batch grows older. When it has ended, the output and the
error file are streamed once: every job of the batch ends as done, requeued, or failed and refunded, also when its
line is missing. Every write carries the version of the job's claim, so a collector that dies, or a second one, does
no harm: the next one streams the same lines, and what was written before refuses to be written again.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from functions import log
from functions.adapters.openai import ProviderDownError, ProviderRejectedError
from functions.core.attempts import Attempt, Terms, answered, failed_attempt
from functions.core.batch_reports import ENDED, ProviderBatch, ProviderState, counts_as_attempt, read_line, without_line
from functions.core.batches import (
    LOST,
    OVER_LIMIT_PAUSE,
    OVERDUE,
    POLL_FIRST,
    Batch,
    BatchMember,
    BatchState,
    next_poll,
)
from functions.core.budget import Hold, settled
from functions.core.jobs import Failure
from functions.core.pricing import measured
from functions.core.profile import News
from functions.core.records import Fields
from functions.core.runtime import FUNCTION_TIMEOUT
from functions.core.settlement import refunding
from functions.core.transitions import backoff, requeued, waited_too_long
from functions.spending import line_micros, report_doubt

if TYPE_CHECKING:
    from functions.adapters.firestore import StoredBatch
    from functions.wiring import Deps

WRITES_BUFFERED_MAX = 100
"""Results held back to be written in one call."""


RUN_TIME = FUNCTION_TIMEOUT - timedelta(seconds=180)
"""After this a run looks at no further batch; the margin is for the one that it is at."""


def poll_batches(deps: Deps) -> dict[str, int]:
    """Run once. Returns counts: batches `polled`, `collected`, `delayed` (the provider) and `crashed`; jobs `done`,
    `requeued` and `failed`; users `pushed`.

    Raises:
        RuntimeError: every batch that was due crashed: something is wrong that is not the batches'.
    """
    counts: Counter[str] = Counter(polled=0, collected=0, delayed=0, crashed=0, done=0, requeued=0, failed=0)
    open_states, until = [BatchState.SUBMITTED, BatchState.COLLECTING], deps.clock() + RUN_TIME
    for stored in deps.store.due_batches(open_states, deps.clock(), deps.runtime().batch.polls_per_run):
        if deps.clock() > until:
            break
        try:
            _advance(deps, stored, counts)
        except (ProviderDownError, ProviderRejectedError) as problem:
            counts["delayed"] += 1
            log.warning(log.Event.BATCH_DELAYED, batchId=stored.batch.batch_id, cause=str(problem))
        except Exception:  # noqa: BLE001  (whatever it is, the next batch gets its turn)
            # One batch must not hold up the others. It stays due, and is tried again when its lease has run out.
            counts["crashed"] += 1
            log.error(log.Event.BATCH_CRASHED, batchId=stored.batch.batch_id, stack_trace=traceback.format_exc())
    if counts["crashed"] and not counts["polled"]:
        raise RuntimeError("every batch that was due crashed the poller")
    return dict(counts)


def _advance(deps: Deps, stored: StoredBatch, counts: Counter[str]) -> None:
    batch, now = stored.batch, deps.clock()
    if batch.completed_at is not None:
        _close(deps, batch, stored.version)  # a collector that was done died tidying up
        return
    age = now - batch.created_at
    reported = _retrieve(deps, batch, age)
    counts["polled"] += 1
    if reported.state not in ENDED and age < LOST:
        fields: dict[str, Any] = {"dueAt": next_poll(batch.created_at, now), "polls": batch.polls + 1}
        if age > OVERDUE and not batch.cancel_requested:
            _cancel(deps, batch)
            fields |= {"cancelRequested": True, "dueAt": now + POLL_FIRST}
        deps.store.update_batch(batch.batch_id, stored.version, fields)
        return
    lease = timedelta(minutes=deps.runtime().batch.lease_minutes)
    taken = {"state": BatchState.COLLECTING, "dueAt": now + lease}
    version = deps.store.update_batch(batch.batch_id, stored.version, taken)
    if version is None:
        return  # another poller collects it
    try:
        collector = _Collector(deps, batch)
        ended = collector.collect(reported)
    except (ProviderDownError, ProviderRejectedError):
        deps.store.update_batch(batch.batch_id, version, {"dueAt": now + POLL_FIRST})
        raise
    hold = _settled_hold(batch, reported, ended["costMicros"])
    version = deps.store.settle_batch(batch, version, _completing_fields(reported, ended, deps.clock()), hold)
    if version is None:
        return  # another collector, after our lease, has ended the same jobs in the same way
    _close(deps, batch, version)
    counts.update({"collected": 1, **{outcome: ended[outcome] for outcome in ("done", "requeued", "failed")}})
    log.info(log.Event.BATCH_COLLECTED, batchId=batch.batch_id, state=reported.state, **ended)
    if reported.state is ProviderState.COMPLETED:
        deps.store.write_queue_stats(batch_minutes=measured(deps.queue(), age / timedelta(minutes=1)))
    counts["pushed"] += _push(deps, collector.news)


def _retrieve(deps: Deps, batch: Batch, age: timedelta) -> ProviderBatch:
    """Ask OpenAI how far a batch has come. One that OpenAI does not know any more is given up as a lost one is."""
    openai_batch_id = batch.openai_batch_id or ""
    try:
        return deps.provider.retrieve_batch(openai_batch_id)
    except ProviderRejectedError as problem:
        if age < LOST:
            raise
        return ProviderBatch(openai_batch_id, ProviderState.EXPIRED, None, None, 0, str(problem))


def _cancel(deps: Deps, batch: Batch) -> None:
    """Ask OpenAI to stop an overdue batch. One that cannot be stopped has ended, or will be given up."""
    try:
        deps.provider.cancel_batch(batch.openai_batch_id or "")
    except ProviderRejectedError as problem:
        log.warning(log.Event.BATCH_DELAYED, batchId=batch.batch_id, cause=f"not cancelled: {problem}")


def _close(deps: Deps, batch: Batch, version: datetime) -> None:
    """Tidy up after a batch whose jobs have all ended. Its files go first: nobody looks for those of a closed one."""
    deps.files.delete_batch_files(batch.batch_id)
    deps.store.update_batch(batch.batch_id, version, {"state": BatchState.DONE})


def _settled_hold(batch: Batch, reported: ProviderBatch, cost_micros: int) -> Hold | None:
    """Settle what was held for a batch. One that never ended may be billed all the same: all of it counts as spent."""
    if batch.hold is None:
        return None
    return settled(batch.hold, cost_micros if reported.state in ENDED else max(cost_micros, batch.hold.micros))


def _completing_fields(reported: ProviderBatch, ended: Counter[str], now: datetime) -> Fields:
    return {
        "doneCount": ended["done"],
        "requeuedCount": ended["requeued"],
        "failedCount": ended["failed"],
        "costMicros": ended["costMicros"],
        "error": reported.problem,
        "completedAt": now,
    }


def _push(deps: Deps, news: dict[str, News]) -> int:
    """Tell each user once what has come of their photos. A push that fails is no matter: the results are there."""
    if not news:
        return 0
    try:
        return deps.messaging.send(list(news.values()))
    except Exception:  # noqa: BLE001  (whatever it is, results must not wait for pushes)
        log.warning(log.Event.PUSH_FAILED, users=len(news), stack_trace=traceback.format_exc())
        return 0


class _Collector:
    """Ends every job of one batch exactly once.

    `ended` counts the outcomes, those that a collector that died has written included; `news` is what to tell whom.
    """

    def __init__(self, deps: Deps, batch: Batch) -> None:
        self._deps = deps
        self._batch = batch
        most = batch.hold.line_micros if batch.hold else line_micros(deps)
        self._terms = Terms(batch.model, deps.model_price(), batch=True, most_micros=most)
        self._writes: list[tuple[str, datetime, Fields]] = []
        self.ended: Counter[str] = Counter()
        self.news: dict[str, News] = {}

    def collect(self, reported: ProviderBatch) -> Counter[str]:
        """Stream both files, then see to the jobs that neither of them named."""
        roll = self._deps.files.read_roll(self._batch.batch_id)
        for line in self._lines(reported):
            read = read_line(line)
            # A second line for the same job, or one for a job that is not ours, finds nobody on the roll.
            member = roll.take(read[0]) if read else None
            if read is None or member is None:
                self.ended["strayLines"] += 1
            else:
                self._end(member, read[1])
        for number in sorted(reported.bad_lines):
            if member := roll.take_line(number):
                self._end(
                    member, failed_attempt(Failure.PROVIDER_REJECTED, "the provider cannot read this photo's line")
                )
        missing, counts = without_line(reported), counts_as_attempt(reported)
        pause = OVER_LIMIT_PAUSE if reported.over_limit else None
        for member in roll.take_rest():
            self._end(member, missing, counts=counts, pause=pause)
        self._flush()
        return self.ended

    def _lines(self, reported: ProviderBatch) -> Iterator[dict[str, Any]]:
        for file_id in (reported.output_file_id, reported.error_file_id):
            if file_id is not None and reported.state in ENDED:
                yield from self._deps.provider.read_lines(file_id)

    def _end(
        self, member: BatchMember, attempt: Attempt, *, counts: bool = True, pause: timedelta | None = None
    ) -> None:
        now = self._deps.clock()
        cost = self._terms.cost_micros(attempt)
        self.ended["costMicros"] += cost
        if self._terms.doubts(attempt):
            self.ended["doubted"] += 1
            if self.ended["doubted"] == 1:  # one of them says enough
                report_doubt(member.job_id, self._terms, attempt, self._deps)
        if attempt.answer is not None:
            self._write(member, answered(attempt.answer, attempt, member, self._terms, now))
            self._note(member, done=1)
            return
        error = attempt.error
        if error is None:
            raise ValueError("an attempt without an answer carries an error")
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
            before = self.news.get(member.uid, News(member.notify))
            self.news[member.uid] = replace(before, done=before.done + done, failed=before.failed + failed)

    def _write(self, member: BatchMember, fields: Fields) -> None:
        self._writes.append((member.job_id, member.updated_at, fields))
        if len(self._writes) >= WRITES_BUFFERED_MAX:
            self._flush()

    def _flush(self) -> None:
        # A refused write is one that was made before, by this line or one like it: there is nothing left to do.
        self._deps.store.update_jobs(self._writes)
        self._writes.clear()
